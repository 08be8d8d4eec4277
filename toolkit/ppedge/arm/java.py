"""A JVM in the sandbox, on request: Debian's OpenJDK 17 for arm64, which runs the Android app's Java without a phone.

    $XDG_CACHE_HOME/ppedge/java-arm64-<key>/
        usr/lib/jvm/...               the JVM
        usr/lib/aarch64-linux-gnu/    the libraries that it needs beside those of the sandbox's userland
        java.json                     the packages' versions

It is built, sealed and checked as the sandbox is (see `ppedge.arm.sysroot`), and runs on the sandbox's own C library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppedge.arm import apt, sysroot
from ppedge.arm.qemu import GUEST_ENVIRONMENT, command
from ppedge.arm.sandbox import Sandbox
from ppedge.cache import Progress, built_once, cache_base, cache_root, say
from ppedge.errors import MissingError, PpedgeError
from ppedge.process import run_child
from ppedge.storage import read_json, write_json
from ppedge.trust import damage, require_own

LAYOUT = 1
PACKAGES = ("openjdk-17-jre-headless",)
# 1 GB is more than the app may have on a phone. Compiled quickly rather than well: QEMU translates it once more, and
# most of the time goes into the networks.
OPTIONS = ("-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+DisplayVMOutputToStderr",
           "-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=/dev/null", "-Djava.awt.headless=true")  # fmt: skip
_NEEDLESS = ("usr/share", "usr/bin", "usr/sbin", "bin", "sbin", "var", "usr/lib/*/gconv", "usr/lib/*/perl-base",
             "usr/lib/jvm/*/man", "usr/lib/jvm/*/lib/ct.sym")  # fmt: skip
_USER = "The ARM emulator"
_FAILED = "The ARM emulator's JVM could not be built in"


@dataclass(frozen=True)
class Java:
    """A JVM for arm64.

    Attributes:
        folder: Where it lies.
        sandbox: What it runs in.
    """

    folder: Path
    sandbox: Sandbox

    def program(self, classpath: Path, main: str, arguments: Sequence[str | Path], *options: str) -> list[str | Path]:
        """Return a guest's command line that runs a class.

        Args:
            classpath: The folder of the classes.
            main: The class.
            arguments: Its arguments.
            options: Further options of the JVM.
        """
        launcher = next((self.folder / "usr/lib/jvm").glob("java-17-openjdk-*/bin/java"))
        return [launcher, *OPTIONS, *options, "-cp", classpath, main, *arguments]

    def environment(self, *libraries: Path) -> dict[str, str]:
        """Return what the guest needs in its environment to find the JVM's libraries, and those of further folders."""
        folders = [*libraries, *(self.folder / name / "aarch64-linux-gnu" for name in ("usr/lib", "lib"))]
        return {"LD_LIBRARY_PATH": ":".join(map(str, folders))}


def key() -> str:
    """Return the hash of everything the JVM is made from, on this machine; the sandbox is part of it."""
    parts = [LAYOUT, PACKAGES, _NEEDLESS, sysroot.key()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def ensure(progress: Progress | None = None, *, anew: bool = False) -> Java:
    """Return the JVM, and the sandbox, building what is not there (about 70 MB to fetch, 150 MB are kept).

    Args:
        progress: Told what is being done, one sentence a step.
        anew: Build it, too, if it is there but damaged.

    Raises:
        UntrustedError: Another user may have written it, or may write to the cache folder.
        MissingError: The machine lacks a program, the network, or space, the cache folder cannot be written, or the JVM
            or the sandbox is damaged.
    """
    sandbox = sysroot.ensure(progress, anew=anew)

    def build(work: Path, tell: Progress) -> None:
        _build(work, sandbox, tell)

    name = f"java-arm64-{key()}"
    folder = built_once("java-arm64", name, build, _FAILED, progress)
    found = damage(folder)
    if found is not None and anew:
        (progress or say)(f"The ARM emulator's JVM is damaged ({found}): building it anew.")
        built_once("java-arm64", name, build, _FAILED, progress, anew=True)
    elif found is not None:
        told = f"The ARM emulator's JVM in {folder} is damaged: {found}."
        raise MissingError(told, "Run `ppedge arm setup --java`, which builds it anew.")
    return Java(folder, sandbox)


def status() -> dict[str, Any] | None:
    """Return what `java.json` says of the JVM, building nothing; None if it is not there or damaged.

    Raises:
        UntrustedError: Another user may have written it, or may write to the cache folder.
    """
    folder = cache_root() / f"java-arm64-{key()}"
    require_own(folder, cache_base())
    if not folder.is_dir() or damage(folder) is not None:
        return None
    return {"folder": str(folder), **dict(read_json(folder / "java.json"))}


def _build(work: Path, sandbox: Sandbox, tell: Progress) -> None:
    tell("Fetching the JVM for arm64.")
    packages = apt.unpack(PACKAGES, "arm64", work, work / "apt", user=_USER)
    apt.strip(work, _NEEDLESS)
    apt.relink(work)
    # One C library, the loader's own, whatever was newer when this was fetched.
    for path in [path for path in work.rglob("*") if not path.is_dir() or path.is_symlink()]:
        if (sandbox.guest / path.relative_to(work)).exists():
            path.unlink()
    for folder in sorted((path for path in work.rglob("*") if path.is_dir() and not path.is_symlink()), reverse=True):
        with suppress(OSError):  # it is not empty
            folder.rmdir()
    tell("Trying it.")
    java = Java(work, sandbox)
    line = command(sandbox, "cortex-a53", [*java.program(work, "", [])[:-3], "-version"])
    environment = [f"{name}={value}" for name, value in {**GUEST_ENVIRONMENT, **java.environment()}.items()]
    try:
        said = run_child(["env", "-i", *environment, *line], "trying the JVM", timeout=300)
    except PpedgeError as error:
        raise MissingError(
            f"{_USER}'s JVM was built, but does not work: {error}", "Report this, with your system."
        ) from error
    write_json(work / "java.json", {"version": said.splitlines()[0], "packages": packages})
