"""Debian packages unpacked into a folder: no root, and the machine's own package state is neither read nor changed.

apt gets a configuration of its own with an empty status file, so it fetches a package with everything it depends on,
for any architecture that the machine's package sources carry.
"""

from __future__ import annotations

import os
import platform
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

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def machine_architecture() -> str:
    """Return dpkg's name of this machine's architecture: ``amd64``.

    Raises:
        MissingError: This is no Debian-like machine.
    """
    _need_programs()
    return run_child(["dpkg", "--print-architecture"], "asking dpkg for the architecture").strip()


def unpack(
    packages: Sequence[str],
    architecture: str,
    folder: Path,
    scratch: Path,
    *,
    dependencies: bool = True,
    suite: str = "",
    user: str = "The ARM emulator",
) -> dict[str, str]:
    """Fetch packages with all they depend on and unpack them into a folder.

    Args:
        packages: Names of packages.
        architecture: dpkg's name of the architecture.
        folder: Where the files go; made if it is not there.
        scratch: A folder for apt's state and the fetched files; it must not exist, and is removed at the end.
        dependencies: Fetch what the packages depend on, too.
        suite: Another suite of the machine's own Debian mirror, instead of the machine's sources: ``bullseye``.
        user: Who needs the packages, for the error.

    Returns:
        The version of each package that was unpacked.

    Raises:
        MissingError: apt or dpkg is not here, or the packages cannot be had.
    """
    _need_programs(user)
    for part in ("lists/partial", "cache/archives/partial", "log"):
        (scratch / part).mkdir(parents=True)
    (scratch / "status").touch()
    configuration = scratch / "apt.conf"
    configuration.write_text(_CONFIGURATION.format(architecture=architecture, state=scratch), encoding="utf-8")
    refreshed = _refresh(architecture, configuration)
    if suite:
        _use_suite(suite, configuration, user)
        refreshed = _refresh(architecture, configuration)
    try:
        _download(packages, architecture, configuration, dependencies)
    except PpedgeError as error:
        raise MissingError(
            f"{user}'s packages could not be had: {refreshed or error.message}",
            "Check the network and the sources of apt (Debian 12's carry all that is needed), then try again.",
        ) from error
    archives = sorted((scratch / "cache/archives").glob("*.deb"))
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        run_child(["dpkg-deb", "--extract", archive, folder], f"unpacking {archive.name}")
    shutil.rmtree(scratch)
    return {name: unquote(version) for name, version, _ in (a.stem.split("_") for a in archives)}


def _need_programs(user: str = "The ARM emulator") -> None:
    for program in ("apt-get", "dpkg", "dpkg-deb"):
        if shutil.which(program) is None:
            raise MissingError(
                f"{user} needs the program {program}, which is not on this machine.",
                "It is built from Debian packages: use Debian 12, or an image of it.",
            )


def _refresh(architecture: str, configuration: Path) -> str:
    """Fetch the package lists; return what went wrong, if anything did."""
    try:
        run_child(["apt-get", "update", "-qq"], f"fetching the {architecture} package lists", env=_env(configuration))
    except PpedgeError as error:
        # One source of several may well fail (a third party's without this architecture): the download decides.
        return error.message
    return ""


def _use_suite(suite: str, configuration: Path, user: str) -> None:
    """Have apt use one suite of the mirror that the machine's sources name for its own release."""
    columns = "$(CODENAME) $(COMPONENT) $(REPO_URI)"
    command = ["apt-get", "indextargets", "--format", columns, "Created-By: Packages"]
    lines = run_child(command, "asking apt for its sources", env=_env(configuration)).splitlines()
    own = [platform.freedesktop_os_release().get("VERSION_CODENAME", ""), "main"]
    mirrors = [line.split()[2] for line in lines if line.split()[:2] == own]
    if not mirrors:
        raise MissingError(
            f"{user} needs packages of Debian's {suite}, but apt's sources name no mirror of Debian.",
            "Use Debian 12, or an image of it.",
        )
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.is_file() else ""
    sources = configuration.with_name("sources.list")
    sources.write_text(f"deb {signed}{mirrors[0]} {suite} main\n", encoding="utf-8")
    with configuration.open("a", encoding="utf-8") as file:
        file.write(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "-";\n')


def _download(packages: Sequence[str], architecture: str, configuration: Path, dependencies: bool) -> None:
    command = ["install", "--yes", "--download-only"] if dependencies else ["download"]
    run_child(
        ["apt-get", *command, "-qq", *packages],
        f"fetching {architecture} packages",
        env=_env(configuration),
        cwd=configuration.with_name("cache") / "archives",  # where `download` leaves them, as `install` does
    )


def _env(configuration: Path) -> dict[str, str]:
    return {"APT_CONFIG": str(configuration), "LC_ALL": "C.UTF-8"}


def relink(folder: Path) -> None:
    """Point links that start at the machine's root (Debian's JDK keeps its settings in /etc) into the folder."""
    for link in list(folder.rglob("*")):
        if link.is_symlink() and link.readlink().is_absolute():
            inside = folder / link.readlink().relative_to("/")
            link.unlink()
            link.symlink_to(os.path.relpath(inside, link.parent))


def strip(folder: Path, patterns: Sequence[str]) -> None:
    """Remove what matches one of some patterns below a folder."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
