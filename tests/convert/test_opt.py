"""Where this Python has no wheel of Paddle Lite's opt, a Python 3.10 with a folder in the cache runs it."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ppedge.convert import opt
from ppedge.errors import MissingError

FAKE = "class Opt:\n    pass\n"


@pytest.fixture
def newer(tmp_path, monkeypatch):
    """A Python 3.12 without paddlelite, an empty cache, and a PATH whose folders the test fills."""
    version = (3, 12, 1, "final", 0)
    monkeypatch.setattr(opt, "sys", SimpleNamespace(version_info=version, executable=sys.executable))
    monkeypatch.setattr(opt, "find_spec", lambda name: None)
    monkeypatch.setattr(opt, "install_wheels", fake_wheels)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders = [tmp_path / name for name in ("shims", "other", "real")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv("PATH", ":".join(map(str, folders)))
    return SimpleNamespace(folders=folders)


def fake_wheels(lock, folder, python, platforms, what):
    (folder / "paddlelite").mkdir(parents=True)
    (folder / "paddlelite/lite.py").write_text(FAKE)


def program(folder, name, text):
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def python_310(folder):
    """This Python stands for it, whichever it is."""
    program(folder, "python3.10", f'case "$*" in *version_info*) echo 3 10 {sys.executable} ;; *) exit 9 ;; esac')


def test_a_python_with_the_wheel_runs_it_itself(monkeypatch):
    monkeypatch.setattr(opt, "find_spec", lambda name: True)
    assert opt.opt_python() == (Path(sys.executable), {})
    opt.prepare(pytest.fail)


def test_on_310_the_extra_is_what_is_missing(monkeypatch):
    monkeypatch.setattr(opt, "find_spec", lambda name: None)
    monkeypatch.setattr(opt, "sys", SimpleNamespace(version_info=(3, 10, 13)))
    with pytest.raises(MissingError, match="not installed") as caught:
        opt.opt_python()
    assert "extra `cpu`" in caught.value.hint


def test_a_newer_python_is_told_what_to_do(newer):
    with pytest.raises(MissingError, match=r"no wheel for Python 3\.12\.") as caught:
        opt.opt_python()
    assert "ppedge doctor --fix" in caught.value.hint and "--format onnx" in caught.value.hint


def test_the_first_python_310_that_works_is_taken(newer):
    program(newer.folders[0], "python3.10", "echo 'pyenv: python3.10: command not found' >&2; exit 127")
    program(newer.folders[1], "python3.10", "echo 3 9 /nowhere")
    python_310(newer.folders[2])
    told = []
    opt.prepare(told.append)
    assert told == ["Fetching paddlelite for Python 3.10."]
    python, variables = opt.opt_python()
    assert python.resolve() == Path(sys.executable).resolve()
    assert Path(variables["PYTHONPATH"], "paddlelite/lite.py").read_text() == FAKE
    opt.prepare(pytest.fail)


def test_uv_is_asked_where_path_has_none(newer):
    python_310(newer.folders[1])
    (newer.folders[1] / "python3.10").rename(newer.folders[1] / "elsewhere")
    program(newer.folders[0], "uv", f"echo {newer.folders[1] / 'elsewhere'}")
    opt.prepare(lambda sentence: None)
    assert opt.opt_python()[0].resolve() == Path(sys.executable).resolve()


def test_without_any_it_says_so_and_leaves_nothing(newer, tmp_path):
    with pytest.raises(MissingError, match=r"no Python 3\.10 on this machine") as caught:
        opt.prepare(lambda sentence: None)
    assert "uv python install 3.10" in caught.value.hint
    assert [path.name for path in (tmp_path / "cache/ppedge").iterdir()] == ["opt.lock"]


def test_a_wheel_that_does_not_work_is_not_kept(newer, monkeypatch):
    python_310(newer.folders[0])
    monkeypatch.setattr(opt, "install_wheels", lambda lock, folder, *_: folder.mkdir())
    with pytest.raises(MissingError, match="was fetched, but does not work: .*No module named 'paddlelite'"):
        opt.prepare(lambda sentence: None)
    with pytest.raises(MissingError, match="no wheel for"):
        opt.opt_python()


def test_what_was_changed_is_not_run_and_built_anew(newer):
    python_310(newer.folders[0])
    opt.prepare(lambda sentence: None)
    file = Path(opt.opt_python()[1]["PYTHONPATH"], "paddlelite/lite.py")
    file.write_text("changed")
    opt._damage.cache_clear()
    with pytest.raises(MissingError, match=r"damaged: site/paddlelite/lite\.py has changed"):
        opt.opt_python()
    opt.prepare(lambda sentence: None)
    opt.opt_python()
    assert file.read_text() == FAKE
