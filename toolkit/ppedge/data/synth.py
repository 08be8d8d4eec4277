"""Synthetic data sets, so that every stage runs with nothing downloaded.

A sample is drawn from ``default_rng((seed, split, index))`` alone: the same seed gives the same bytes, and a larger set
begins with the smaller one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ppedge.data.folders import new_folder
from ppedge.data.formats import detection_line, write_lines
from ppedge.data.lookup import SPLITS
from ppedge.data.plates import USUAL, PlateStyle, draw_plate, drawn_condition, render_plate
from ppedge.data.render import LATIN_FONTS, Picture, load_font, render_word
from ppedge.data.scenes import Content, render_scene
from ppedge.data.texts import line_text, plate_text
from ppedge.errors import PpedgeError
from ppedge.recipe.data import Data, paths
from ppedge.storage import read_json, write_json

Kind = Literal["plates", "words", "scenes"]

_SETTINGS = "synth.json"


def generate(
    kind: Kind,
    out: Path,
    train: int,
    eval: int,
    seed: int,
    content: Content = "words",
    progress: Callable[[int, int], None] | None = None,
    test: int = 0,
    style: PlateStyle = USUAL,
) -> None:
    """Make a data set: ``images/``, its label files in PPOCR format, and ``synth.json``, its settings.

    The label files are ``train.txt``, ``val.txt`` and, with pictures for it, ``test.txt``. The folder
    appears whole: it is made under a hidden name beside its place and renamed at the end.

    Args:
        kind: ``plates`` (crops of Chinese licence plates), ``words`` (crops of lines of printable ASCII) or ``scenes``
            (whole pictures with detection labels).
        out: The folder; it must not exist, or be empty.
        train: Pictures for training.
        eval: Pictures for evaluation.
        seed: The same seed gives the same bytes.
        content: What the texts of ``scenes`` are.
        progress: Called with the number of pictures made and to make.
        test: Pictures that only report; 0 makes no ``test.txt``.
        style: Of licence plates, as crops or in scenes.

    Raises:
        PpedgeError: ``out`` holds something already, or a count or the seed is negative.
    """
    if min(train, eval, test, seed) < 0:
        raise PpedgeError("Synthetic data: a count and the seed must not be negative.")
    done = 0
    with new_folder(out) as folder:
        (folder / "images").mkdir()
        for number, (split, count) in enumerate({"train": train, "eval": eval, "test": test}.items()):
            if split == "test" and not count:
                continue
            lines = []
            for index in range(count):
                rng = np.random.default_rng((seed, number, index))
                lines.append(_make_sample(kind, content, style, folder, f"images/{split}_{index:06d}.jpg", rng))
                done += 1
                if progress is not None:
                    progress(done, train + eval + test)
            write_lines(folder / SPLITS[split], lines)
        write_json(folder / _SETTINGS, _settings(kind, train, eval, test, seed, content, style))


def ensure_synth(data: Data, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> bool:
    """Make the data of a recipe that has a ``synth`` section, unless it is there.

    Args:
        data: The recipe's section.
        seed: Of the pictures; it is not the training's seed, so that trainings with several seeds share their data.
        progress: See `generate`.

    Returns:
        Whether something was made.

    Raises:
        PpedgeError: The folder holds something else, or data made with other settings; or the recipe names label files
            that synthetic data does not have.
    """
    synth = data.synth
    if synth is None:
        return False
    style = PlateStyle(synth.layouts, synth.hard)
    wanted = _settings(synth.kind, synth.train, synth.eval, synth.test, seed, synth.content, style)
    settings, files = data.root / _SETTINGS, [*paths(data.train), *data.eval, *data.test]
    drawn = settings.is_file()
    if drawn and (found := read_json(settings)) != wanted:
        raise PpedgeError(
            f"{data.root}: synthetic data made with other settings than data.synth has ({found}, not {wanted}).",
            "Delete that folder, or choose another data.root.",
        )
    lacking = [str(file) for file in files if not (data.root / file).is_file()]
    if files and not lacking:
        return False
    made = [label for split, label in SPLITS.items() if getattr(synth, split)]
    foreign = [file for file in lacking if file not in made]
    if foreign:
        raise PpedgeError(
            f"data.synth makes {' and '.join(made)}, but the recipe names {foreign[0]}.",
            "Name those under data.train, data.eval and data.test; test.txt is made if data.synth.test is above 0.",
        )
    if drawn:
        return False
    try:
        generate(synth.kind, data.root, synth.train, synth.eval, seed, synth.content, progress, synth.test, style)
    except PpedgeError:
        if settings.is_file() and read_json(settings) == wanted:
            return False  # another process was faster: with several devices, each starts one
        raise
    return True


def _settings(
    kind: Kind, train: int, eval: int, test: int, seed: int, content: Content, style: PlateStyle
) -> dict[str, object]:
    settings: dict[str, object] = {"kind": kind, "train": train, "eval": eval, "seed": seed}
    # Data made before there was a test part, or a choice of plates, say nothing of it.
    if test:
        settings["test"] = test
    if kind == "scenes":
        settings["content"] = content
    if "plates" in (kind, content):
        if set(style.layouts) != set(USUAL.layouts):
            settings["layouts"] = sorted(set(style.layouts))
        if style.hard != USUAL.hard:
            settings["hard"] = style.hard
    return settings


def _make_sample(
    kind: Kind, content: Content, style: PlateStyle, folder: Path, name: str, rng: np.random.Generator
) -> str:
    """Draw one picture into the folder and return its label line."""
    if kind == "scenes":
        scene = render_scene(content, rng, style)
        _write_jpeg(folder / name, scene.image, rng)
        return detection_line(name, scene.quads, scene.texts)
    if kind == "plates":
        plate = draw_plate(*plate_text(rng, style.layouts))
        line = int(rng.integers(len(plate.lines))) if len(plate.lines) > 1 else 0
        text = plate.lines[line].text
        crop = render_plate(plate, line, rng, drawn_condition(style.hard, rng))
    else:
        text = line_text(rng)
        crop = render_word(text, load_font(LATIN_FONTS[rng.integers(len(LATIN_FONTS))], int(rng.integers(16, 49))), rng)
    _write_jpeg(folder / name, crop, rng)
    return f"{name}\t{text}"


def _write_jpeg(path: Path, image: Picture, rng: np.random.Generator) -> None:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))])
    path.write_bytes(data.tobytes())
