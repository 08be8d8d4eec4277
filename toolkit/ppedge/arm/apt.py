"""Debian packages unpacked into a folder: no root, and the machine's own package state is neither read nor changed.

apt gets a configuration of its own with an empty status file, so it fetches a package with everything it depends on,
for any architecture that the machine's package sources carry.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from ppedge.errors import MissingError, PpedgeError
from ppedge.process import run_child

_CONFIGURATION = """\
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
Dir::Log "{state}/log";
"""


def machine_architecture() -> str:
    """Return dpkg's name of this machine's architecture: ``amd64``.

    Raises:
        MissingError: This is no Debian-like machine.
    """
    _need_programs()
    return run_child(["dpkg", "--print-architecture"], "asking dpkg for the architecture").strip()


def unpack(packages: Sequence[str], architecture: str, folder: Path, scratch: Path) -> dict[str, str]:
    """Fetch packages with all they depend on and unpack them into a folder.

    Args:
        packages: Names of packages.
        architecture: dpkg's name of the architecture.
        folder: Where the files go; made if it is not there.
        scratch: A folder for apt's state and the fetched files; it must not exist, and is removed at the end.

    Returns:
        The version of each package that was unpacked.

    Raises:
        MissingError: apt or dpkg is not here, or the packages cannot be had.
    """
    _need_programs()
    for part in ("lists/partial", "cache/archives/partial", "log"):
        (scratch / part).mkdir(parents=True)
    (scratch / "status").touch()
    configuration = scratch / "apt.conf"
    configuration.write_text(_CONFIGURATION.format(architecture=architecture, state=scratch), encoding="utf-8")
    _fetch(packages, architecture, configuration)
    archives = sorted((scratch / "cache/archives").glob("*.deb"))
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        run_child(["dpkg-deb", "--extract", archive, folder], f"unpacking {archive.name}")
    shutil.rmtree(scratch)
    return {name: unquote(version) for name, version, _ in (a.stem.split("_") for a in archives)}


def _need_programs() -> None:
    for program in ("apt-get", "dpkg", "dpkg-deb"):
        if shutil.which(program) is None:
            raise MissingError(
                f"The ARM emulator needs the program {program}, which is not on this machine.",
                "It is built from Debian packages: use Debian 12, or an image of it.",
            )


def _fetch(packages: Sequence[str], architecture: str, configuration: Path) -> None:
    env = {"APT_CONFIG": str(configuration), "LC_ALL": "C.UTF-8"}
    refreshed = ""
    try:
        run_child(["apt-get", "update", "-qq"], f"fetching the {architecture} package lists", env=env)
    except PpedgeError as error:
        # One source of several may well fail (a third party's without this architecture): the download decides.
        refreshed = error.message
    try:
        run_child(
            ["apt-get", "install", "-qq", "--yes", "--download-only", *packages],
            f"fetching {architecture} packages",
            env=env,
        )
    except PpedgeError as error:
        raise MissingError(
            f"The ARM emulator's packages could not be had: {refreshed or error.message}",
            "Check the network and the sources of apt (Debian 12's carry all that is needed), then try again.",
        ) from error
