"""Code in the cache folder: another user's is not touched, and what was damaged is noticed."""

import grp
import os
import pwd
from types import SimpleNamespace

import pytest

from ppedge.cache import cache_root, compiled
from ppedge.errors import MissingError
from ppedge.trust import SUMS, UntrustedError, damage, make_own, require_own, seal

NOBODY = 65534


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_own(cache_root())
    return cache_root()


@pytest.fixture
def library(cache, tmp_path):
    """A library that the cache holds; call it to have it compiled, or found."""
    source = tmp_path / "answer.c"
    source.write_text("int answer(void) { return 42; }\n")
    return lambda: compiled(source, cache_root(), ["-O1"], "Answering")


def give_away(path, monkeypatch):
    """Make a file another user's: root can, anybody else becomes another user instead."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: NOBODY)


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: os.truncate(path, 3000),
        lambda path: os.truncate(path, 0),
        lambda path: path.write_bytes(path.read_bytes().replace(b"answer", b"wrong!")),
    ],
)
def test_a_damaged_library_is_built_anew(library, capsys, harm):
    path = library()
    whole = path.read_bytes()
    assert library() == path and capsys.readouterr().err == ""
    harm(path)
    assert library().read_bytes() == whole
    assert capsys.readouterr().err == f"{path}: was damaged, and has been built anew.\n"
    assert [one.name for one in cache_root().iterdir()] == [path.name]


@pytest.mark.parametrize("place", ["base", "root", "library"])
@pytest.mark.parametrize("harm", ["owner", 0o777, 0o775])
def test_no_code_is_taken_from_what_others_may_write(library, cache, monkeypatch, place, harm):
    monkeypatch.setattr(grp, "getgrgid", lambda group: SimpleNamespace(gr_mem=["mallory"]))
    path = {"base": cache.parent, "root": cache, "library": library()}[place]
    give_away(path, monkeypatch) if harm == "owner" else path.chmod(harm)
    with pytest.raises(UntrustedError) as caught:
        library()
    assert caught.value.exit_code == 3
    assert str(path if harm != "owner" or os.geteuid() == 0 else "") in caught.value.message
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_a_group_of_this_user_alone_is_nobody_else(library, cache, monkeypatch):
    """Debian gives each user one, and Ubuntu lets it write by default."""
    monkeypatch.setattr(grp, "getgrgid", lambda group: SimpleNamespace(gr_mem=[]))
    monkeypatch.setattr(pwd, "getpwall", lambda: [pwd.getpwuid(os.geteuid())])
    cache.parent.chmod(0o775)
    assert library().is_file()


def test_a_sticky_folder_above_is_as_good_as_ones_own(library, cache):
    cache.parent.chmod(0o1777)
    assert library().is_file()


def test_a_library_of_another_name_is_not_looked_at(library, cache):
    path = library()
    planted = path.with_name(f"{path.stem.rpartition('-')[0]}.so")
    planted.write_bytes(b"evil")
    assert library() == path


def test_a_loose_umask_makes_no_loose_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a/b"))
    before = os.umask(0)
    try:
        make_own(cache_root())
        (cache_root() / "x").mkdir()
        (cache_root() / "x/file").touch()
        seal(cache_root() / "x")
    finally:
        os.umask(before)
    for path in (cache_root(), cache_root() / "x/file"):
        require_own(path, tmp_path / "a")


def test_a_cache_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "x.c").touch()
    with pytest.raises(MissingError, match="^Answering needs x.c compiled into .*file/ppedge: .* Make room"):
        compiled(tmp_path / "x.c", cache_root(), [], "Answering")


def test_no_compiler_is_said(library, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="Answering needs the C compiler cc"):
        library()


@pytest.fixture
def sealed(tmp_path):
    folder = tmp_path / "sealed"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/program").write_bytes(b"code")
    (folder / "bin/program").chmod(0o755)
    (folder / "data").write_bytes(b"data")
    (folder / "link").symlink_to("bin/program")
    seal(folder)
    return folder


def relink(folder):
    (folder / "link").unlink()
    (folder / "link").symlink_to("data")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: (folder / "data").unlink(), "data is missing"),
        (lambda folder: (folder / "data").write_bytes(b"dat4"), "data has changed"),
        (lambda folder: os.truncate(folder / "bin/program", 0), "bin/program has changed"),
        (lambda folder: (folder / "bin/program").chmod(0o644), "bin/program has changed"),
        (lambda folder: (folder / "bin").rename(folder / "elsewhere"), "bin is missing"),
        (relink, "link has changed"),
        (lambda folder: (folder / SUMS).write_text("[1]"), f"{SUMS} is damaged"),
        (lambda folder: (folder / SUMS).write_text("{"), f"{SUMS} is damaged"),
    ],
)
def test_a_sealed_folder_tells_what_has_become_of_it(sealed, harm, told):
    assert damage(sealed) is None
    harm(sealed)
    assert damage(sealed) == told


def test_a_file_of_a_sealed_folder_that_others_may_write(sealed):
    (sealed / "data").chmod(0o666)
    with pytest.raises(UntrustedError, match="data: may be written to by others"):
        damage(sealed)


@pytest.mark.parametrize("place", ["", "bin"])
def test_a_folder_of_a_sealed_one_in_which_others_may_put_another_file(sealed, place):
    (sealed / place).chmod(0o777)
    with pytest.raises(UntrustedError, match=f"{sealed / place}: may be written to by others"):
        damage(sealed)


def test_training_says_when_it_goes_the_slow_way_and_stops_at_others_code(cache, tmp_path, monkeypatch, capsys):
    pytest.importorskip("paddle")
    from ppedge.models import native

    compiled = native.library.__wrapped__  # the first time in a process
    (tmp_path / "x.c").write_text("int x;")
    assert compiled(tmp_path / "x.c") is not None
    cache.chmod(0o777)
    with pytest.raises(UntrustedError):
        compiled(tmp_path / "x.c")
    cache.chmod(0o755)
    capsys.readouterr()
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "y.c").write_text("int y;")
    assert native.library(tmp_path / "y.c") is None
    assert native.library(tmp_path / "y.c") is None, "each layer of a network asks"
    said = capsys.readouterr().err
    assert said.startswith("Training goes Paddle's own way, which takes several times as long and rounds otherwise: ")
    assert said.endswith("Install gcc.\n") and said.count("\n") == 1
