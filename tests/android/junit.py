"""The Java tests of android_demo/core: compiled and run with the JDK that toolchain.py fetches."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ANDROID = Path(__file__).parents[2] / "android_demo"
MAIN = ANDROID / "core/src/main/java"
TESTS = ANDROID / "core/src/test/java"
OPENCV_TESTS = ANDROID / "core/src/opencvTest/java"
OPENCV_CLASS = "dev.ppedge.core.OpenCvTest"
CLASSES = sorted(
    path.relative_to(TESTS).with_suffix("").as_posix().replace("/", ".") for path in TESTS.rglob("*Test.java")
)


def toolchain():
    """The module android_demo/tools/toolchain.py, which is no part of a package."""
    if "toolchain" not in sys.modules:
        spec = importlib.util.spec_from_file_location("toolchain", ANDROID / "tools/toolchain.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["toolchain"] = module
        spec.loader.exec_module(module)
    return sys.modules["toolchain"]


def compile_java(jvm, sources, classpath, folder):
    """Compile every .java file under a folder, as Java 8; anything that javac warns of is an error."""
    # No path of sources: those that lie in a library's jar are not to be compiled.
    command = [jvm.javac, "-Xlint:all,-options,-serial", "-Werror", "--release", "8", "-encoding", "UTF-8"]
    command += ["-sourcepath", ""]
    files = sorted(sources.rglob("*.java"))
    assert files, sources
    done = subprocess.run(
        [*command, "-cp", classpath, "-d", folder, *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def bundle_for(java, test_class):
    """Return the bundle that a class of tests reads, of those that the fixture ``java`` has."""
    return java.several if test_class.endswith("RecognizersTest") else java.bundle


def run_junit(jvm, test_class, core, tests, bundle, oracle, opencv=None):
    """Run a class of tests and return what it printed.

    Args:
        jvm: The toolchain's.
        test_class: ``dev.ppedge.core.GoldenTest``.
        core: The classes under test: a folder, or a jar, such as one turned back from an APK's classes.dex.
        tests: The compiled tests.
        bundle: A bundle with golden cases.
        oracle: What oracle.py wrote.
        opencv: The toolchain's OpenCV for Java, for the tests that need it.
    """
    classpath = [core, tests, jvm.junit_classpath]
    properties = [f"-Dppedge.bundle={bundle}", f"-Dppedge.oracle={oracle}", "-Djava.awt.headless=true"]
    environment = dict(os.environ)
    if opencv is not None:
        classpath.append(opencv.jar)
        properties.append(f"-Dppedge.opencv={opencv.library}")
        environment["LD_LIBRARY_PATH"] = opencv.library_path
    command = [jvm.java, "-Xmx1g", *properties, "-cp", os.pathsep.join(map(str, classpath))]
    command += ["org.junit.runner.JUnitCore", test_class]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
