"""The app's logic that needs no phone, by its JUnit tests on this machine's JVM."""

import os
import sys
from pathlib import Path

import pytest

from ppedge.process import run_child

DEMO = Path(__file__).resolve().parents[2] / "android_demo"
sys.path.insert(0, str(DEMO))


@pytest.mark.slow
def test_logic_on_the_jvm(tmp_path):
    from tools import toolchain

    jvm = toolchain.jvm()
    tests = DEMO / "app/src/test/java"
    folders = [DEMO / "core/src/main/java", DEMO / "app/src/main/java/dev/ppedge/demo/logic", tests]
    sources = [path for folder in folders for path in folder.rglob("*.java")]
    flags = ["-source", "8", "-target", "8", "-encoding", "UTF-8", "-Xlint:-options"]
    run_child([jvm.javac, *flags, "-cp", jvm.junit_classpath, "-d", tmp_path, *sources], "compiling the app's logic")
    names = [".".join(path.relative_to(tests).with_suffix("").parts) for path in sorted(tests.rglob("*Test.java"))]
    classpath = os.pathsep.join([str(tmp_path), jvm.junit_classpath])
    said = run_child([jvm.java, "-cp", classpath, "org.junit.runner.JUnitCore", *names], "running the app's tests")
    assert "OK (" in said, said
