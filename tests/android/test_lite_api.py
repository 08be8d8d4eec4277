"""What the app uses of Paddle Lite, and how Java names native functions: by the compiler's own word."""

import re
from pathlib import Path

import pytest
from junit import ANDROID, toolchain

from ppedge.bundle.classfile import read_class
from ppedge.bundle.jni import PACKAGE, USED, native_names
from ppedge.process import run_child

APP = ANDROID / "app/src/main/java"
USER = APP / "dev/ppedge/demo/engine/LitePredictor.java"
VERSION = (f"{PACKAGE}PaddlePredictor", "getVersion", "()Ljava/lang/String;")  # the app goes on without it
NATIVES = """
package a_b.é;
public class Native$Class {
    public native void plain();
    native long set_it(float[] values, String[][] names, long count);
    native long set_it(long[] values);
    static native int über(int x);
    void notNative() {}
}
"""


@pytest.mark.slow
def test_what_a_jar_must_have_is_what_the_app_uses(tmp_path):
    tools = toolchain().ensure()
    words = ["-source", "8", "-target", "8", "-encoding", "UTF-8", "-Xlint:-options", "-implicit:none"]
    words += ["-bootclasspath", tools.android_jar, "-d", tmp_path]
    folders = [ANDROID / "stubs", ANDROID / "core/src/main/java", APP]
    run_child([tools.javac, *words, "-sourcepath", ":".join(map(str, folders)), USER], "compiling the app's use of it")
    user = read_class((tmp_path / USER.relative_to(APP).with_suffix(".class")).read_bytes(), "LitePredictor")
    used = {reference for reference in user.references if reference[0].startswith(PACKAGE)}
    assert VERSION in used
    words = (APP / "dev/ppedge/demo/logic/PowerMode.java").read_text("utf-8")
    modes = re.findall(r"^    ([A-Z_]+)\(", words, re.MULTILINE)
    by_name = {(f"{PACKAGE}PowerMode", f"LITE_POWER_{mode}", f"L{PACKAGE}PowerMode;") for mode in modes}
    assert "LITE_POWER_" in USER.read_text("utf-8") and len(by_name) == 6
    assert used - {VERSION} | by_name == USED


def test_one_class_uses_it():
    users = [path for path in APP.rglob("*.java") if "com.baidu" in path.read_text("utf-8")]
    assert users == [USER]


@pytest.mark.slow
def test_native_names_are_the_compilers(tmp_path):
    jvm = toolchain().jvm()
    source = tmp_path / "Native$Class.java"
    source.write_text(NATIVES, "utf-8")
    words = ["-encoding", "UTF-8", "-h", tmp_path, "-d", tmp_path]
    run_child([jvm.javac, *words, source], "compiling native methods")
    (header,) = tmp_path.glob("*.h")
    expected = re.findall(r"JNICALL (Java_\w+)", header.read_text("utf-8"))
    (compiled,) = Path(tmp_path).rglob("*.class")
    found = read_class(compiled.read_bytes(), "Native$Class")
    assert sorted(names[0] for _, names in native_names(found)) == sorted(expected)
    assert len(expected) == 4
