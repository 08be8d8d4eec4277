"""The Android app's own Java, without its screens, on the emulated core: what ``android_demo/offdevice`` is for.

The app's engine, logic and core are compiled unchanged, with small stand-ins for Android's classes and with Paddle
Lite's Java API over the registered runtime, and run on an arm64 JVM.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ppedge.arm import java, lite, lite_jni
from ppedge.arm.guest import Guest
from ppedge.errors import MissingError, PpedgeError
from ppedge.process import run_child

MAIN = "dev.ppedge.demo.offdevice.Desk"
_APP = "app/src/main/java/dev/ppedge/demo"
_SOURCES = ("core/src/main/java", f"{_APP}/engine", f"{_APP}/logic", "offdevice/java")
_STUBS = ("ConfigBase", "PowerMode")  # of the stubs of Paddle Lite's classes, those that do nothing
_JNI = "offdevice/lite_jni.cc"
_PATIENCE = 3600.0  # seconds that one answer may take: a self-test of large pictures


def jdk() -> Path:
    """Return the folder of this machine's JDK: ``JAVA_HOME``, or that of ``javac`` on the PATH.

    Raises:
        MissingError: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("javac", path=f"{home}/bin" if home else None)
    if found is None:
        where = f"JAVA_HOME ({home})" if home else "the PATH"
        raise MissingError(
            f"The app's Java cannot be compiled: no javac is in {where}.",
            "Install a JDK of version 11 or later, such as Debian's openjdk-17-jdk-headless.",
        )
    return Path(found).resolve().parents[1]


def compile_app(app: Path, classes: Path) -> None:
    """Compile the app's Java, but for its screens.

    Args:
        app: The Android project's folder.
        classes: Where the classes go; made.

    Raises:
        MissingError: There is no JDK.
        PpedgeError: The folder is not the project, or something does not compile.
    """
    if not (app / _JNI).is_file():
        raise PpedgeError(
            f"{app}: not the Android project of this ppedge (no {_JNI} in it).", "Name the folder android_demo."
        )
    files = [path for folder in _SOURCES for path in sorted((app / folder).rglob("*.java"))]
    files += [app / f"stubs/com/baidu/paddle/lite/{name}.java" for name in _STUBS]
    flags: list[str | Path] = [
        "--release",
        "8",
        "-Xlint:-options",
        "-encoding",
        "UTF-8",
        "-sourcepath",
        "",
        "-d",
        classes,
    ]
    run_child([jdk() / "bin/javac", *flags, *files], f"compiling the Java of {app}")


def version_of(app: Path) -> str:
    """Return the app's version, as ``gradle.properties`` has it; empty if it has none."""
    try:
        text = (app / "gradle.properties").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PpedgeError(f"{app / 'gradle.properties'}: cannot be read ({error}).") from error
    found = re.search(r"^ppedge\.versionName=(.*)$", text, re.MULTILINE)
    return "" if found is None else found[1].strip()


class AppGuest:
    """The app, started: a process that ends when a native call ends it, and finds its storage again in a new one.

    It is a context manager.

    Args:
        app: The Android project's folder.
        classes: What `compile_app` made of it.
        assets: What an APK has as ``assets``: the bundle lies in its folder ``bundle``.
        storage: The phone's storage: ``files`` is the app's own folder, ``external`` that for reports.
        cpu: QEMU's name of a core.
        say: Told what is being done.

    Attributes:
        runtime: What is registered of Paddle Lite.

    Raises:
        PpedgeError: The JNI library cannot be compiled, or QEMU does not know the core.
        MissingError: No runtime is registered, there is no JDK, or the JVM or the compiler cannot be had.
    """

    def __init__(
        self,
        app: Path,
        classes: Path,
        assets: Path,
        storage: Path,
        cpu: str = "cortex-a53",
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.runtime = lite.registered()
        native = lite_jni.library(app / _JNI, jdk(), self.runtime, say)
        jvm = java.ensure(say)
        options = [f"-Djava.library.path={native}", f"-Dppedge.cpu={cpu}", f"-Dppedge.app={version_of(app)}"]
        self._guest = Guest(
            jvm.sandbox,
            jvm.program(classes, MAIN, [storage, assets], *options),
            cpu=cpu,
            environment=jvm.environment(native, self.runtime.folder),
            timeout=_PATIENCE,
        )

    def ask(self, what: str, **details: Any) -> dict[str, Any]:
        """Have the app do something and return what its screen would be told: see ``Desk.java``.

        Args:
            what: ``about``, ``read`` (with ``picture``), ``self_test`` or ``benchmark`` (with ``extras``, those of an
                intent), ``acknowledge``.
            details: What that needs.

        Returns:
            ``state`` (``DONE``, ``FAILED``), ``problem`` and ``detail`` of a failure, and the result.

        Raises:
            PpedgeError: The process died, as in a native call on a phone, or took too long.
        """
        return self._guest.ask({"do": what, **details}, f"The app's {what}")

    def memory(self) -> int:
        """Return the bytes that the process has written to and holds: the JVM's and its heap, and the networks'."""
        return self._guest.memory("measuring the app's memory")

    def close(self) -> None:
        """End the app. Further calls are harmless."""
        self._guest.close()

    def __enter__(self) -> AppGuest:
        """Return the app itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()
