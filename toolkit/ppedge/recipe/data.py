"""The recipe's section on data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from ppedge.recipe.base import For, Section

PlateLayout = Literal["blue", "green", "yellow", "large_green", "double"]


class Synth(Section):
    """Synthetic data, made under ``data.root`` when the label files are not there yet."""

    kind: Literal["plates", "words", "scenes"]
    """What is drawn: licence plate crops, word crops, or whole pictures with text lines for a detector."""
    train: int = Field(2000, ge=1)
    """Pictures for training."""
    eval: int = Field(200, ge=1)
    """Pictures for evaluation."""
    test: int = Field(0, ge=0)
    """Pictures that only report; with some, name their label file, ``test.txt``, in ``data.test``."""
    content: Literal["plates", "words"] = "words"
    """What the lines of ``scenes`` say."""
    layouts: list[PlateLayout] = Field(["blue", "green"], min_length=1)
    """Which licence plates are drawn: ``blue``; ``green`` and ``large_green`` (new energy, eight characters);
    ``yellow``; and ``double``, yellow with two rows, each a line of text of its own. For six blue ones four are green,
    two yellow, two double and one is large and green."""
    hard: float = Field(0.0, ge=0, le=1)
    """Of licence plates: the share of pictures in which they are worn, tilted, blurred or seen at night; such a scene
    has other writing in it as well, which is not labelled."""


class LabelFile(Section):
    """A label file of which each epoch draws a part, another one each time."""

    file: Path
    """Relative to ``data.root``."""
    ratio: float = Field(1.0, gt=0, le=1)
    """Share of its samples that an epoch draws."""


def paths(files: Iterable[Path | LabelFile]) -> list[Path]:
    """Return the label files by name, whatever share of them is drawn."""
    return [file.file if isinstance(file, LabelFile) else file for file in files]


class Data(Section):
    """Pictures and labels, in PPOCR format."""

    root: Path = Path()
    """The folder that label files and pictures are named relative to; itself relative to the current folder."""
    train: list[
        Annotated[
            Annotated[Path, Tag("Path")] | Annotated[LabelFile, Tag("LabelFile")],
            Discriminator(lambda value: "LabelFile" if isinstance(value, dict | LabelFile) else "Path"),
        ]
    ] = Field([])
    """Label files to train on: by name, or with the share of their samples that an epoch draws."""
    eval: list[Path] = Field([])
    """Label files to evaluate on: they choose the best weights, and what slimming leaves."""
    test: list[Path] = Field([])
    """Label files that choose nothing: every metric that a stage reports is measured on them. Without them it is that
    of ``eval``, which the choice has made look better than it is."""
    labels: Literal["detection", "recognition"] | None = None
    """Format of the label files; a recogniser or classifier that is given ``detection`` labels uses the crops of their
    boxes. By default the task's own, which for a direction classifier is ``recognition``: it takes each line both ways,
    whatever it says."""
    charset: Annotated[str, For("rec")] = "en_number"
    """For a recogniser: the name of a built-in character set (``en_number``, ``plates``, ``ascii``, or a dictionary of
    PaddleOCR's such as ``ppocr_keys_v1``), or a file with one character a line. Of a network that exists (brought in,
    or ``train.weights``) each line is a class, whatever it holds."""
    use_space_char: Annotated[bool, For("rec")] = False
    """For a recogniser: add a space after the character set's last character, as PaddleOCR does for its dictionaries,
    which do not list it."""
    max_text_length: Annotated[int, For("rec")] = Field(64, ge=1)
    """For a recogniser: longer training texts are left out."""
    synth: Synth | None = None
    """How to make the data when it is not there."""
