"""Labels that a network gives pictures itself: what it finds or reads in them as it came.

A slimmer network is held against these: it should find the same boxes, read the same strings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ppedge.data.formats import detection_line
from ppedge.data.kept import LABELS
from ppedge.data.pseudo import unnameable
from ppedge.errors import MissingError, PpedgeError
from ppedge.ocr.direction import UPRIGHT
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Classifier, Detector, Network, Recognizer
from ppedge.ocr.spec import ModelSpec
from ppedge.recipe.road import Recipe
from ppedge.runs import Run

APART = 5
"""One picture of so many is kept apart from those that the network learns from."""


@dataclass
class Labelled:
    """What came of the pictures.

    Attributes:
        lines: Of a label file, one a picture, in their order.
        silent: Pictures in which the network finds or reads nothing.
        problems: Why each of the other pictures cannot be used; begins with its path.
    """

    lines: list[str] = field(default_factory=list)
    silent: int = 0
    problems: list[str] = field(default_factory=list)


def completed(recipe: Recipe, run: Run) -> Recipe:
    """Return a recipe with the label files that bringing its network in makes."""
    made = {split: [run.stage("train") / name] for split, name in LABELS.items()}
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=made)})


def label(
    engine: Network, spec: ModelSpec, pictures: Sequence[Path], advance: Callable[[], None] = lambda: None
) -> Labelled:
    """Let a network label pictures.

    Args:
        engine: Runs the network.
        spec: Its pre- and post-processing.
        pictures: Their files.
        advance: Called after each.

    Raises:
        PpedgeError: The network failed.
        MissingError: There is not enough memory for a picture.
    """
    answer, found = _answer(engine, spec), Labelled()
    for picture in pictures:
        _add(found, picture, answer)
        advance()
    return found


def _add(found: Labelled, picture: Path, answer: Callable[[np.ndarray], str | None]) -> None:
    name = str(picture)
    if reason := unnameable(name):
        found.problems.append(f"{picture}: {reason}")
        return
    try:
        image = read_image(picture)
    except MissingError:
        raise
    except PpedgeError as error:
        found.problems.append(error.message.removesuffix("."))
        return
    said = answer(image)
    found.silent += said is None
    if said is not None:
        found.lines.append(f"{name}\t{said}")


def _answer(engine: Network, spec: ModelSpec) -> Callable[[np.ndarray], str | None]:
    """Return what gives a picture's label, without its name; None where the network has nothing to say."""
    if spec.task == "det":
        detector = Detector(engine, spec)

        def boxes(image: np.ndarray) -> str | None:
            quads = [box.quad for box in detector(image)]
            return detection_line("", quads, [""] * len(quads)).removeprefix("\t") if quads else None

        return boxes
    reader = Recognizer(engine, spec) if spec.task == "rec" else Classifier(engine, spec)

    def line(image: np.ndarray) -> str | None:
        text = reader([image])[0].text
        # Training and evaluation take a classifier's lines both ways, so they must be upright as they come.
        usable = text == UPRIGHT if spec.task == "cls" else bool(text.strip())
        return text if usable else None

    return line


def kept_apart(lines: Sequence[str], seed: int) -> tuple[list[str], list[str]]:
    """Divide label lines at random into those to learn from and those kept apart, each in their order."""
    order = np.random.default_rng(seed).permutation(len(lines))
    apart = set(order[: max(1, len(lines) // APART)].tolist())
    return (
        [line for number, line in enumerate(lines) if number not in apart],
        [line for number, line in enumerate(lines) if number in apart],
    )
