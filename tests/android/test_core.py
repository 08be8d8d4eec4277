"""android_demo/core on this machine's JVM: the same results as ppedge.ocr and OpenCV."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import oracle
import pytest
from junit import CLASSES, MAIN, TESTS, compile_java, run_junit, toolchain

SAMPLE = Path(__file__).parents[1] / "bundle" / "sample.py"


@pytest.fixture(scope="session")
def java(tmp_path_factory):
    """The compiled core and its tests, a bundle, and what Python computes for random input."""
    folder = tmp_path_factory.mktemp("core")
    jvm = toolchain().jvm()
    core = compile_java(jvm, MAIN, "", folder / "main")
    tests = compile_java(jvm, TESTS, f"{core}:{jvm.junit_classpath}", folder / "tests")
    subprocess.run([sys.executable, SAMPLE, folder / "bundle"], check=True, capture_output=True)
    oracle.write(folder / "oracle")
    return SimpleNamespace(jvm=jvm, core=core, tests=tests, bundle=folder / "bundle", oracle=folder / "oracle")


@pytest.mark.slow
@pytest.mark.parametrize("test_class", CLASSES)
def test_core(java, test_class):
    printed = run_junit(java.jvm, test_class, java.core, java.tests, java.bundle, java.oracle)
    assert re.search(r"^OK \(\d+ tests?\)", printed, re.MULTILINE), printed
    print("\n".join(line for line in printed.splitlines() if ":" in line))


def test_the_core_is_plain_java():
    """What dx and an old Android cannot take, and what is not on Android at all."""
    forbidden = r"->|::|\bimport (android|java\.awt|javax|java\.util\.(stream|function)|java\.nio\.file)\b"
    sources = sorted(MAIN.rglob("*.java"))
    assert len(sources) > 20
    for path in sources:
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        code = re.sub(r'"(\\.|[^"\\])*"', '""', code)
        assert not re.search(forbidden, code), path
        assert len(code.splitlines()) <= 320, path
