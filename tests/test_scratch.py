import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ppedge.scratch import PREFIX, scratch, sweep, sweep_scratch, temporary

HOLD = """
import sys, tempfile
from ppedge.scratch import scratch
with scratch("test") as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temp(tmp_path, monkeypatch):
    """The folder for temporary files, of this process and of children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@pytest.fixture
def holder():
    """Another process in the middle of its work, and its folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_it_is_there_and_gone(temp):
    with scratch("test") as folder:
        assert folder.parent == temp and folder.name.startswith(f"{PREFIX}test-")
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(temp.iterdir())
    with pytest.raises(ValueError), scratch("test") as folder:
        raise ValueError
    assert not list(temp.iterdir())


def test_a_living_process_keeps_its_folder_and_a_killed_one_does_not(holder):
    process, folder = holder
    sweep_scratch()
    assert (folder / "file").is_file()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder.is_dir()
    sweep_scratch()
    assert not folder.exists()


def test_every_command_clears_up(holder, temp):
    process, folder = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run([sys.executable, "-m", "ppedge", "inspect", "none.nb"], capture_output=True, check=False)
    assert not folder.exists()


def test_what_is_not_ours_stays(temp, monkeypatch):
    for name in ("ppedge-mine", f"x-{PREFIX}y"):
        (temp / name).mkdir()
    (temp / "elsewhere").mkdir()
    (temp / f"{PREFIX}link").symlink_to(temp / "elsewhere")
    (temp / f"{PREFIX}file").touch()
    sweep_scratch()
    assert len(list(temp.iterdir())) == 5
    (temp / f"{PREFIX}another-users").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    sweep_scratch()
    assert (temp / f"{PREFIX}another-users").is_dir()


def test_a_folder_may_be_kept_by_renaming_it(temp):
    with temporary(temp, ".new.partial.") as folder:
        (folder / "file").touch()
        folder.rename(temp / "new")
        sweep(temp, ".new.partial.*")
    assert [path.name for path in temp.rglob("*")] == ["new", "file"]
