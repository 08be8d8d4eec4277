"""The offline build of the app: what comes out with and without models and Paddle Lite, and how it fails."""

import re
import shutil
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from junit import CLASSES, bundle_for, run_junit

from ppedge.process import run_child

PROJECT = Path(__file__).resolve().parents[2]
DEMO = PROJECT / "android_demo"
sys.path.insert(0, str(DEMO))
MADE = ("build", "assets", "libs", "jniLibs", "__pycache__", ".gradle")
SCREEN = "app/src/main/java/dev/ppedge/demo/Screen.java"
STAND_IN = b"a compile stub of Paddle Lite was called"  # a text in the classes that stand for Paddle Lite's
SMALL = 250_000  # bytes of an app without models; it has near 141,000
LIBRARY = "lib/arm64-v8a/libpaddle_lite_jni.so"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tools():
    from tools import toolchain

    return toolchain.ensure()


@dataclass
class Build:
    """A copy of the sources, without whatever a developer's bundle has put there, and its build."""

    folder: Path

    def __post_init__(self):
        shutil.copytree(DEMO, self.folder, ignore=shutil.ignore_patterns(*MADE))

    @property
    def apk(self):
        return self.folder / "build/ppedge-demo.apk"

    def run(self, code=0):
        done = subprocess.run(
            [sys.executable, self.folder / "build_apk.py"], capture_output=True, text=True, check=False, timeout=500
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def names(self):
        with zipfile.ZipFile(self.apk) as packed:
            return packed.namelist()


@pytest.fixture(scope="module")
def plain(tools, tmp_path_factory):
    """The app as a clean clone gives it, and what the build says."""
    build = Build(tmp_path_factory.mktemp("plain") / "android_demo")
    build.said = build.run()
    return build


@pytest.fixture(scope="module")
def full(tools, tmp_path_factory):
    """The app with a bundle, with classes that stand for Paddle Lite's and with a library of nothing."""
    build = Build(tmp_path_factory.mktemp("full") / "android_demo")
    run_child(
        [sys.executable, PROJECT / "tests/bundle/sample.py", build.folder / "app/src/main/assets/bundle"], "a bundle"
    )
    classes = build.folder / "made"
    sources = sorted((DEMO / "stubs").rglob("*.java"))
    run_child(
        [tools.javac, "-source", "8", "-target", "8", "-d", classes, *sources], "compiling Paddle Lite's stand-in"
    )
    jar = build.folder / "app/libs/PaddlePredictor.jar"
    jar.parent.mkdir()
    run_child([tools.jar, "cf", jar, "-C", classes, "com"], "making a jar")
    library = build.folder / "app/src/main/jniLibs/arm64-v8a/libpaddle_lite_jni.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"\x7fELF" + bytes(range(256)) * 50)
    build.said = build.run()
    return build


def dex(build):
    with zipfile.ZipFile(build.apk) as packed:
        return packed.read("classes.dex")


@pytest.fixture(scope="module")
def dexed(tools, plain, tmp_path_factory):
    """The classes of the APK, turned back."""
    jar = tmp_path_factory.mktemp("dexed") / "classes.jar"
    run_child([*tools.enjarify, plain.apk, "-o", jar], "turning the dex back")
    return jar


def test_what_the_app_says_of_itself(plain):
    assert re.search(r"^package: name='dev\.ppedge\.demo' versionCode='1' versionName='0\.1\.0'", plain.said, re.M)
    assert "sdkVersion:'24'" in plain.said
    assert "targetSdkVersion:'35'" in plain.said
    assert "launchable-activity: name='dev.ppedge.demo.MainActivity'" in plain.said
    assert "uses-permission" not in plain.said
    assert "native-code" not in plain.said
    assert "locales: '--_--' 'zh'" in plain.said


def test_adb_alone_may_start_runs(plain, tools):
    words = ["dump", "xmltree", "--file", "AndroidManifest.xml", plain.apk]
    told = run_child([tools.aapt2, *words], "reading the manifest")
    activities = re.split("E: activity", told)[1:]
    exported = [text for text in activities if "exported(0x01010010)=true" in text and "LAUNCHER" not in text]
    guarded = [text for text in activities if 'permission(0x01010006)="android.permission.DUMP"' in text]
    assert exported == guarded and len(guarded) == 2


def test_it_is_signed_aligned_and_small(plain):
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in plain.said
    assert "zipalign: Verification succ" in plain.said
    size, without = re.search(r"apk: ([\d,]+) bytes, ([\d,]+) without models", plain.said).groups()
    assert int(size.replace(",", "")) == plain.apk.stat().st_size < SMALL
    assert size == without
    assert "No models are in it: ppedge bundle" in plain.said


def test_no_stub_is_packed(plain, dexed):
    with zipfile.ZipFile(dexed) as jar:
        classes = {name.removesuffix(".class") for name in jar.namelist()}
    assert {"dev/ppedge/demo/MainActivity", "dev/ppedge/core/Pipeline"} <= classes
    assert not [name for name in classes if not name.startswith("dev/ppedge/")]
    assert not [name for name in plain.names() if name.startswith(("assets/", "lib/"))]


def test_the_same_sources_give_the_same_bytes(plain):
    before = plain.apk.read_bytes()
    plain.run()
    assert plain.apk.read_bytes() == before


def test_a_bundle_and_paddle_lite_are_packed(full, plain):
    assert "native-code: 'arm64-v8a'" in full.said
    assert "uses-permission" not in full.said
    assert STAND_IN in dex(full) and STAND_IN not in dex(plain)
    bundle = full.folder / "app/src/main/assets/bundle"
    files = {f"assets/bundle/{path.relative_to(bundle)}" for path in bundle.rglob("*") if path.is_file()}
    assert "assets/bundle/manifest.json" in files
    assert files == {name for name in full.names() if name.startswith("assets/")}
    with zipfile.ZipFile(full.apk) as packed:
        for name in files:
            assert packed.read(name) == (bundle / name.removeprefix("assets/bundle/")).read_bytes()
    without = int(re.search(r"([\d,]+) without models", full.said)[1].replace(",", ""))
    assert without < SMALL
    assert without + sum(path.stat().st_size for path in bundle.glob("*.nb")) < full.apk.stat().st_size


def test_libraries_can_be_mapped_by_phones_with_large_pages(full):
    with zipfile.ZipFile(full.apk) as packed:
        entry = packed.getinfo(LIBRARY)
    assert entry.compress_type == zipfile.ZIP_STORED
    head = full.apk.read_bytes()[entry.header_offset : entry.header_offset + 30]
    name, extra = struct.unpack("<2H", head[26:30])
    assert (entry.header_offset + 30 + name + extra) % 16384 == 0


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("app/src/main/res/values/dimens.xml", "<resources><dimen", "compiling the resources failed: "),
        (
            "app/src/main/res/menu/main.xml",
            '<menu><item android:id="@+id/x" /></menu>',
            "compiling the resources failed: ",
        ),
        (SCREEN, "package dev.ppedge.demo; class X {", "compiling the app failed: .*Screen.java:1: error: reached end"),
    ],
)
def test_a_step_that_fails_is_one_sentence_and_leaves_the_last_app(plain, tmp_path, file, content, says):
    build = Build(tmp_path / "android_demo")
    build.apk.parent.mkdir()
    build.apk.write_bytes(b"the last one")
    (build.folder / file).write_text(content)
    *told, sentence = build.run(code=2).splitlines()
    assert re.search(says, sentence), sentence
    assert all(line.endswith(".") for line in told)  # the steps before
    assert build.apk.read_bytes() == b"the last one"
    assert [path.name for path in build.apk.parent.iterdir()] == ["ppedge-demo.apk"]


@pytest.mark.parametrize("test_class", [name for name in CLASSES if not name.endswith("SpeedTest")])
def test_the_core_after_dexing(java, dexed, test_class):
    printed = run_junit(java.jvm, test_class, dexed, java.tests, bundle_for(java, test_class), java.oracle)
    assert re.search(r"^OK \(\d+ tests?\)", printed, re.MULTILINE), printed
