"""Filling the Android app: a bundle into its assets, Paddle Lite's Java API and library into its build.

The official Android releases unpack to ``java/jar/PaddlePredictor.jar`` and ``java/so/libpaddle_lite_jni.so``; builds
of one's own also come as ``java/libs/ABI/libpaddle_lite_jni.so``.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppedge.bundle.elf import Elf, read_elf
from ppedge.bundle.folder import whole_folder
from ppedge.bundle.jni import read_jar, require_members, require_natives
from ppedge.bundle.manifest import is_bundle, read_manifest
from ppedge.bundle.verify import all_models, verify_bundle
from ppedge.errors import PpedgeError
from ppedge.storage import atomic_write, read_json, sha256, write_json

ABI = "arm64-v8a"
ASSETS = Path("app/src/main/assets/bundle")
JAR = Path("app/libs/PaddlePredictor.jar")
LIBRARIES = Path(f"app/src/main/jniLibs/{ABI}")
LIBRARY = LIBRARIES / "libpaddle_lite_jni.so"
RECORD = Path("app/libs/lite.json")
LARGE_PAGE = 16384
"""Bytes: phones with pages of this size cannot load a library whose segments are aligned to less."""

# What every Android lets apps load, by its NDK's list of stable libraries; libc++_shared is not among them.
_SYSTEM = {
    f"lib{name}.so"
    for name in (
        *("c", "m", "dl", "log", "z", "stdc++", "android", "jnigraphics", "nativewindow", "neuralnetworks"),
        *(
            "EGL",
            "GLESv1_CM",
            "GLESv2",
            "GLESv3",
            "vulkan",
            "OpenSLES",
            "OpenMAXAL",
            "aaudio",
            "mediandk",
            "camera2ndk",
        ),
    )
}
_PREDICTOR = "com/baidu/paddle/lite/PaddlePredictor"
_RELEASE = "Unpack inference_lite_lib.android.armv8... of Paddle Lite, a build with Java, and name its folder."


@dataclass(frozen=True)
class LiteFiles:
    """What an app needs of a release of Paddle Lite.

    Attributes:
        jar: The Java API.
        libraries: What it loads, and what that needs of the release.
        alignment: Of the libraries' segments, the smallest, in bytes.
    """

    jar: Path
    libraries: tuple[Path, ...]
    alignment: int


def require_app(app: Path) -> None:
    """Check that a folder is the Android project.

    Raises:
        PpedgeError: It is not.
    """
    if not (app / "app").is_dir():
        raise PpedgeError(f"{app}: not the Android project (no folder app in it).", "Name the folder android_demo.")


def install_bundle(bundle: Path, app: Path) -> Path:
    """Copy a bundle, checked first, into the app's assets, replacing the one that is there as a whole.

    Returns:
        The folder in the app.

    Raises:
        PpedgeError: The bundle is damaged, or something that is no bundle lies in its place in the app.
    """
    problems = verify_bundle(bundle)
    if problems:
        raise PpedgeError(f"{problems[0]}.", f"Build the bundle again; {len(problems)} problems in all.")
    assets = app / ASSETS
    with whole_folder(assets, replace=is_bundle) as folder:
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
    return assets


def of_no_use(bundle: Path) -> dict[str, int]:
    """Return how large a whole bundle is, and how much of it is for PCs alone.

    Returns:
        ``assets_bytes``: of all files; ``onnx_bytes``: of the ONNX twins. The app never opens them, and has them
        all the same, since it checks that a bundle is whole.
    """
    files = [path for path in bundle.rglob("*") if path.is_file()]
    twins = [model["onnx"] for model in all_models(read_manifest(bundle)) if model["onnx"]]
    return {
        "assets_bytes": sum(path.stat().st_size for path in files),
        "onnx_bytes": sum(entry["bytes"] for entry in twins),
    }


def find_release(release: Path, allow_4k_pages: bool = False) -> LiteFiles:
    """Return the files of an unpacked Android release of Paddle Lite, looked through.

    Args:
        release: The folder, or the one that holds it.
        allow_4k_pages: Take a library that phones with 16 KB pages cannot load.

    Raises:
        PpedgeError: Files are missing, a library is not for arm64, its segments are aligned to less than 16 KB, or the
            app, the Java API and the library do not belong together.
    """
    base, jar, library = _find(release)
    classes = read_jar(jar)
    if _PREDICTOR not in classes:
        raise PpedgeError(f"{jar}: not Paddle Lite's Java API (no {_PREDICTOR} in it).", _RELEASE)
    found, libraries = _checked(library, allow_4k_pages), [library]
    require_members(jar, classes)
    require_natives(jar, classes, library, found.natives)
    alignment = min(found.alignments)
    for name in found.needed:
        if name not in _SYSTEM:
            libraries.append(_companion(base, library, name))
            alignment = min(alignment, *_checked(libraries[-1], allow_4k_pages).alignments)
    return LiteFiles(jar, tuple(libraries), alignment)


def _checked(library: Path, allow_4k_pages: bool) -> Elf:
    """Return what a library says of itself if an arm64 phone can load it."""
    elf = read_elf(library)
    if (elf.bits, elf.machine, elf.shared) != (64, "arm64", True):
        what = f"{elf.machine}, {elf.bits} bits" + ("" if elf.shared else ", not a shared library")
        raise PpedgeError(f"{library}: is for {what}; the app is for {ABI}.", "Take the release for armv8.")
    alignment = min(elf.alignments, default=0)
    if alignment < LARGE_PAGE and not allow_4k_pages:
        raise PpedgeError(
            f"{library}: its segments are aligned to {alignment} bytes: phones with 16 KB pages (Android 15 on) cannot "
            "load it.",
            "Build Paddle Lite with the linker option -Wl,-z,max-page-size=16384, or insist with --allow-4k-pages.",
        )
    return elf


def _companion(base: Path, library: Path, name: str) -> Path:
    """Return the library of the release that another one needs: beside it, or with the C++ interface."""
    for path in (library.with_name(name), base / "cxx/lib" / name):
        if path.is_file():
            return path
    raise PpedgeError(
        f"{library}: needs {name}, which is neither beside it nor on every phone: the app could not load it.",
        f"Put {name} of the NDK that built the release beside it, or take a build with c++_static.",
    )


def _find(release: Path) -> tuple[Path, Path, Path]:
    for base in (release, *sorted(release.glob("inference_lite_lib*"))):
        jar = base / "java/jar/PaddlePredictor.jar"
        places = [base / "java/so", base / "java/libs" / ABI, base / "java/so" / ABI, base / "java/libs"]
        libraries = [path for place in places if (path := place / LIBRARY.name).is_file()]
        if jar.is_file() and libraries:
            return base, jar, libraries[0]
    raise PpedgeError(f"{release}: no java/jar/{JAR.name} with java/so/{LIBRARY.name} in it.", _RELEASE)


def install_lite(files: LiteFiles, app: Path) -> dict[str, Any]:
    """Copy Paddle Lite's Java API and libraries into the app, each whole, and record what they are.

    What an earlier call put there and this one does not is removed.

    Returns:
        The record, which is also written to ``app/libs/lite.json``: ``abi``, ``page_alignment``, ``files`` (``file``
        relative to the app's project, ``bytes``, ``sha256``).
    """
    entries = []
    targets = [(files.jar, JAR), *((library, LIBRARIES / library.name) for library in files.libraries)]
    for source, target in targets:
        path = app / target
        with source.open("rb") as given, atomic_write(path) as file:
            shutil.copyfileobj(given, file)
        entries.append({"file": str(target), "bytes": path.stat().st_size, "sha256": sha256(path)})
    for name in _recorded(app) - {str(target) for _, target in targets}:
        (app / name).unlink(missing_ok=True)
    record = {"schema": 1, "abi": ABI, "page_alignment": files.alignment, "files": entries}
    write_json(app / RECORD, record)
    return record


def _recorded(app: Path) -> set[str]:
    """Return the libraries that an earlier `install_lite` put into the app; none if its record is not to be read."""
    try:
        files = {str(entry["file"]) for entry in read_json(app / RECORD)["files"]}
    except (PpedgeError, KeyError, TypeError):
        return set()
    return {name for name in files if Path(name).parent == LIBRARIES}
