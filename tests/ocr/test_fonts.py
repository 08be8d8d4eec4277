"""Fonts for what those that ship lack: a named one, those of the computer, and what is said where none has it."""

from pathlib import Path

import numpy as np
import pytest

from moved_font import moved
from ppedge.errors import PpedgeError
from ppedge.ocr import fonts
from ppedge.ocr.draw import draw_lines
from ppedge.ocr.fonts import Fonts, has_glyph
from ppedge.ocr.pipeline import Line

QUAD = np.array([[10, 10], [90, 10], [90, 34], [10, 34]], np.float32)
OLD, NEW = "京", "享"
"""The code points are neighbours: the one that ships, and one that it lacks."""


@pytest.fixture
def other(tmp_path):
    return moved(tmp_path / "other.otf", OLD, NEW)


@pytest.fixture(autouse=True)
def no_fonts(tmp_path, monkeypatch):
    """A computer whose only folder of fonts is empty so far."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    monkeypatch.setattr(fonts, "FOLDERS", ("~nobody-is-called-this/fonts", str(tmp_path / "none"), str(folder)))
    return folder


def drawn(text, names):
    return draw_lines(np.full((48, 100, 3), 255, np.uint8), [Line(text, 0.9, QUAD, 0.9)], names)[:, 100:]


def test_what_no_font_has_is_counted_and_told():
    found = Fonts()
    found.take(["abc 京", NEW * 2, "й"])
    found.take([NEW])
    assert found.names == ()
    assert found.told() == (
        f"note: 4 characters (2 different: й{NEW}) are drawn as empty boxes, as no font here has them: name one that "
        "has by --font FILE"
    )
    assert Fonts().told() is None


def test_a_font_that_is_named_is_drawn_with(other):
    found = Fonts(other)
    found.take([NEW, "a"])
    assert found.told() is None and found.names == (str(other),)
    np.testing.assert_array_equal(drawn(NEW, found.names), drawn(OLD, ()))
    assert (drawn(NEW, ()) != drawn(OLD, ())).any()


def test_a_font_of_the_computer_is_found_where_one_is_needed(other, no_fonts):
    (no_fonts / "a.ttf").write_bytes(b"no font")
    (no_fonts / "below").mkdir()
    there = other.rename(no_fonts / "below" / "b.OTF")
    found = Fonts()
    found.take(["plain", OLD])
    assert found.names == ()
    found.take([f"{NEW}й"])
    assert found.names == (str(there),) and dict(found.lacking) == {"й": 1}
    np.testing.assert_array_equal(drawn(NEW, found.names), drawn(OLD, ()))


def test_a_box_that_a_font_draws_for_what_it_lacks_is_no_character():
    matplotlib = pytest.importorskip("matplotlib")
    path = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
    assert has_glyph(path, "й") and not has_glyph(path, NEW)


def test_a_file_that_is_no_font_is_refused(tmp_path):
    for path in (tmp_path / "none.ttf", tmp_path / "bad.ttf"):
        with pytest.raises(PpedgeError, match="cannot be read as a font"):
            Fonts(path)
        (tmp_path / "bad.ttf").write_bytes(b"no font")
