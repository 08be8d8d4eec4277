"""Builds the Android app into a signed APK, without Gradle and without Google's SDK.

    python android_demo/build_apk.py    (make apk)

The tools come from ``tools/toolchain.py``. The steps: resources, classes, dex, package with alignment, signature,
checks. With ``app/src/main/assets/bundle``, ``app/libs/PaddlePredictor.jar`` and ``app/src/main/jniLibs`` (all from
``ppedge bundle --into android_demo``) the app reads text; without them it starts and says what is missing.

The same sources give the same package to the byte, up to the signature, whose key is made on this machine once.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tools import toolchain

from ppedge.cache import cache_root
from ppedge.errors import MissingError, PpedgeError

HERE = Path(__file__).resolve().parent
MAIN = HERE / "app/src/main"
LIBS = HERE / "app/libs"
APK = HERE / "build/ppedge-demo.apk"
DEBUG_KEY, PASSWORD = "android-debug.p12", "android"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file knows
ALIGNMENT, PAGE = 4, 16384  # bytes: of stored entries, of libraries that are mapped from the APK
_ALIGNMENT_FIELD = 0xD935  # Android's extra field of a zip entry: its alignment, then padding
_MODELS = ("assets/bundle/", "lib/")


@dataclass(frozen=True)
class Report:
    """What was built.

    Attributes:
        apk: The signed file.
        signature: What ``apksigner verify`` says.
        badging: What ``aapt2 dump badging`` says.
        alignment: What ``zipalign -c`` says.
        size: Bytes of the file.
        size_without_models: Bytes without the bundle and Paddle Lite's library.
    """

    apk: Path
    signature: str
    badging: str
    alignment: str
    size: int
    size_without_models: int


def build(apk: Path = APK, tell: toolchain.Progress = lambda text: None) -> Report:
    """Build, sign and check the app.

    Args:
        apk: Where it goes; replaced when all checks have passed, else left as it was.
        tell: Told what is being done.

    Raises:
        MissingError: The tools cannot be had.
        PpedgeError: A step failed; the sentence names it.
    """
    tools = toolchain.ensure(tell)
    apk.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".apk-", dir=apk.parent) as folder:
        work = Path(folder)
        tell("Linking resources.")
        resources = _resources(tools, work)
        tell("Compiling.")
        classes = _classes(tools, work)
        tell("Converting to dex.")
        dex = _dex(tools, work, classes)
        tell("Packing and signing.")
        unsigned, signed = work / "unsigned.apk", work / "signed.apk"
        _pack(resources, dex, unsigned)
        _sign(tools, unsigned, signed)
        tell("Checking.")
        report = _check(tools, signed, apk)
        signed.replace(apk)
    return report


def properties() -> dict[str, str]:
    """Return what Gradle's build and this one share: the keys of ``gradle.properties`` that begin with ``ppedge.``."""
    lines = (HERE / "gradle.properties").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line.startswith("ppedge."))
    return {key.removeprefix("ppedge."): value for key, _, value in pairs}


def _resources(tools: toolchain.Toolchain, work: Path) -> Path:
    """Compile and link resources, manifest and assets; R.java goes into ``work/gen``."""
    given = properties()
    # Gradle wants the application's id in its own file, aapt2 in the manifest.
    text = (MAIN / "AndroidManifest.xml").read_text(encoding="utf-8")
    manifest = work / "AndroidManifest.xml"
    text = text.replace("<manifest ", f'<manifest package="{given["applicationId"]}" ', 1)
    # As Gradle does by itself: libraries are mapped from the APK.
    text = text.replace("<application", '<application android:extractNativeLibs="false"', 1)
    manifest.write_text(text, encoding="utf-8")
    compiled, linked = work / "compiled.zip", work / "resources.apk"
    _run("compiling the resources", [tools.aapt2, "compile", "--dir", MAIN / "res", "-o", compiled])
    assets = ["-A", MAIN / "assets"] if (MAIN / "assets").is_dir() else []
    words = ["-o", linked, "-I", tools.framework_res, "--manifest", manifest, *assets, "--java", work / "gen"]
    levels = ["--min-sdk-version", given["minSdk"], "--target-sdk-version", given["targetSdk"]]
    version = ["--version-code", given["versionCode"], "--version-name", given["versionName"]]
    _run("linking the resources", [tools.aapt2, "link", *words, *levels, *version, compiled])
    return linked


def _classes(tools: toolchain.Toolchain, work: Path) -> Path:
    """Compile core and app against Android 6's classes (which guards minSdk) and Paddle Lite's, or stubs of them."""
    jars = sorted(LIBS.glob("*.jar"))
    against = os.pathsep.join(map(str, jars))
    if not jars:
        stubs = work / "stubs"
        _javac(tools, "compiling the stubs of Paddle Lite", stubs, "", [HERE / "stubs"])
        against = str(stubs)
    classes = work / "classes"
    sources = [HERE / "core/src/main/java", MAIN / "java", work / "gen"]
    _javac(tools, "compiling the app", classes, against, sources)
    return classes


def _javac(tools: toolchain.Toolchain, step: str, out: Path, against: str, folders: Iterable[Path]) -> None:
    sources = sorted(path for folder in folders for path in folder.rglob("*.java"))
    words = ["-source", "8", "-target", "8", "-bootclasspath", tools.android_jar, "-encoding", "UTF-8", "-g"]
    warnings = ["-Xlint:all,-options", "-Werror"]
    _run(step, [tools.javac, *words, *warnings, "-cp", against, "-d", out, *sources])


def _dex(tools: toolchain.Toolchain, work: Path, classes: Path) -> Path:
    dex = work / "classes.dex"
    words = ["--dex", f"--min-sdk-version={properties()['minSdk']}", f"--output={dex}"]
    dx = [tools.java, "-cp", tools.dx_jar, "com.android.dx.command.Main"]
    _run("converting the classes to dex", [*dx, *words, classes, *sorted(LIBS.glob("*.jar"))])
    return dex


def _pack(resources: Path, dex: Path, apk: Path) -> None:
    """Put everything into one zip file: sorted, dated alike, stored entries aligned."""
    entries: dict[str, bytes] = {"classes.dex": dex.read_bytes()}
    stored = set()
    with zipfile.ZipFile(resources) as linked:
        for entry in linked.infolist():
            entries[entry.filename] = linked.read(entry)
            if entry.compress_type == zipfile.ZIP_STORED:
                stored.add(entry.filename)
    for library in sorted((MAIN / "jniLibs").glob("*/*.so")):
        name = f"lib/{library.parent.name}/{library.name}"
        entries[name] = library.read_bytes()
        stored.add(name)
    with zipfile.ZipFile(apk, "w") as out:
        # The manifest comes first, as tools that read only an APK's beginning expect.
        for name in sorted(entries, key=lambda name: (name != "AndroidManifest.xml", name)):
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            if name in stored:
                at = out.start_dir + 30 + len(name.encode())  # 30 bytes of local header, then the name
                info.extra = _padding(at, PAGE if name.endswith(".so") else ALIGNMENT)
            out.writestr(info, entries[name])


def _padding(at: int, alignment: int) -> bytes:
    """Return the extra field after which data that would begin at ``at`` begin at a multiple of ``alignment``.

    apksigner reads the alignment in it and keeps it.
    """
    size = 2 + -(at + 6) % alignment
    head = _ALIGNMENT_FIELD.to_bytes(2, "little") + size.to_bytes(2, "little")
    return head + alignment.to_bytes(2, "little") + bytes(size - 2)


def _sign(tools: toolchain.Toolchain, unsigned: Path, signed: Path) -> None:
    secret = ["--ks", _key(tools), "--ks-type", "PKCS12", "--ks-pass", f"pass:{PASSWORD}"]
    words = ["--min-sdk-version", properties()["minSdk"], "--in", unsigned, "--out", signed]
    _run("signing the app", [*tools.apksigner, "sign", *secret, *words])


def _key(tools: toolchain.Toolchain) -> Path:
    """Return this machine's debug key, made at the first time: a phone updates an app only with one of the same key."""
    key = cache_root() / DEBUG_KEY
    if key.is_file():
        return key
    with tempfile.TemporaryDirectory(prefix=".key-", dir=key.parent) as folder:
        made = Path(folder) / DEBUG_KEY
        words = ["-genkeypair", "-storetype", "PKCS12", "-storepass", PASSWORD, "-keystore", made, "-alias", "debug"]
        about = ["-keyalg", "RSA", "-keysize", "2048", "-validity", "10950", "-dname", "CN=ppedge debug"]
        _run("making the debug key", [tools.keytool, *words, *about])
        try:
            os.link(made, key)  # whoever is first wins: nobody replaces a key that is in use
        except FileExistsError:
            pass
        except OSError as error:
            raise MissingError(f"{key} cannot be written: {error.strerror}.", "Set XDG_CACHE_HOME.") from error
    return key


def _check(tools: toolchain.Toolchain, signed: Path, apk: Path) -> Report:
    """Have the three tools look at the result, and what they do not know looked at here."""
    words = ["verify", "--verbose", "--min-sdk-version", properties()["minSdk"]]
    signature = _run("verifying the signature", [*tools.apksigner, *words, signed])
    badging = _run("reading the app's manifest", [tools.aapt2, "dump", "badging", signed])
    aligned = [tools.zipalign, "-c", "-v", str(ALIGNMENT), signed]
    alignment = _run("checking the alignment", aligned, {"LD_LIBRARY_PATH": tools.library_path})
    with zipfile.ZipFile(signed) as packed, signed.open("rb") as raw:
        for entry in packed.infolist():
            if entry.filename.endswith(".so") and _data_offset(raw, entry) % PAGE:
                raise PpedgeError(f"checking the alignment: {entry.filename} does not begin on a page of 16 KB.")
        models = sum(entry.compress_size for entry in packed.infolist() if entry.filename.startswith(_MODELS))
    size = signed.stat().st_size
    return Report(apk, signature.strip(), badging.strip(), alignment.strip().splitlines()[-1], size, size - models)


def _data_offset(raw: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Return where an entry's data begin: the local header's own lengths count, not the directory's."""
    raw.seek(entry.header_offset)
    head = raw.read(30)
    return entry.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")


def _run(step: str, command: list[object], env: dict[str, str] | None = None) -> str:
    """Run a tool and return what it said; its first error becomes the sentence, for the later ones follow from it."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        check=False,
    )
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        told = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it said nothing")
        raise PpedgeError(f"{step} failed: {told}", "The sources or the tools are not as they were.")
    return text


def main() -> int:
    """Build the app and print the reports."""
    parser = argparse.ArgumentParser(description="Build the Android app.")
    parser.add_argument("--out", type=Path, default=APK, help="where the APK goes")
    apk = parser.parse_args().out
    try:
        report = build(apk, lambda text: print(text, file=sys.stderr))
    except PpedgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    digest = hashlib.sha256(report.apk.read_bytes()).hexdigest()
    print(f"{report.badging}\n\n{report.signature}\n\nzipalign: {report.alignment}")
    print(f"{report.apk}: {report.size:,} bytes, {report.size_without_models:,} without models; sha256 {digest}")
    if not (MAIN / "assets/bundle/manifest.json").is_file():
        print("No models are in it: ppedge bundle DET_RUN REC_RUN --into android_demo --lite-android DIR")
    elif not list(LIBS.glob("*.jar")) or not list((MAIN / "jniLibs").glob("*/*.so")):
        print("Paddle Lite is not in it: ppedge bundle ... --into android_demo --lite-android DIR")
    return 0


if __name__ == "__main__":
    sys.exit(main())
