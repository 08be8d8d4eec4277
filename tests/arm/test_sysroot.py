"""The sandbox's building: once, whole or not at all, and in one sentence when it cannot be. Nothing is fetched here."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from typer.testing import CliRunner

from ppedge.arm import apt, sysroot
from ppedge.cache import cache_root
from ppedge.cli import arm, doctor
from ppedge.errors import MissingError
from ppedge.trust import SUMS, UntrustedError

# A process that builds a sandbox of next to nothing; `slowly` says what takes its time.
BUILD = """
import os, sys, time
from pathlib import Path
from ppedge.arm import apt, sysroot
def unpack(packages, architecture, folder, scratch, **options):
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "usr/bin/qemu-aarch64").touch()
    (folder / "usr/bin/python3").symlink_to("python3.11")
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{architecture}\\n")
    time.sleep(float(sys.argv[1]))
    return {packages[0]: "1.0"}
apt.unpack = unpack
apt.machine_architecture = lambda: "amd64"
sysroot.install_wheels = lambda lock, folder, python, platforms, what: folder.mkdir()
sysroot._try = lambda work: {"numpy": "1.26.4"}
print(sysroot.ensure().about["python"])
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return tmp_path / "cache/ppedge"


def builder(seconds):
    return subprocess.Popen([sys.executable, "-c", BUILD, str(seconds)], stdout=subprocess.PIPE, text=True)


def sandboxes(cache):
    return [path.name for path in cache.iterdir() if "arm64-" in path.name]


def test_two_processes_build_it_once(cache, tmp_path):
    both = [builder(0.3), builder(0.3)]
    assert [process.communicate(timeout=60)[0] for process in both] == ["3.11\n", "3.11\n"]
    assert (tmp_path / "log").read_text().split() == ["amd64", "arm64"]
    assert sandboxes(cache) == [f"arm64-{sysroot.key()}"]


def test_a_kill_leaves_nothing_wrong(cache, tmp_path):
    killed = builder(60)
    while not (tmp_path / "log").exists():
        assert killed.poll() is None
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not sysroot.status()["ready"]
    assert builder(0).communicate(timeout=60)[0] == "3.11\n"
    assert sandboxes(cache) == [f"arm64-{sysroot.key()}"]
    assert sysroot.status() | {"bytes": 0} == {
        "ready": True,
        "folder": str(cache / f"arm64-{sysroot.key()}"),
        "bytes": 0,
        "python": "3.11",
        "wheels": {"numpy": "1.26.4"},
        "packages": {"qemu-user": "1.0", "python3-minimal": "1.0"},
    }


@pytest.fixture
def built(cache):
    """A sandbox of next to nothing."""
    assert builder(0).communicate(timeout=60)[0] == "3.11\n"
    sysroot._damage.cache_clear()
    yield cache / f"arm64-{sysroot.key()}"
    sysroot._damage.cache_clear()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: shutil.rmtree(folder / "host"), "host is missing"),
        (lambda folder: (folder / "host/usr/bin/qemu-aarch64").write_bytes(b"x"), "qemu-aarch64 has changed"),
        (lambda folder: (folder / "sandbox.json").write_text("{}"), "sandbox.json has changed"),
        (lambda folder: (folder / "cores/cortex-a53/proc/cpuinfo").unlink(), "cpuinfo is missing"),
        (lambda folder: [shutil.rmtree(folder), folder.mkdir()], "sandbox.json: no such file"),
    ],
)
def test_a_damaged_sandbox_is_said_and_mended(built, harm, told):
    harm(built)
    with pytest.raises(MissingError) as caught:
        sysroot.ensure()
    assert caught.value.exit_code == 3
    assert caught.value.message.startswith(f"The ARM emulator in {built} is damaged: ") and told in caught.value.message
    assert caught.value.hint == "Run `ppedge arm setup`, which builds it anew."
    status = sysroot.status()
    assert not status["ready"] and told in status["damaged"]
    done = CliRunner().invoke(arm.app, ["status"])
    assert f"The ARM emulator in {built} is damaged: " in done.stdout and "Run `ppedge arm setup`." in done.stdout
    (finding, _) = doctor._emulator()
    assert told in finding.found and finding.advice == "Run `ppedge arm setup`."
    anew = BUILD.replace("sysroot.ensure()", "sysroot.ensure(anew=True)")
    done = subprocess.run([sys.executable, "-c", anew, "0"], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "3.11\n" and "damaged" in done.stderr
    sysroot._damage.cache_clear()
    assert sysroot.status()["ready"]
    assert sandboxes(built.parent) == [built.name]


def test_threads_that_open_guests_together_look_at_the_sandbox_once(built, monkeypatch):
    """Each look reads every file of it, which takes as long as starting a guest of Paddle Lite's."""
    looked, damage = [], sysroot.damage

    def slowly(folder):
        looked.append(folder)
        time.sleep(0.1)
        return damage(folder)

    monkeypatch.setattr(sysroot, "damage", slowly)
    with ThreadPoolExecutor(4) as pool:
        assert {one.result().folder for one in [pool.submit(sysroot.ensure) for _ in range(4)]} == {built}
    assert looked == [built]


def test_a_sandbox_of_an_older_ppedge_is_tried_before_it_is_trusted(built, monkeypatch):
    (built / SUMS).unlink()
    tried = []
    monkeypatch.setattr(sysroot, "_try", tried.append)
    assert sysroot.ensure().folder == built
    assert tried == [built] and (built / SUMS).is_file()
    (built / SUMS).unlink()
    (built / "cores/cortex-a76/proc/cpuinfo").write_text("x")
    sysroot._damage.cache_clear()
    with pytest.raises(MissingError, match="is damaged: cores/cortex-a76 is damaged"):
        sysroot.ensure()


def test_a_sandbox_that_others_may_write_is_refused(built):
    (built / "host/usr/bin/qemu-aarch64").chmod(0o666)
    with pytest.raises(UntrustedError, match="qemu-aarch64: may be written to by others"):
        sysroot.ensure()
    built.chmod(0o777)
    sysroot._damage.cache_clear()
    with pytest.raises(UntrustedError, match=f"{built}: may be written to by others"):
        sysroot.status()
    assert "may be written to by others" in doctor._emulator()[0].found


def fake_programs(folder, **scripts):
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return folder


def test_no_network(cache, tmp_path, monkeypatch):
    words = "echo 'E: Failed to fetch InRelease: Temporary failure resolving' >&2; exit 100"
    programs = fake_programs(tmp_path / "bin", apt_get=words, dpkg="echo amd64", dpkg_deb="exit 1")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    with pytest.raises(MissingError, match=r"could not be had: .*Temporary failure resolving") as caught:
        sysroot.ensure()
    assert "network" in caught.value.hint
    assert sandboxes(cache) == []


def test_one_source_of_apt_that_fails_does_not_matter(cache, tmp_path, monkeypatch):
    programs = fake_programs(tmp_path / "bin", apt_get='[ "$1" != update ]', dpkg="echo amd64", dpkg_deb="exit 1")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert apt.unpack(["nothing"], "arm64", tmp_path / "folder", tmp_path / "scratch") == {}
    assert not (tmp_path / "scratch").exists()


def test_a_machine_without_apt(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="apt-get, which is not on this machine"):
        sysroot.ensure()
    assert sandboxes(cache) == []


def test_an_environment_without_pip(tmp_path, monkeypatch):
    programs = fake_programs(tmp_path / "bin", python="echo 'python: No module named pip' >&2; exit 1")
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    with pytest.raises(MissingError, match="No module named pip") as caught:
        sysroot.install_wheels(sysroot.LOCK, tmp_path / "site", "3.11", sysroot.WHEEL_PLATFORMS, "The emulator")
    assert "ensurepip" in caught.value.hint


def test_a_cache_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(MissingError, match="could not be built") as caught:
        sysroot.ensure()
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_a_relative_cache_folder_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert cache_root().is_absolute()


def test_the_key_follows_what_it_is_made_from(tmp_path, monkeypatch):
    before = sysroot.key()
    other = tmp_path / "other.lock"
    other.write_text("numpy==1.26.4\n")
    monkeypatch.setattr(sysroot, "LOCK", other)
    sysroot.key.cache_clear()
    try:
        assert sysroot.key() != before
    finally:
        sysroot.key.cache_clear()


def test_the_lock_names_no_host():
    assert "http" not in sysroot.LOCK.read_text() and "index" not in sysroot.LOCK.read_text()
