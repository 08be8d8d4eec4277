"""The JVM in the sandbox and the JNI library, as far as nothing is fetched: the app on ARM tests both at work."""

from pathlib import Path

import pytest

from ppedge.arm import apt, java, lite_jni
from ppedge.arm.lite import LiteRuntime
from ppedge.arm.sandbox import Sandbox
from ppedge.errors import MissingError
from ppedge.trust import seal


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A cache with a sandbox and a sealed JVM of two files in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(java.sysroot, "ensure", lambda progress, anew: Sandbox(tmp_path / "ppedge/arm64"))
    folder = tmp_path / "ppedge" / f"java-arm64-{java.key()}"
    (folder / "usr/lib/jvm/java-17-openjdk-arm64/bin").mkdir(parents=True)
    (folder / "usr/lib/jvm/java-17-openjdk-arm64/bin/java").write_bytes(b"a launcher")
    (folder / "java.json").write_text('{"version": "openjdk version 17", "packages": {}}')
    for path in (tmp_path, tmp_path / "ppedge"):
        path.chmod(0o755)
    seal(folder)
    return folder


def test_one_that_is_whole_is_taken(built, tmp_path):
    assert java.status()["version"] == "openjdk version 17"
    jvm = java.ensure()
    line = jvm.program(tmp_path / "classes", "Main", ["word"], "-Dkey=value")
    assert line[0] == built / "usr/lib/jvm/java-17-openjdk-arm64/bin/java" and "-Dkey=value" in line
    assert line[-4:] == ["-cp", tmp_path / "classes", "Main", "word"]
    folders = jvm.environment(tmp_path / "jni")["LD_LIBRARY_PATH"].split(":")
    assert folders == [str(tmp_path / "jni"), f"{built}/usr/lib/aarch64-linux-gnu", f"{built}/lib/aarch64-linux-gnu"]


def test_one_that_is_damaged_is_told_and_built_anew_on_request(built, monkeypatch):
    (built / "java.json").write_text("{}")
    assert java.status() is None
    with pytest.raises(MissingError, match=r"JVM in .* is damaged: java.json has changed.* `ppedge arm setup --java`"):
        java.ensure()
    monkeypatch.setattr(java, "_build", lambda work, sandbox, tell: (work / "java.json").write_text('{"version": "n"}'))
    said = []
    java.ensure(said.append, anew=True)
    assert "building it anew" in said[0] and java.status()["version"] == "n"


def test_links_that_start_at_the_root_lead_into_the_folder(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/settings").write_text("some")
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/conf").symlink_to("/etc/settings")
    (tmp_path / "usr/lib/other").symlink_to("conf")
    apt.relink(tmp_path)
    assert (tmp_path / "usr/lib/conf").readlink() == Path("../../etc/settings")
    assert (tmp_path / "usr/lib/other").read_text() == "some"


def test_what_the_jni_library_lacks_is_said(tmp_path):
    runtime = LiteRuntime(tmp_path / "lite", "libpaddle.so", "v2.13", "0" * 64, "0" * 64)
    with pytest.raises(MissingError, match="has no include/jni.h"):
        lite_jni.library(tmp_path / "lite_jni.cc", tmp_path, runtime)
    (tmp_path / "include").mkdir()
    (tmp_path / "include/jni.h").touch()
    with pytest.raises(MissingError, match=r"registered without its headers.*arm setup --lite"):
        lite_jni.library(tmp_path / "lite_jni.cc", tmp_path, runtime)
