"""Good labels, dealt out to what a project trains on, what chooses and what only reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppedge.data.lookup import SPLITS
from ppedge.data.named import WHOLE
from ppedge.data.ppocrlabel import LABELS
from ppedge.data.split import Part, original_of, split, write
from ppedge.errors import PpedgeError
from ppedge.storage import atomic_write

LEAST, KEEP_ASIDE = 5, 20
"""Pictures: fewer than the first cannot be split, from the second on some are kept aside as ``test``."""

_SHARES = {"train": 0.8, "eval": 0.1, "test": 0.1}
_SHARES_OF_FEW = {"train": 0.8, "eval": 0.2, "test": 0.0}


@dataclass
class Good:
    """The good lines of a label file, and the samples that they are."""

    lines: list[bytes] = field(default_factory=list)
    samples: list[Any] = field(default_factory=list)
    left_out: int = 0

    @property
    def pictures(self) -> int:
        """How many pictures they name."""
        return len({sample.image for sample in self.samples})

    @property
    def originals(self) -> int:
        """How many pictures these are of, where PPOCRLabel has cut lines out of pictures."""
        return len({original_of(str(sample.image)) for sample in self.samples})

    @property
    def has_crops(self) -> bool:
        """Whether PPOCRLabel has cut some of the pictures out of others."""
        return any(original_of(str(sample.image)) != str(sample.image) for sample in self.samples)


def deal(
    good: Good, named: Path, root: Path, folder: Path, seed: int, group: str, beside: Mapping[str, str]
) -> tuple[dict[str, int], str, list[str]]:
    """Write good lines as label files of parts, and all of them.

    Args:
        good: The lines.
        named: Where they come from, as the user has named it.
        root: The folder that pictures are named relative to.
        folder: Where to write.
        seed: See `ppedge.data.split.split`, and there for ``group``.
        group: Likewise.
        beside: Of crops, the parts that their pictures have already, by these pictures' names without suffix.

    Returns:
        How many pictures each part has, the first picture's name of ``eval``, and what was done, in sentences.

    Raises:
        PpedgeError: There are too few pictures, or a part would be empty.
    """
    file = (folder / WHOLE).absolute()
    write_bytes(file, good.lines)
    parts = _following(good, named, beside) if beside else _split(good, named, file, root, seed, group)
    write(parts, folder, file)
    counts = {name: part.pictures for name, part in parts.items()}
    told = [f"split by their pictures with seed {seed}: {counted(counts)}"]
    if beside:
        told.append(f"crops are in the parts that their pictures have as {LABELS} beside them is split")
    elif good.has_crops and not group:
        told.append(f"crops of one picture, by their names, are kept together: of {good.originals} pictures")
    if "test" not in counts:
        told.append(f"fewer than {KEEP_ASIDE} pictures: none is kept aside as test.txt, to report only")
    return counts, parts["eval"].lines[0].decode().partition("\t")[0], told


def write_bytes(file: Path, lines: list[bytes]) -> None:
    """Write label lines."""
    with atomic_write(file) as out:
        out.writelines(line + b"\n" for line in lines)


def counted(counts: Mapping[str, int]) -> str:
    """Say how many pictures each part has."""
    return ", ".join(f"{count} in {SPLITS[part]}" for part, count in counts.items())


def _split(good: Good, named: Path, file: Path, root: Path, seed: int, group: str) -> dict[str, Part]:
    """Split good lines by chance."""
    pictures = good.pictures if group else good.originals
    if pictures < LEAST:
        raise PpedgeError(
            f"{named}: {pictures} pictures with labels: too few to train on some and to choose by others.",
            f"Label at least {LEAST}; a model that is of use takes hundreds.",
        )
    try:
        return split(file, root, _SHARES if pictures >= KEEP_ASIDE else _SHARES_OF_FEW, seed, group).parts
    except PpedgeError as error:
        if not group:
            raise
        raise PpedgeError(error.message, "Name another --group, or label pictures of more groups.") from error


def _following(good: Good, named: Path, beside: Mapping[str, str]) -> dict[str, Part]:
    """Give crops the parts of their pictures; those of pictures that have none are learned from."""
    parts = {part: Part() for part in SPLITS}
    for line, sample in zip(good.lines, good.samples, strict=True):
        part = parts[beside.get(Path(original_of(str(sample.image))).name, "train")]
        part.lines.append(line)
        part.pictures += 1
    for name in ("train", "eval"):
        if not parts[name].lines:
            raise PpedgeError(
                f"{named}: none of its crops is of a picture in the {SPLITS[name]} of {LABELS} beside it.",
                "Take another --seed, or name the folder itself, for a detector and a recogniser.",
            )
    return {name: part for name, part in parts.items() if part.lines}
