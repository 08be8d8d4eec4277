"""android_demo/core on this machine's JVM: the same results as ppedge.ocr and OpenCV."""

import re

import pytest
from junit import CLASSES, MAIN, OPENCV_CLASS, bundle_for, run_junit


@pytest.mark.slow
@pytest.mark.parametrize("test_class", CLASSES)
def test_core(java, test_class):
    printed = run_junit(java.jvm, test_class, java.core, java.tests, bundle_for(java, test_class), java.oracle)
    assert re.search(r"^OK \(\d+ tests?\)", printed, re.MULTILINE), printed
    print("\n".join(line for line in printed.splitlines() if ":" in line))


@pytest.mark.slow
def test_opencv_agrees(java, opencv):
    printed = run_junit(java.jvm, OPENCV_CLASS, java.core, opencv.tests, java.bundle, java.oracle, opencv.library)
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
