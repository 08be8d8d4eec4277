"""Paddle Lite's own ARM runtime: registering an official release, once, for use under the emulator.

The release is on no package registry; a user unpacks it (``inference_lite_lib.armlinux.armv8...``) and names the
folder. The runner is compiled against the headers of that release, tried on a model whose answer is known, and kept
with the library in the cache folder.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import shutil
import tarfile
import zlib
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from typing_extensions import Self

from ppedge.arm import sysroot
from ppedge.arm.cross import cross_compiler
from ppedge.arm.guest import Guest
from ppedge.arm.sandbox import Sandbox
from ppedge.cache import Progress, cache_base, cache_root, locked
from ppedge.errors import MissingError, PpedgeError, cut
from ppedge.process import run_child
from ppedge.scratch import scratch, sweep, temporary
from ppedge.storage import read_state, sha256, swap_in, write_json
from ppedge.trust import SUMS, damage, require_own, seal

RUNNER_SOURCE = Path(__file__).with_name("lite_runner.cc")
SELFTEST = Path(__file__).with_name("selftest.nb")
RUNNER = "lite_runner"
INCLUDE = "include"
_TOLERANCE = 1e-4
_MAX_RELEASE, _MAX_MEMBERS = 4 << 30, 100_000  # bytes and files; the largest releases have some 500 MB
_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE)  # fmt: skip
_MAX_HEADER = 1 << 20  # bytes
_ARCHIVE = "Name a tar archive, or unpack it."
_HINT = "Run `ppedge arm setup --lite DIR_OR_TARBALL` with a release of Paddle Lite for armlinux armv8."


@dataclass(frozen=True)
class LiteRuntime:
    """A registered runtime.

    Attributes:
        folder: Where the library and the runner lie.
        library: The library's file name.
        version: What the runtime says of itself.
        sha256: Of the library.
        runner_source: sha256 of the runner's source when it was compiled.
    """

    folder: Path
    library: str
    version: str
    sha256: str
    runner_source: str

    @property
    def release(self) -> tuple[int, int] | None:
        """Major and minor number of the release; None for a build that names only its commit."""
        return release_of(self.version)

    @property
    def runner(self) -> Path:
        """The compiled runner."""
        return self.folder / RUNNER

    @property
    def include(self) -> Path:
        """The release's headers; a runtime that an older ppedge registered has none."""
        return self.folder / INCLUDE


def release_of(version: str) -> tuple[int, int] | None:
    """Return the numbers in ``v2.13-rc`` or ``paddlelite v2.12``; None where there are none, as in ``044ba5b``."""
    found = re.search(r"\bv?(\d{1,3})\.(\d{1,3})", version)
    return None if found is None else (int(found[1]), int(found[2]))


def require_not_older(runtime: LiteRuntime, opt_version: str | None, model: Path, *, allow_older: bool = False) -> None:
    """Refuse a runtime that is older than the opt that wrote a model: it may open it and give wrong outputs silently.

    A runtime or a file without a number is not refused: nothing is known of which is older, see `age_unknown`.

    Args:
        runtime: The runtime.
        opt_version: What the model's file says, as ``v2.13-rc``; None if it says nothing.
        model: The file, for the error.
        allow_older: Let it pass all the same.

    Raises:
        PpedgeError: It is older.
    """
    written = None if opt_version is None else release_of(opt_version)
    if allow_older or written is None or runtime.release is None or runtime.release >= written:
        return
    raise PpedgeError(
        f"{model}: written by Paddle Lite's opt {opt_version}, but the registered runtime is older "
        f"({runtime.version}): such a runtime may open the file and give wrong outputs without an error.",
        "Register a newer release with `ppedge arm setup --lite DIR`, or insist with --allow-older-runtime.",
    )


def age_unknown(runtime: LiteRuntime) -> str | None:
    """Return one sentence on what is known of a runtime that names no release; None for one that does."""
    if runtime.release is not None:
        return None
    return (
        f"Paddle Lite's runtime names no release ({runtime.version}), so whether it is older than the opt that wrote a "
        "model is not known; known is that it gave the right answer on the self-test, a small float file of opt "
        f"{_selftest_opt()}."
    )


def _selftest_opt() -> str:
    return SELFTEST.read_bytes()[2:18].split(b"\0")[0].decode("ascii")


def registered() -> LiteRuntime:
    """Return the registered runtime.

    Raises:
        UntrustedError: Another user may have written it, or may write to the cache folder.
        MissingError: None is registered, it was registered by another ppedge whose runner speaks differently, or it is
            damaged.
    """
    record = cache_root() / "lite.json"
    if not record.is_file():
        raise MissingError("Paddle Lite's ARM runtime is not registered.", _HINT)
    try:
        runtime: LiteRuntime = read_state(record, LiteRuntime, "a record of Paddle Lite's runtime", _HINT)
    except PpedgeError as error:
        raise MissingError(error.message, _HINT) from error
    require_own(runtime.folder, cache_base())
    if not (runtime.folder / SUMS).is_file() or runtime.runner_source != sha256(RUNNER_SOURCE):
        raise MissingError("The registered runtime of Paddle Lite belongs to another version of ppedge.", _HINT)
    if (found := damage(runtime.folder)) is not None:
        raise MissingError(f"Paddle Lite's ARM runtime in {runtime.folder} is damaged: {found}.", _HINT)
    return runtime


def register(release: Path, progress: Progress | None = None) -> LiteRuntime:
    """Compile the runner against a release of Paddle Lite, try it, and keep both.

    Args:
        release: An official release: its archive (tar, gzip or another compression), or the folder that it unpacks to:
            ``cxx/include/paddle_api.h``, ``cxx/lib/libpaddle_light_api_shared.so``.
        progress: Told what is being done, one sentence a step.

    Raises:
        PpedgeError: The folder or archive is no such release, or its runtime gives a wrong answer; the runtime
            registered before stays.
        MissingError: The sandbox or a compiler cannot be had.
    """
    if release.is_file():
        with scratch("lite") as folder:
            return _register(*_find(_unpack(release, folder), release), progress)
    return _register(*_find(release, release), progress)


def _register(include: Path, library: Path, progress: Progress | None) -> LiteRuntime:
    tell = progress or (lambda _: None)
    sandbox = sysroot.ensure(progress)
    root = cache_root()
    made_from = [library, RUNNER_SOURCE, *sorted(include.glob("*.h"))]
    digest = hashlib.sha256("".join(sha256(path) for path in made_from).encode()).hexdigest()[:12]
    try:
        with locked(root / "lite.lock", tell):
            sweep(root, ".lite-*")
            with temporary(root, ".lite-") as work:
                return _keep(include, library, sandbox, work, root / f"lite-{digest}", tell)
    except OSError as error:
        raise MissingError(
            f"Paddle Lite's runtime could not be kept in {root}: {error.strerror or error}.", "Make room there."
        ) from error


def _keep(include: Path, library: Path, sandbox: Sandbox, work: Path, folder: Path, tell: Progress) -> LiteRuntime:
    """Make the runner in a working folder, try it, and put it and the library into ``folder``."""
    made = work / "runtime"
    made.mkdir(mode=0o755)
    shutil.copyfile(library, made / library.name)
    (made / INCLUDE).mkdir()
    for header in sorted(include.glob("*.h")):
        shutil.copyfile(header, made / INCLUDE / header.name)
    tell("Compiling the runner against the release's headers.")
    _compile(include, made, library.name, work)
    tell("Trying it on a model whose answer is known.")
    version = _self_test(sandbox, made / RUNNER)
    runtime = LiteRuntime(folder, library.name, version, sha256(library), sha256(RUNNER_SOURCE))
    seal(made)
    swap_in(made, folder, folder.with_name(f".{folder.name}.old"))
    write_json(cache_root() / "lite.json", {**asdict(runtime), "folder": str(folder)})
    return runtime


class _Member(tarfile.TarInfo):
    """A member whose extended header, which tarfile reads into memory at once, is of a sensible size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.type in _HEADERS and member.size > _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        return member


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack a release; nothing outside ``folder`` is written, and no more than a release may hold.

    Raises:
        PpedgeError: It is no tar archive, damaged, or holds what no release does.
        MissingError: It cannot be written.
    """
    try:
        with tarfile.open(archive, tarinfo=_Member) as tar:
            left = _MAX_RELEASE
            for count, member in enumerate(tar):
                left -= member.size
                if left < 0 or count >= _MAX_MEMBERS:
                    raise tarfile.ReadError(f"more than {_MAX_MEMBERS} files or {_MAX_RELEASE >> 30} GB")
                tar.extract(member, folder, filter="data")
    except RecursionError as error:
        raise PpedgeError(f"{archive}: cannot be unpacked (headers without end).", _ARCHIVE) from error
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, LookupError) as error:
        # Of what is no archive, tarfile tells in five lines what it tried.
        reason = "not a tar archive" if "\n" in str(error) else f"cannot be unpacked ({cut(str(error))})"
        raise PpedgeError(f"{archive}: {reason}.", _ARCHIVE) from error
    except OSError as error:
        raise MissingError(
            f"{archive}: cannot be unpacked ({error.strerror or error}).", f"Is there room in {folder.parent}?"
        ) from error
    return folder


def _find(place: Path, release: Path) -> tuple[Path, Path]:
    """Return the folder of headers and the library of a release, which lies unpacked in ``place``."""
    for base in (place, *sorted(folder for folder in place.glob("*") if folder.is_dir())):
        libraries = sorted((base / "cxx/lib").glob("libpaddle_light_api*.so"))
        if libraries and (base / "cxx/include/paddle_api.h").is_file():
            return base / "cxx/include", libraries[0]
    raise PpedgeError(
        f"{release}: not a release of Paddle Lite (cxx/include/paddle_api.h, cxx/lib/libpaddle_light_api_shared.so).",
        "Name inference_lite_lib.armlinux.armv8..., unpacked or as it came.",
    )


def _compile(include: Path, work: Path, library: str, scratch: Path) -> None:
    compiler, env = cross_compiler(scratch)
    # By name and $ORIGIN, not by path: the runner finds the library beside itself, wherever both are moved to.
    link = [f"-L{work}", f"-l:{library}", "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined"]
    source = ["-std=c++11", "-O2", f"-I{include.resolve()}", str(RUNNER_SOURCE)]
    run_child(
        [*compiler, *source, "-o", work / RUNNER, *link],
        f"compiling {RUNNER_SOURCE.name} against {include}",
        cause="The headers and the library must be of one official release, for armv8 on Linux.",
        env=env,
    )


def _self_test(sandbox: Sandbox, runner: Path) -> str:
    """Run the model that ships with ppedge; return the runtime's version."""
    image, expected = selftest_case()
    with closing(Guest(sandbox, [runner], cpu="cortex-a53", timeout=60.0)) as guest:
        about = guest.open_model(SELFTEST)
        (output,) = guest.run([image], "Paddle Lite's self-test")
    difference = float(np.abs(output - expected).max()) if output.shape == expected.shape else float("inf")
    if not difference < _TOLERANCE:
        raise PpedgeError(
            f"{about['runtime']}: gives a wrong answer on a model whose answer is known (off by {difference:.3g}).",
            "It may be older than the models ppedge writes: take the release 2.13 or a newer one.",
        )
    return str(about["runtime"])


def selftest_weights() -> tuple[np.ndarray, np.ndarray]:
    """Return the weights (3, 2, 3, 3) and biases (3,) of the self-test model, float32."""
    return np.cos(np.arange(54.0)).reshape(3, 2, 3, 3).astype(np.float32), np.array([0.5, 0.0, -0.5], np.float32)


def selftest_case() -> tuple[np.ndarray, np.ndarray]:
    """Return an input (1, 2, 8, 8) and what the self-test model makes of it: a padded 3x3 convolution, then ReLU."""
    image = np.sin(np.arange(128.0)).reshape(1, 2, 8, 8).astype(np.float32)
    weights, biases = selftest_weights()
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    response = np.zeros((1, 3, 8, 8)) + biases[:, None, None]
    for i, j in np.ndindex(3, 3):
        response += np.einsum("nchw,oc->nohw", padded[:, :, i : i + 8, j : j + 8], weights[:, :, i, j])
    return image, np.maximum(response, 0.0).astype(np.float32)
