"""A JNI library over the registered Paddle Lite, for Java on the sandbox's JVM: compiled on first use, and kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ppedge.arm import lite
from ppedge.arm.cross import cross_compiler
from ppedge.cache import Progress, built_once
from ppedge.errors import MissingError
from ppedge.process import run_child
from ppedge.scratch import scratch
from ppedge.storage import sha256
from ppedge.trust import damage

NAME = "ppedge_lite_jni"
_OPTIONS = ("-std=c++11", "-O2", "-shared", "-fPIC", "-Wl,--allow-shlib-undefined")


def library(source: Path, jdk: Path, runtime: lite.LiteRuntime, progress: Progress | None = None) -> Path:
    """Return the folder of ``libppedge_lite_jni.so``, compiling it unless it is there.

    Args:
        source: The C++ file.
        jdk: A JDK's folder: of its ``include`` come JNI's own headers, which are the same for every processor.
        runtime: What it is compiled against; its folder is to be searched for libraries, too.
        progress: Told what is being done.

    Raises:
        MissingError: The JDK or the runtime has no headers, a compiler cannot be had, or what was compiled is damaged.
        PpedgeError: It cannot be compiled.
    """
    headers = jdk / "include"
    if not (headers / "jni.h").is_file():
        raise MissingError(f"{jdk}: has no include/jni.h.", "Install a whole JDK, such as openjdk-17-jdk-headless.")
    if not runtime.include.is_dir():
        raise MissingError(
            "Paddle Lite's ARM runtime was registered without its headers, by an older ppedge.",
            "Register it again: `ppedge arm setup --lite DIR_OR_TARBALL`.",
        )

    def build(work: Path, tell: Progress) -> None:
        tell("Compiling Paddle Lite's JNI library.")
        with scratch("jni") as folder:
            _compile(source, headers, runtime, work, folder)

    parts = [sha256(source), runtime.sha256, *_OPTIONS]
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]
    folder = built_once(
        "lite-jni", f"lite-jni-{key}", build, "Paddle Lite's JNI library could not be kept in", progress
    )
    if (found := damage(folder)) is not None:
        raise MissingError(f"{folder} is damaged: {found}.", "Delete it: it is then built anew.")
    return folder


def _compile(source: Path, headers: Path, runtime: lite.LiteRuntime, work: Path, folder: Path) -> None:
    compiler, env = cross_compiler(folder)
    include = [f"-I{path.resolve()}" for path in (headers, headers / "linux", runtime.include)]
    link = [f"-L{runtime.folder}", f"-l:{runtime.library}"]
    run_child(
        [*compiler, *_OPTIONS, *include, source, "-o", work / f"lib{NAME}.so", *link],
        f"compiling {source.name} against {runtime.include}",
        cause="The runtime and its headers must be of one official release, for armv8 on Linux.",
        env=env,
    )
