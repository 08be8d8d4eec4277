"""The compiled core and its tests, for the tests on a JVM."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import oracle
import pytest
from desk import compile_desk
from junit import MAIN, OPENCV_TESTS, TESTS, compile_java, toolchain

SAMPLE = Path(__file__).parents[1] / "bundle" / "sample.py"


@pytest.fixture(scope="session")
def java(whole_sample, several, tmp_path_factory):
    """The compiled core and its tests, two bundles, and what Python computes for random input."""
    folder = tmp_path_factory.mktemp("core")
    jvm = toolchain().jvm()
    core = compile_java(jvm, MAIN, "", folder / "main")
    tests = compile_java(jvm, TESTS, f"{core}:{jvm.junit_classpath}", folder / "tests")
    oracle.write(folder / "oracle")
    return SimpleNamespace(
        jvm=jvm, core=core, tests=tests, bundle=whole_sample, several=several, oracle=folder / "oracle"
    )


@pytest.fixture(scope="session")
def whole_sample(tmp_path_factory):
    """The sample bundle."""
    folder = tmp_path_factory.mktemp("sample") / "bundle"
    subprocess.run([sys.executable, SAMPLE, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def several(tmp_path_factory):
    """The sample bundle of two recognisers."""
    folder = tmp_path_factory.mktemp("several") / "bundle"
    subprocess.run([sys.executable, SAMPLE, folder, "several"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def opencv(java, tmp_path_factory):
    """OpenCV for Java, and the compiled tests that ask it."""
    library = toolchain().opencv()
    folder = tmp_path_factory.mktemp("opencv")
    against = os.pathsep.join(map(str, (java.core, java.tests, java.jvm.junit_classpath, library.jar)))
    own = compile_java(java.jvm, OPENCV_TESTS, against, folder)
    return SimpleNamespace(library=library, tests=os.pathsep.join(map(str, (own, java.tests))))


@pytest.fixture(scope="session")
def compiled(java, jdk, tmp_path_factory):
    """The app's class paths: with recorded networks, and with Paddle Lite's classes but no library for them."""
    alone, recorded = compile_desk(java.jvm, tmp_path_factory.mktemp("desk"))
    return SimpleNamespace(recorded=recorded, alone=alone)


@pytest.fixture(scope="session")
def jdk():
    """The toolchain's JDK is the one that `ppedge` compiles the app's Java with, whatever this machine has."""
    before = os.environ.get("JAVA_HOME")
    os.environ["JAVA_HOME"] = str(toolchain().jvm().javac.parents[1])
    yield
    os.environ.pop("JAVA_HOME")
    if before is not None:
        os.environ["JAVA_HOME"] = before
