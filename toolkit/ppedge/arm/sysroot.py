"""The sandbox: QEMU, an arm64 userland with Python, and the aarch64 wheels, in the user's cache folder.

    $XDG_CACHE_HOME/ppedge/arm64-<key>/
        host/     QEMU and the libraries it needs, whatever the machine has of its own
        guest/    the arm64 userland
        cores/    for each core, the userland with that core's /proc/cpuinfo (links into guest/)
        site/     NumPy and onnxruntime for aarch64
        sandbox.json

It is built without root in a temporary sibling, tried once, and renamed when it is whole. The key is a hash of
everything it is made from, so a newer ppedge never runs on an older sandbox by mistake.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ppedge.arm import apt
from ppedge.arm.cores import CORES
from ppedge.arm.sandbox import Sandbox
from ppedge.cache import Progress, built_once, cache_base, cache_root, install_wheels, say
from ppedge.errors import MissingError, PpedgeError
from ppedge.process import run_child
from ppedge.storage import write_json
from ppedge.trust import SUMS, damage, require_own, seal

LAYOUT = 1
LOCK = Path(__file__).with_name("arm64.lock")
QEMU_PACKAGES = ("qemu-user",)
GUEST_PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1", "zlib1g", "libc-bin")
WHEEL_PLATFORMS = (
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
)
# What a guest never opens: three quarters of what is unpacked.
_NEEDLESS = ("usr/share", "usr/sbin", "sbin", "var", "usr/lib/*/gconv", "usr/lib/*/perl-base")
_NEEDLESS_HOST = (*_NEEDLESS, "etc", "usr/bin/qemu-*")
_NEEDLESS_GUEST = (
    *_NEEDLESS,
    *(f"usr/lib/python3*/{part}" for part in ("ensurepip", "idlelib", "lib2to3", "pydoc_data")),
)
_NEEDLESS_SITE = (
    *(f"onnxruntime/{part}" for part in ("datasets", "quantization", "tools", "transformers")),
    *("numpy/f2py", "numpy/tests", "numpy/*/tests", "bin"),
)

_LOOKING = threading.Lock()


@functools.cache
def key() -> str:
    """Return the hash of everything the sandbox is made from, on this machine."""
    parts = {
        "layout": LAYOUT,
        "packages": [QEMU_PACKAGES, GUEST_PACKAGES],
        "needless": [_NEEDLESS_HOST, _NEEDLESS_GUEST, _NEEDLESS_SITE],
        "wheels": LOCK.read_text(encoding="utf-8"),
        "cores": {name: asdict(core) for name, core in CORES.items()},
        "machine": [platform.machine(), _distribution()],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _distribution() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    return f"{release.get('ID', '')} {release.get('VERSION_ID', '')}"


def ensure(progress: Progress | None = None, *, anew: bool = False) -> Sandbox:
    """Return the sandbox, building it first if it is not there (10 to 60 s, about 40 MB to fetch).

    Args:
        progress: Told what is being done, one sentence a step.
        anew: Build it, too, if it is there but damaged.

    Raises:
        UntrustedError: Another user may have written the sandbox, or may write to the cache folder.
        MissingError: The machine lacks a program, the network, or space, the cache folder cannot be written, or the
            sandbox is damaged.
    """
    name, failed = f"arm64-{key()}", "The ARM emulator could not be built in"
    sandbox = Sandbox(built_once("arm64", name, _build, failed, progress))
    found = _damage_once(sandbox)
    if found is not None and anew:
        (progress or say)(f"The ARM emulator is damaged ({found}): building it anew.")
        built_once("arm64", name, _build, failed, progress, anew=True)
        _damage.cache_clear()
    elif found is not None:
        told = f"The ARM emulator in {sandbox.folder} is damaged: {found}."
        raise MissingError(told, "Run `ppedge arm setup`, which builds it anew.")
    return sandbox


def status() -> dict[str, Any]:
    """Say what is there, building nothing.

    Returns:
        ``ready``, ``folder``; if ready, ``bytes`` and what `Sandbox.about` has; if it is damaged, ``damaged``: what is.

    Raises:
        UntrustedError: Another user may have written the sandbox, or may write to the cache folder.
    """
    sandbox = Sandbox(cache_root() / f"arm64-{key()}")
    require_own(sandbox.folder, cache_base())
    found: dict[str, Any] = {"ready": sandbox.folder.is_dir(), "folder": str(sandbox.folder)}
    if found["ready"] and (reason := _damage_once(sandbox)):
        return found | {"ready": False, "damaged": reason}
    if found["ready"]:
        size = sum(
            path.lstat().st_size for path in sandbox.folder.rglob("*") if path.is_file() and not path.is_symlink()
        )
        found |= {"bytes": size, **sandbox.about}
    return found


def _damage_once(sandbox: Sandbox) -> str | None:
    """Look for damage once in this process, though several threads open guests at the same time."""
    with _LOOKING:
        return _damage(sandbox)


@functools.cache
def _damage(sandbox: Sandbox) -> str | None:
    """Say what of a sandbox is not as it was built; None if all is. One that was not sealed is tried, then sealed."""
    if (sandbox.folder / SUMS).exists():
        return damage(sandbox.folder)
    try:
        _require_parts(sandbox)
        _try(sandbox.folder)
    except (PpedgeError, OSError) as error:
        return error.message.rstrip(".") if isinstance(error, PpedgeError) else str(error)
    with suppress(OSError):  # who may only read it has to try it each time
        seal(sandbox.folder)
    return None


def _require_parts(sandbox: Sandbox) -> None:
    """Look for what trying one core does not need.

    Raises:
        MissingError: It is not there, or not what it should be.
    """
    about = sandbox.about
    if not {"python", "wheels", "packages"} <= about.keys() or "qemu-user" not in about["packages"]:
        raise MissingError("sandbox.json is damaged")
    for name, core in CORES.items():
        file = sandbox.folder / "cores" / name / "proc/cpuinfo"
        if not file.is_file() or file.read_text(encoding="ascii", errors="replace") != core.cpuinfo():
            raise MissingError(f"cores/{name} is damaged")


def _build(work: Path, tell: Progress) -> None:
    architecture = apt.machine_architecture()
    tell("Fetching QEMU.")
    packages = apt.unpack(QEMU_PACKAGES, architecture, work / "host", work / "apt")
    qemu = work / "host/usr/bin/qemu-aarch64"
    qemu.rename(work / "qemu-aarch64")  # its siblings for other processors go
    apt.strip(work / "host", _NEEDLESS_HOST)
    (work / "qemu-aarch64").rename(qemu)
    tell("Fetching the arm64 userland.")
    packages |= apt.unpack(GUEST_PACKAGES, "arm64", work / "guest", work / "apt")
    apt.strip(work / "guest", _NEEDLESS_GUEST)
    _make_cores(work)
    # Debian's python3 is a link to the interpreter of its version.
    python = (work / "guest/usr/bin/python3").readlink().name.removeprefix("python")
    tell("Fetching NumPy and onnxruntime for aarch64.")
    install_wheels(LOCK, work / "site", python, WHEEL_PLATFORMS, "The ARM emulator")
    apt.strip(work / "site", _NEEDLESS_SITE)
    tell("Trying it.")
    wheels = _try(work)
    write_json(work / "sandbox.json", {"python": python, "wheels": wheels, "packages": packages})


def _make_cores(work: Path) -> None:
    """Lay out one root a core: QEMU takes a guest's absolute paths from it wherever they exist there."""
    for name, core in CORES.items():
        root = work / "cores" / name
        (root / "proc").mkdir(parents=True)
        (root / "proc/cpuinfo").write_text(core.cpuinfo(), encoding="ascii")
        # One processor, so that nothing depends on how many the host has.
        (root / "sys/devices/system/cpu").mkdir(parents=True)
        for file in ("online", "possible", "present"):
            (root / "sys/devices/system/cpu" / file).write_text("0\n", encoding="ascii")
        for entry in (work / "guest").iterdir():
            (root / entry.name).symlink_to(Path("../../guest") / entry.name)


def _try(work: Path) -> dict[str, str]:
    """Import the wheels under the emulator once: this proves the sandbox, and leaves their byte code behind."""
    from ppedge.arm.qemu import command, guest_python

    program = (
        "import json, numpy, onnxruntime; print(json.dumps({m.__name__: m.__version__ for m in (numpy, onnxruntime)}))"
    )
    sandbox = Sandbox(work)
    try:
        line = command(sandbox, "cortex-a53", [*guest_python(sandbox), "-c", program])
        text = run_child(["env", "-i", f"PYTHONPATH={sandbox.site}", *line], "trying the ARM emulator", timeout=300)
        return dict(json.loads(text.strip().splitlines()[-1]))
    except (PpedgeError, ValueError) as error:
        raise MissingError(
            f"The ARM emulator was built, but does not work: {error}", "Report this, with your system."
        ) from error
