"""The labels that a project learns from: whatever is named becomes label files of good lines, split into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ppedge.data.check import readable
from ppedge.data.convert import Source, convert, parse_ccpd_name
from ppedge.data.formats import Kind, read_either, write_lines
from ppedge.data.labelled import DetSample, Problem
from ppedge.data.lines import count_unusable, rec_samples_from_detection
from ppedge.data.lookup import SPLITS, label_lines
from ppedge.data.named import WHOLE
from ppedge.data.ppocrlabel import LABELS, say_no_states
from ppedge.errors import PpedgeError
from ppedge.project.parts import Good, deal, write_bytes
from ppedge.scratch import scratch

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


def take_labels(
    data: Path, folder: Path, root: Path | None = None, *, seed: int = 0, group: str = "", skip_bad: bool = False
) -> Taken:
    """Check labels and their pictures, and write ``train.txt``, ``val.txt`` and, with enough, ``test.txt``.

    Args:
        data: A label file of either format; PPOCRLabel's folder; a folder that has been split, with ``train.txt`` and
            ``val.txt``; one with ``labels.txt``; or one of CCPD's pictures.
        folder: Where to write.
        root: The folder that pictures are named relative to; by default that of the label file.
        seed: Of the split; another one gives another.
        group: Keep pictures together; see `ppedge.data.split.split`.
        skip_bad: Leave bad lines and pictures out; without it, one is an error.

    Raises:
        PpedgeError: There are no such labels, one is bad, or they are too few.
    """
    if data.name == LABELS and data.is_file():  # its pictures are named from the folder above
        data = data.parent
    if not data.exists():
        raise PpedgeError(f"{data}: no such file or folder.", _TAKEN)
    if all((data / SPLITS[part]).is_file() for part in ("train", "eval")):
        if group:
            raise PpedgeError(f"--group: {data} has been split.", "Leave it out, or name a file that has not.")
        return _parts(data, root or data, folder, skip_bad)
    source = _source(data) if data.is_dir() else None
    if source is not None and root is not None:
        raise PpedgeError("--root: this folder says itself where its pictures lie.", "Leave it out.")
    if source is not None:
        file, root = folder / WHOLE, data
        told, origins = _convert(source, data, file, skip_bad)
    else:
        file, told, origins = (data / WHOLE if data.is_dir() else data), [], []
        data = file
    if not file.is_file():
        raise PpedgeError(f"{data.parent}: a folder without labels.", _TAKEN)
    good = _good(file, root or file.parent, data, skip_bad, origins)
    place = root or file.parent
    beside = _parts_beside(file.parent, seed) if good.has_crops and not group else {}
    counts, first, done = deal(good, data, place, folder, seed, group, beside)
    told = [_told(data, good), *told, *done]
    return Taken(_kind(good), place.resolve(), counts, _texts(good), place.resolve() / first, told)


def _source(folder: Path) -> Source | None:
    """Tell whose folder it is that has no label file in PPOCR format; None if nobody's that is known."""
    if (folder / LABELS).is_file():
        return "ppocrlabel"
    return "ccpd" if any(parse_ccpd_name(path.stem) is not None for path in folder.rglob("*.jpg")) else None


def _convert(source: Source, data: Path, file: Path, skip_bad: bool) -> tuple[list[str], list[tuple[Path, int]]]:
    """Write the labels of such a folder as a label file; return what is to be said, and where each line comes from.

    CCPD's labels are the pictures' names: they come from no line.
    """
    found = convert(source, data, data)
    if found.problems and not skip_bad:
        raise _bad(str(found.problems[0]), len(found.problems))
    write_lines(file, found.lines)
    told = [f"pictures left out for a bad label: {found.left_out}"] if found.left_out else []
    if found.unlabelled and source == "ppocrlabel":
        told.append(f"pictures left out, as no label of theirs is confirmed: {found.unlabelled}")
    if source == "ppocrlabel":
        say_no_states(told.append, data)
    return told, found.origins if source == "ppocrlabel" else []


def _parts_beside(folder: Path, seed: int) -> dict[str, str]:
    """Return the part that each picture of PPOCRLabel's folder has where the folder itself is taken.

    Crops that were cut out of these pictures follow them: else a recogniser would learn from lines of pictures that it
    is measured on together with the detector, and nobody would see it.

    Returns:
        By the pictures' names without suffix; nothing where the folder has no detection labels that can be taken.
    """
    if not (folder / LABELS).is_file():
        return {}
    with scratch("init") as aside:
        try:
            taken = take_labels(folder, aside, seed=seed, skip_bad=True)
        except PpedgeError:  # then there is no detector whose pictures are to be followed
            return {}
        lines = {part: [line for _, line in label_lines(Path(SPLITS[part]), aside)] for part in taken.pictures}
    if taken.kind != "detection":
        return {}
    return {Path(line.decode().partition("\t")[0]).stem: part for part in lines for line in lines[part]}


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
        write_bytes(folder / SPLITS[part], good.lines)
    counts = {part: good.pictures for part, good in parts.items()}
    every = Good([], [sample for good in parts.values() for sample in good.samples])
    told = [_told(data / SPLITS[part], good) for part, good in parts.items()]
    if "test" not in counts:
        told.append(f"{data}: no {SPLITS['test']}: figures are those of {SPLITS['eval']}, which chooses too")
    return Taken(
        kinds.pop(), root.resolve(), counts, _texts(every), parts["eval"].samples[0].image.absolute(), told
    )  # fmt: skip


def _good(file: Path, root: Path, named: Path, skip_bad: bool, origins: Sequence[tuple[Path, int]] = ()) -> Good:
    """Read a label file, hold it against its pictures, and return what is good of it.

    Args:
        file: The label file.
        root: The folder that pictures are named relative to.
        named: What the user has named.
        skip_bad: Leave bad lines and pictures out.
        origins: Of each line of a file that was made, the user's file and line; nothing of one that is the user's own.
    """
    labels = readable(read_either(file.absolute(), root))
    if labels.problems and not skip_bad:
        first = labels.problems[0]
        if origins:
            first = Problem(*origins[first.line - 1], first.reason)
        raise _bad(str(first) if origins or file == named else f"{named}: {first.reason}", len(labels.problems))
    if not labels.samples:
        why = f" The first problem: {labels.problems[0].reason}." if labels.problems else ""
        raise PpedgeError(f"{named}: no label that can be used.{why}", "List the problems with `ppedge data check`.")
    lines = dict(label_lines(file.absolute(), root))
    kept = [lines[int(sample.where.rpartition(":")[2])] for sample in labels.samples]
    return Good(kept, labels.samples, len(labels.problems))


def _bad(problem: str, count: int) -> PpedgeError:
    more = f", and {count - 1} more" if count > 1 else ""
    return PpedgeError(
        f"{problem}{more}.", "Mend it, or use --skip-bad to leave such labels out; `ppedge data check` lists them."
    )


def _kind(good: Good) -> Kind:
    return "detection" if isinstance(good.samples[0], DetSample) else "recognition"


def _texts(good: Good) -> list[str]:
    lines = rec_samples_from_detection(good.samples) if _kind(good) == "detection" else good.samples
    return [line.text for line in lines]


def _told(named: Path, good: Good) -> str:
    """Say what labels hold, and what is no line of text."""
    if _kind(good) == "detection":
        regions = sum(len(sample.polygons) for sample in good.samples)
        reasons = count_unusable(good.samples)
        unread = f" ({', '.join(f'{count} {reason}' for reason, count in reasons.items())})" if reasons else ""
        told = f"{good.pictures} pictures with {regions} regions, {len(_texts(good))} of them lines of text{unread}"
    else:
        told = f"{good.pictures} pictures of lines"
    return f"{named}: {told}" + (f"; {good.left_out} bad labels are left out" if good.left_out else "")
