"""The labels that a project learns from: whatever is named becomes label files of good lines, split into parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppedge.data.check import readable
from ppedge.data.convert import Source, convert, parse_ccpd_name
from ppedge.data.formats import DetSample, Kind, read_either, write_lines
from ppedge.data.lines import count_unusable, rec_samples_from_detection
from ppedge.data.lookup import SPLITS, numbered_lines, read_label_file
from ppedge.data.ppocrlabel import LABELS
from ppedge.data.split import split, write
from ppedge.errors import PpedgeError
from ppedge.storage import atomic_write

ALL = "labels.txt"
"""All good lines, before they are split; also what `ppedge data convert` and `crops` are told to write."""
LEAST, KEEP_ASIDE = 5, 20
"""Pictures: fewer than the first cannot be split, from the second on some are kept aside as ``test``."""

_SHARES = {"train": 0.8, "eval": 0.1, "test": 0.1}
_SHARES_OF_FEW = {"train": 0.8, "eval": 0.2, "test": 0.0}
_TAKEN = (
    "Name a label file in PPOCR format, PPOCRLabel's folder, a folder with train.txt and val.txt, or one of CCPD's "
    "pictures; `ppedge data convert` reads ICDAR 2015, MLT, SROIE, Total-Text and COCO-Text."
)


@dataclass(frozen=True)
class Taken:
    """Labels that were taken over.

    Attributes:
        kind: Their format.
        root: The folder that pictures are named relative to, absolute.
        pictures: How many each part has, by the names of `SPLITS`; ``test`` may be missing.
        texts: Those that a recogniser learns from, of all parts.
        example: A picture of ``eval``.
        told: What was done, in sentences.
    """

    kind: Kind
    root: Path
    pictures: dict[str, int]
    texts: list[str]
    example: Path
    told: list[str]


@dataclass
class _Good:
    """The good lines of a label file, and the samples that they are."""

    lines: list[bytes] = field(default_factory=list)
    samples: list[Any] = field(default_factory=list)
    left_out: int = 0

    @property
    def pictures(self) -> int:
        return len({sample.image for sample in self.samples})


def take_labels(data: Path, root: Path | None, folder: Path, *, seed: int, skip_bad: bool) -> Taken:
    """Check labels and their pictures, and write ``train.txt``, ``val.txt`` and, with enough, ``test.txt``.

    Args:
        data: A label file of either format; PPOCRLabel's folder; a folder that has been split, with ``train.txt`` and
            ``val.txt``; one with ``labels.txt``; or one of CCPD's pictures.
        root: The folder that pictures are named relative to; by default that of the label file.
        folder: Where to write.
        seed: Of the split; another one gives another.
        skip_bad: Leave bad lines and pictures out; without it, one is an error.

    Raises:
        PpedgeError: There are no such labels, one is bad, or they are too few.
    """
    if data.name == LABELS and data.is_file():  # its pictures are named from the folder above
        data = data.parent
    if data.is_file():
        return _whole(data, root or data.parent, data, folder, seed, skip_bad)
    if not data.is_dir():
        raise PpedgeError(f"{data}: no such file or folder.", _TAKEN)
    if all((data / SPLITS[part]).is_file() for part in ("train", "eval")):
        return _parts(data, root or data, folder, skip_bad)
    source = _source(data)
    if source is not None:
        if root is not None:
            raise PpedgeError("--root: this folder says itself where its pictures lie.", "Leave it out.")
        return _converted(source, data, folder, seed, skip_bad)
    if (data / ALL).is_file():
        return _whole(data / ALL, root or data, data / ALL, folder, seed, skip_bad)
    raise PpedgeError(f"{data}: a folder without labels.", _TAKEN)


def _source(folder: Path) -> Source | None:
    if (folder / LABELS).is_file():
        return "ppocrlabel"
    return "ccpd" if any(parse_ccpd_name(path.stem) is not None for path in folder.rglob("*.jpg")) else None


def _converted(source: Source, data: Path, folder: Path, seed: int, skip_bad: bool) -> Taken:
    """Take a folder that is no label file yet."""
    found = convert(source, data, data)
    if found.problems and not skip_bad:
        raise _bad(str(found.problems[0]), len(found.problems))
    write_lines(folder / ALL, found.lines)
    taken = _whole(folder / ALL, data, data, folder, seed, skip_bad)
    left_out = [f"{found.left_out} with a bad label" if found.left_out else ""]
    if found.unlabelled:
        left_out.append(f"{found.unlabelled} without a confirmed label" if source == "ppocrlabel" else "")
    told = ", ".join(filter(None, left_out))
    return Taken(**{**vars(taken), "told": [*taken.told, *([f"pictures left out: {told}"] if told else [])]})


def _whole(file: Path, root: Path, named: Path, folder: Path, seed: int, skip_bad: bool) -> Taken:
    """Take one label file, and split it.

    Args:
        file: The label file.
        root: As in `take_labels`.
        named: What the user has named.
        folder: Where to write.
        seed: As in `take_labels`.
        skip_bad: As in `take_labels`.
    """
    good = _good(file, root, named, skip_bad)
    if good.pictures < LEAST:
        raise PpedgeError(
            f"{named}: {good.pictures} pictures with labels: too few to train on some and to choose by others.",
            f"Label at least {LEAST}; a model that is of use takes hundreds.",
        )
    _write(folder / ALL, good.lines)
    shares = _SHARES if good.pictures >= KEEP_ASIDE else _SHARES_OF_FEW
    parts = split((folder / ALL).absolute(), root, shares, seed).parts
    write(parts, folder, (folder / ALL).absolute())
    counts = {name: part.pictures for name, part in parts.items()}
    first = parts["eval"].lines[0].decode().partition("\t")[0]
    told = [_told(named, good), f"split by their pictures with seed {seed}: {_counts(counts)}"]
    if "test" not in counts:
        told.append(f"fewer than {KEEP_ASIDE} pictures: none is kept aside as test.txt, to report only")
    return Taken(_kind(good), root.resolve(), counts, _texts(good), root.resolve() / first, told)


def _parts(data: Path, root: Path, folder: Path, skip_bad: bool) -> Taken:
    """Take label files that have been split, as they are."""
    parts = {
        part: _good(data / name, root, data / name, skip_bad)
        for part, name in SPLITS.items()
        if (data / name).is_file()
    }
    kinds = {_kind(good) for good in parts.values()}
    if len(kinds) > 1:
        raise PpedgeError(
            f"{data}: its label files are some of detection and some of recognition.", "Name a folder with one kind."
        )
    for part, good in parts.items():
        _write(folder / SPLITS[part], good.lines)
    counts = {part: good.pictures for part, good in parts.items()}
    every = _Good([], [sample for good in parts.values() for sample in good.samples])
    told = [_told(data / SPLITS[part], good) for part, good in parts.items()]
    if "test" not in counts:
        told.append(f"{data}: no {SPLITS['test']}: figures are those of {SPLITS['eval']}, which chooses too")
    return Taken(
        kinds.pop(), root.resolve(), counts, _texts(every), parts["eval"].samples[0].image.absolute(), told
    )  # fmt: skip


def _good(file: Path, root: Path, named: Path, skip_bad: bool) -> _Good:
    """Read a label file, hold it against its pictures, and return what is good of it."""
    labels = readable(read_either(file.absolute(), root))
    if labels.problems and not skip_bad:
        first = labels.problems[0]
        raise _bad(str(first) if file == named else f"{named}: {first.reason}", len(labels.problems))
    if not labels.samples:
        why = f" The first problem: {labels.problems[0].reason}." if labels.problems else ""
        raise PpedgeError(f"{named}: no label that can be used.{why}", "List the problems with `ppedge data check`.")
    lines = dict(numbered_lines(read_label_file(file.absolute(), root)[0]))
    kept = [lines[int(sample.where.rpartition(":")[2])] for sample in labels.samples]
    return _Good(kept, labels.samples, len(labels.problems))


def _bad(problem: str, count: int) -> PpedgeError:
    more = f", and {count - 1} more" if count > 1 else ""
    return PpedgeError(
        f"{problem}{more}.", "Mend it, or use --skip-bad to leave such labels out; `ppedge data check` lists them."
    )


def _write(file: Path, lines: list[bytes]) -> None:
    with atomic_write(file) as out:
        out.writelines(line + b"\n" for line in lines)


def _kind(good: _Good) -> Kind:
    return "detection" if isinstance(good.samples[0], DetSample) else "recognition"


def _texts(good: _Good) -> list[str]:
    lines = rec_samples_from_detection(good.samples) if _kind(good) == "detection" else good.samples
    return [line.text for line in lines]


def _told(named: Path, good: _Good) -> str:
    """Say what labels hold, and what is no line of text."""
    if _kind(good) == "detection":
        regions = sum(len(sample.polygons) for sample in good.samples)
        reasons = count_unusable(good.samples)
        unread = f" ({', '.join(f'{count} {reason}' for reason, count in reasons.items())})" if reasons else ""
        told = f"{good.pictures} pictures with {regions} regions, {len(_texts(good))} of them lines of text{unread}"
    else:
        told = f"{good.pictures} pictures of lines"
    return f"{named}: {told}" + (f"; {good.left_out} bad labels are left out" if good.left_out else "")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} in {SPLITS[part]}" for part, count in counts.items())
