"""Splitting a label file into one to train on, one to evaluate on and one that only reports."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ppedge.data.formats import read_either
from ppedge.data.labelled import DetSample, Problem, RecSample
from ppedge.data.lookup import SPLITS, label_lines
from ppedge.errors import PpedgeError, shown
from ppedge.storage import atomic_write

_TOLERANCE = 1e-6  # three shares in decimal digits need not add up to 1 exactly
_CROP = re.compile(r"(.+)_crop_\d+\.[^./]+")
"""How PPOCRLabel names the lines that it cuts out of a picture, which are on one paper and in one light."""


@dataclass
class Part:
    """One part of a label file.

    Attributes:
        lines: Label lines as they stand in the file, in the order of their pictures' paths.
        pictures: How many pictures they name.
        characters: Of a recogniser's texts, how often each character occurs; empty for detection labels.
    """

    lines: list[bytes] = field(default_factory=list)
    pictures: int = 0
    characters: Counter[str] = field(default_factory=Counter)


@dataclass
class Split:
    """What became of a label file.

    Attributes:
        parts: By the names of `SPLITS`; those alone that get something.
        groups: How many groups of pictures stayed together.
        problems: Of the lines that are in no part.
    """

    parts: dict[str, Part]
    groups: int
    problems: list[Problem]

    def unseen(self) -> dict[str, dict[str, int]]:
        """Return, of each part, the characters that never occur in ``train``, with their counts; none without it."""
        if "train" not in self.parts:
            return {}
        seen = self.parts["train"].characters
        found = {
            name: {character: count for character, count in sorted(part.characters.items()) if character not in seen}
            for name, part in self.parts.items()
        }
        return {name: characters for name, characters in found.items() if characters}


def split(
    file: Path, root: Path, shares: Mapping[str, float], seed: int = 0, group: str = "", skip_bad: bool = False
) -> Split:
    """Split a label file of either format by its pictures: all lines of one picture are in one part.

    Which part a picture gets depends on its path, the other pictures' and the seed, not on the order of the lines.

    Args:
        file: The label file; see `ppedge.data.formats.read_labels`.
        root: The folder that pictures are named relative to.
        shares: By the names of `SPLITS`, the share of the pictures that each part gets, 0 to 1; together 1.
        seed: Another one gives another split.
        group: A regular expression on the pictures' paths: pictures in whose paths it finds the same stay together.
            Where it finds nothing, a picture stands alone. Empty: crops of one picture stay together, by `original_of`.
        skip_bad: Leave bad lines out; without it, one is an error.

    Returns:
        The parts. Groups are kept whole, so shares may be met roughly.

    Raises:
        PpedgeError: The file cannot be read or has a problem, the shares do not add up to 1, the expression is none or
            finds nothing, or a part would be empty.
    """
    if not abs(sum(shares.values()) - 1) <= _TOLERANCE:  # NaN is no share either
        told = " + ".join(f"{share:g}" for share in shares.values())
        raise PpedgeError(f"The shares {told} add up to {sum(shares.values()):g}, not to 1.", "Give all three.")
    pattern = _compiled(group)
    labels = read_either(file, root)
    if labels.problems and not skip_bad:
        raise PpedgeError(
            f"{labels.problems[0]}; {len(labels.problems)} problems, nothing written.",
            "List them with `ppedge data check`, or leave the lines out with --skip-bad.",
        )
    if not labels.samples:
        why = f" The first problem: {labels.problems[0]}." if labels.problems else ""
        raise PpedgeError(f"{file}: no usable line.{why}", "List the problems with `ppedge data check`.")
    by_picture: dict[str, list[DetSample | RecSample]] = {}
    for sample in labels.samples:
        by_picture.setdefault(os.path.relpath(sample.image, root), []).append(sample)
    groups = _grouped(by_picture, pattern)
    lines = dict(label_lines(file, root))
    parts = {
        name: _part([by_picture[picture] for picture in pictures], lines)
        for name, pictures in _dealt(groups, shares, seed).items()
    }
    return Split(parts, len(groups), labels.problems)


def original_of(picture: str) -> str:
    """Return the path, without suffix, of the picture that PPOCRLabel has cut a crop out of; any other as it is."""
    crop = _CROP.fullmatch(picture)
    return crop[1] if crop else picture


def write(parts: Mapping[str, Part], folder: Path, source: Path, force: bool = False) -> None:
    """Write the label files of the parts: all of them, or none where one cannot be written.

    Args:
        parts: As `split` gives them.
        folder: Where to.
        source: The label file that was split; it is never replaced.
        force: Replace label files of these names, and remove that of a part that is not among them.

    Raises:
        PpedgeError: A file of such a name is there.
    """
    places = {name: folder / file for name, file in SPLITS.items()}
    for place in places.values():
        if place.exists() and place.samefile(source):
            raise PpedgeError(
                f"{place}: the label file that is to be split has the name of a part.", "Name a folder with --out."
            )
        if place.is_dir():
            raise PpedgeError(f"{place}: a folder.", "Delete it, or name another place with --out.")
        if place.exists() and not force:
            raise PpedgeError(f"{place}: there already.", "Use --force to replace it, or --out for another folder.")
    with ExitStack() as stack:
        for name, part in parts.items():
            stack.enter_context(atomic_write(places[name])).writelines(line + b"\n" for line in part.lines)
    for name in places.keys() - parts.keys():
        places[name].unlink(missing_ok=True)


def _compiled(group: str) -> re.Pattern[str] | None:
    try:
        return re.compile(group) if group else None
    except (re.error, RecursionError, OverflowError) as error:
        raise PpedgeError(
            f"--group {shown(group)}: not a regular expression ({error}).", "'.*/' keeps folders together."
        ) from error


def _grouped(pictures: Mapping[str, object], pattern: re.Pattern[str] | None) -> dict[str, list[str]]:
    """Put pictures together in whose paths the pattern finds the same: its first group, or all that it matches."""
    groups: dict[str, list[str]] = {}
    if pattern is None:
        for picture in sorted(pictures):
            groups.setdefault(original_of(picture), []).append(picture)
        return groups
    found_any = False
    for picture in sorted(pictures):
        match = pattern.search(picture)
        found = match and match[1 if pattern.groups else 0]
        found_any |= bool(found)
        # No path has a NUL, so that no group has the name of a picture that stands alone.
        groups.setdefault(f"\0{found}" if found else picture, []).append(picture)
    if not found_any:
        raise PpedgeError(
            f"--group {shown(pattern.pattern)}: found in no picture's path.",
            f"It is held against paths such as {shown(min(pictures))}.",
        )
    return groups


def _dealt(groups: Mapping[str, list[str]], shares: Mapping[str, float], seed: int) -> dict[str, list[str]]:
    """Deal groups out in an order that the seed decides, large ones first, each to the part that lacks most."""
    total = sum(map(len, groups.values()))
    lacking = {name: share * total for name, share in shares.items() if share > 0}
    parts: dict[str, list[str]] = {name: [] for name in lacking}
    shuffled = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    for pictures in sorted((groups[name] for name in shuffled), key=len, reverse=True):
        name = max(lacking, key=lambda name: lacking[name])
        parts[name] += pictures
        lacking[name] -= len(pictures)
    for name, part in parts.items():
        if not part:
            raise PpedgeError(
                f"{SPLITS[name]} would be empty: {shares[name]:g} of {total} pictures in {len(groups)} groups.",
                f"Give --{name} a larger share, or 0 to leave the file out.",
            )
    return {name: sorted(part) for name, part in parts.items()}


def _part(pictures: Sequence[list[DetSample | RecSample]], lines: Mapping[int, bytes]) -> Part:
    part = Part(pictures=len(pictures))
    for samples in pictures:
        part.lines += sorted(lines[int(sample.where.rpartition(":")[2])] for sample in samples)
        for sample in samples:
            if isinstance(sample, RecSample):
                part.characters.update(sample.text)
    return part
