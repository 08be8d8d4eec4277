import hashlib
import string
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppedge.cli.data_making import LAYOUTS as OFFERED
from ppedge.data.formats import read_labels
from ppedge.data.plates import CONDITIONS, LAYOUTS, PLATE_FONT, PlateStyle, darken, draw_plate, moved, render_plate
from ppedge.data.render import load_font, text_mask
from ppedge.data.scenes import render_scene
from ppedge.data.synth import ensure_synth, generate
from ppedge.data.texts import plate_text
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import PROVINCES
from ppedge.recipe.data import Data, Synth
from ppedge.storage import read_json


def test_the_plate_font_draws_every_plate_character_differently():
    characters = PROVINCES + string.digits + string.ascii_uppercase
    masks = {text_mask(c, load_font(PLATE_FONT, 40)).tobytes() for c in [*characters, "é"]}
    assert len(masks) == len(characters) + 1


@pytest.mark.parametrize(
    ("text", "layout", "shape", "corner", "lines"),
    [
        ("皖A12345", "blue", (70, 220, 3), "blue", ["皖A12345"]),
        ("皖AD12345", "green", (70, 240, 3), "green", ["皖AD12345"]),
        ("皖A12345", "yellow", (70, 220, 3), "yellow", ["皖A12345"]),
        ("皖A12345D", "large_green", (70, 240, 3), "yellow", ["皖A12345D"]),
        ("皖A12345", "double", (110, 220, 3), "yellow", ["皖A", "12345"]),
    ],
)
def test_plates_have_their_colours_shapes_and_lines(text, layout, shape, corner, lines):
    plate = draw_plate(text, layout)
    assert plate.image.shape == shape
    blue, green, red = plate.image[shape[0] - 8, 8].astype(int)
    assert {"blue": blue > 2 * red, "green": green > max(blue, red), "yellow": red > green > 2 * blue}[corner]
    assert [line.text for line in plate.lines] == lines
    other = draw_plate(text[:-1] + "6", layout).image
    (top, bottom), (left, right) = (plate.lines[-1].quad[[0, 2], axis].astype(int) for axis in (1, 0))
    changed = np.argwhere((plate.image != other).any(axis=2))
    assert len(changed) and (changed >= (top, left)).all() and (changed < (bottom, right)).all()


def test_the_layouts_offered_are_those_drawn():
    assert list(LAYOUTS) == OFFERED


def test_plate_texts():
    rng = np.random.default_rng(0)
    drawn = [plate_text(rng, LAYOUTS) for _ in range(4000)]
    count = Counter(layout for _, layout in drawn)
    assert count["blue"] > count["green"] > count["yellow"] > count["large_green"] > 150
    for text, layout in drawn:
        new_energy = layout in ("green", "large_green")
        assert len(text) == 7 + new_energy
        assert not new_energy or text[2 if layout == "green" else 7] in "DF"
    assert len({text[0] for text, _ in drawn}) == 31
    assert not set("IO") & set("".join(text for text, _ in drawn))
    assert {layout for _, layout in (plate_text(rng) for _ in range(200))} == {"blue", "green"}


@pytest.mark.parametrize("condition", [None, *CONDITIONS])
def test_a_crop_is_a_pure_function(condition):
    plate = draw_plate("京A12345", "double")
    for line in (0, 1):
        crops = [render_plate(plate, line, np.random.default_rng(seed), condition) for seed in (1, 1, 2)]
        assert crops[0].dtype == np.uint8 and 20 <= len(crops[0]) <= 64 and np.array_equal(crops[0], crops[1])
        assert crops[0].shape != crops[2].shape or not np.array_equal(crops[0], crops[2])
        if condition is not None:
            usual = render_plate(plate, line, np.random.default_rng(1))
            assert usual.shape != crops[0].shape or not np.array_equal(usual, crops[0])


def test_night_leaves_of_a_dark_plate_what_can_be_read():
    dark = np.full((40, 120, 3), 40, np.uint8)
    dark[10:30, 10:110] = 90
    for seed in range(30):
        seen = cv2.GaussianBlur(darken(dark, np.random.default_rng(seed)), (0, 0), 1.0)  # without the noise
        low, high = np.percentile(seen, [5, 98])
        assert high - low > 30 and seen.mean() < 130, seed


def test_a_double_row_is_two_lines_in_their_places():
    style = PlateStyle(["double"])
    for seed in range(5):
        scene = render_scene("plates", np.random.default_rng(seed), style)
        assert len(scene.quads) == len(scene.texts) and len(scene.texts) % 2 == 0
        assert {len(text) for text in scene.texts} == {2, 5}
        for upper, lower in zip(scene.quads[::2], scene.quads[1::2], strict=True):
            down, across = lower.mean(axis=0) - upper.mean(axis=0), lower[1] - lower[0]
            assert down[1] > 0 and np.linalg.norm(across) > 1.5 * np.linalg.norm(upper[1] - upper[0])
    (line,) = moved(draw_plate("京A12345", "blue").lines, np.diag([2.0, 2.0, 1.0]))
    assert line.quad.tolist() == [[0, 0], [440, 0], [440, 140], [0, 140]]


def test_what_recipes_draw_without_the_new_keys_has_the_same_bytes(tmp_path):
    """Sums of what was drawn before there were layouts: trainings are repeated with such pictures."""
    texts = [plate_text(np.random.default_rng(seed))[0] for seed in range(200)]
    assert hashlib.sha256("".join(texts).encode()).hexdigest()[:16] == "1aea29f6163ec89c"
    generate("plates", tmp_path / "p", 1, 0, 0)
    assert read_json(tmp_path / "p" / "synth.json") == {"kind": "plates", "train": 1, "eval": 0, "seed": 0}


def test_other_plates_are_other_data(tmp_path):
    synth = {"kind": "plates", "train": 8, "eval": 1, "layouts": ["double"], "hard": 1.0}
    data = Data(root=tmp_path / "d", train=["train.txt"], eval=["val.txt"], synth=Synth(**synth))
    assert ensure_synth(data) is True
    assert ensure_synth(data) is False
    texts = [sample.text for sample in read_labels(Path("train.txt"), data.root, "recognition").samples]
    assert {len(text) for text in texts} == {2, 5}
    with pytest.raises(PpedgeError, match="other settings"):
        ensure_synth(data.model_copy(update={"synth": Synth(**{**synth, "hard": 0.5})}))
