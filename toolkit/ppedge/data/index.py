"""The index of a large label file: what came of checking it, so that the next training need not do it again.

It is made of the label file, of the pictures and of this package's rules, and holds as long as these are the same: the
label file's bytes, the size and the time of every picture, and the source of what reads them. A picture that was
changed since, or that is new, is decoded again; of the others it is known what they are.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ppedge.cache import cache_root, own_folder
from ppedge.data.check import Decoded, Held, held
from ppedge.data.checked import Checked, Regions, Wanted, Watch
from ppedge.data.formats import good_lines, of_other_kind, parsed
from ppedge.data.index_file import Index, Indexed, Stamp, Writer, join
from ppedge.data.labelled import Problem, RecSample
from ppedge.data.lines import rec_samples_from_detection
from ppedge.data.lookup import find_label_file, label_lines
from ppedge.data.pictures import line_size, size_of
from ppedge.data.samples import Chosen
from ppedge.data.stamps import NO_STAMP, Known, State, rules, stamp_of, state_of
from ppedge.errors import PpedgeError
from ppedge.scratch import sweep, temporary

WORTH = 1000
"""Lines from which on a label file is given an index; fewer are checked within seconds."""
_SETTLED = 2 * 10**9
"""Nanoseconds in which a picture may change twice and keep its time, as file systems count it."""
_RECENT = 4096  # pictures of which size and time are remembered, since lines may name them again


def indexed(
    file: Path, wanted: Wanted, ratio: float, decoded: Decoded, say: Callable[[str], None], watch: Watch
) -> Checked | None:
    """Return what a label file holds from its index, which is made if there is none that holds.

    Args:
        file: The label file; see `ppedge.data.formats.read_labels`.
        wanted: What is to be had from it.
        ratio: Of its samples.
        decoded: Pictures that need not be decoded again; gets those that are.
        say: Told where an index was made, or why it cannot be kept.
        watch: Shows how the making goes.

    Returns:
        What the file holds, its samples on disk; None where it is too small to have an index, is of the other kind, or
        the index can be kept nowhere.

    Raises:
        PpedgeError: The file is not there, cannot be read, or was changed meanwhile.
    """
    path = find_label_file(file, wanted.root)
    if not path.is_file():  # a pipe can be read only once
        return None
    state = state_of(path)
    if state.lines < WORTH:
        return None
    work = _Work(path, file, wanted, ratio, state)
    old: Index | None = None
    for place in work.places:
        index = work.opened(place)
        if index is not None and (found := work.still(index)) is not None:
            return found
        old = old or index
    for place in work.siblings:
        old = old or work.opened(place)
    return work.make(None if old is None else Known(old, wanted.root), decoded, say, watch)


class _Picture(NamedTuple):
    """A line's picture as it was before it was looked at."""

    name: str
    stamp: Stamp
    size: tuple[float, float] | None
    """Of its line, where an earlier index knows the picture; see `ppedge.data.pictures.line_size`."""


class _Work:
    """One label file, and what is to be had from it.

    Attributes:
        places: Where its index may lie, best first.
        siblings: Where that may lie which has the same labels for another task, and knows the same pictures.
    """

    def __init__(self, path: Path, file: Path, wanted: Wanted, ratio: float, state: State) -> None:
        self.path, self.file, self.wanted, self.ratio, self.state = path, file, wanted, ratio, state
        whose = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]
        self._size = lru_cache(_RECENT)(size_of)
        self._cache = cache_root() / "labels"
        what = "lines" if wanted.as_lines else wanted.kind
        other = {"lines": "detection", "detection": "lines"}.get(what)
        self.places, self.siblings = (
            [path.with_name(f".{path.name}.{one}.index"), self._cache / f"{whose}.{one}.index"] if one else []
            for one in (what, other)
        )

    def opened(self, place: Path) -> Index | None:
        """Return the index at a place if it was made by these rules; it need not hold any more."""
        if place.parent == self._cache and place.exists() and not _is_own(place.parent):
            return None
        index = Index.open(place)
        return index if index is not None and index.about.get("rules") == rules() else None

    def still(self, index: Index) -> Checked | None:
        """Return what an index holds, or None if the label file, a picture or what was wrong has changed."""
        if index.about["label"] != list(self.state):
            return None
        root = self.wanted.root
        stamp = lru_cache(_RECENT)(lambda name: stamp_of(join(root, name)))
        for names, known in index.stamps():
            if NO_STAMP in known or list(map(stamp, names)) != known:
                return None
        lines: list[Problem] = []
        pictures: list[Problem] = []
        if numbers := set(index.about["bad"]):
            bad = (line for line in label_lines(self.file, root) if line[0] in numbers)
            for line in held(parsed(bad, self.path, root, self.wanted.kind, lines), Decoded()):
                if isinstance(line, Held):
                    return None
                pictures.append(line)
        return self._found(index, lines, pictures)

    def make(self, known: Known | None, decoded: Decoded, say: Callable[[str], None], watch: Watch) -> Checked | None:
        """Read the label file, decode the pictures that are not known, and keep what came of it; see `indexed`."""
        reasons = []
        for place in self.places:
            try:
                with _place_for(place, self._cache) as (file, built):
                    about, lines, pictures = self._write(file, known, decoded, watch)
                    file.flush()
                    os.fsync(file.fileno())
                    if about is None:
                        return None
                    if (index := Index.open(built)) is None:
                        raise OSError(0, "it was not kept as it was written")
                    built.chmod(0o644)
                    built.replace(place)
                    index.path = place
            except OSError as error:
                reasons.append(f"{place.parent}: {error.strerror or error}")
            else:
                say(f"{self.path}: its {index.about['good']} good lines are checked; {place} keeps what came of it")
                return self._found(index, lines, pictures)
        say(
            f"{self.path}: no room for its index ({'; '.join(reasons)}): its lines are held in memory, and checked "
            "again the next time"
        )
        return None

    def _found(self, index: Index, lines: list[Problem], pictures: list[Problem]) -> Checked:
        about = index.about
        samples = Indexed(index, self.wanted.root, self.path, whole=self.wanted.whole, ratio=self.ratio)
        regions = Regions()
        regions.ignored.update(about["ignored"])
        regions.unusable.update(about["unusable"])
        regions.counted = about["counted"]
        lines_alone = Chosen(samples, samples.given()) if self.wanted.as_lines else samples
        return Checked(lines_alone, about["good"], lines, pictures, regions)

    def _write(
        self, file: BinaryIO, known: Known | None, decoded: Decoded, watch: Watch
    ) -> tuple[dict[str, Any] | None, list[Problem], list[Problem]]:
        """Write the index; return what its header says (None if the file is of the other kind), and all problems.

        Raises:
            OSError: The index cannot be written.
            PpedgeError: The label file was changed meanwhile.
        """
        wanted, writer, regions = self.wanted, Writer(file), Regions()
        lines: list[Problem] = []
        pictures: list[Problem] = []
        good = 0
        with watch(f"checking {self.path}", self.state.lines) as bar:
            for number, (line, picture) in enumerate(self._held(lines, known, decoded), 1):
                if isinstance(line, Problem):
                    pictures.append(line)
                else:
                    good += 1
                    regions.add([line.sample], wanted)
                    self._add(writer, line.sample, picture)
                if not number % _RECENT:
                    bar.advance(steps=_RECENT)
        if state_of(self.path) != self.state:
            raise PpedgeError(f"{self.path}: was changed while it was read.", "Repeat the command.")
        if not good or of_other_kind(lines, good + len(pictures), wanted.kind):
            return None, [], []
        bad = sorted(problem.line for problem in (*lines, *pictures))
        about = {"rules": rules(), "label": self.state, "good": good, "bad": bad, **vars(regions)}
        writer.finish(about)
        return about, lines, pictures

    def _held(
        self, problems: list[Problem], known: Known | None, decoded: Decoded
    ) -> Iterator[tuple[Held | Problem, _Picture]]:
        """Yield each parsed line as it came of its picture, and what the picture was before."""
        settled = time.time_ns() - _SETTLED
        recent = lru_cache(_RECENT)(stamp_of)
        pictures: deque[_Picture] = deque()
        root, above = self.wanted.root, f"{self.wanted.root}/"

        def noted() -> Iterator[Any]:
            for sample in good_lines(self.file, root, self.wanted.kind, problems):
                name = str(sample.image).removeprefix(above)
                path = join(root, name)
                stamp = recent(path)
                if stamp[1] > settled:  # it may change without its time changing, or has since this began
                    stamp = NO_STAMP
                size = None if known is None else known.find(path, stamp)
                if size is not None:
                    decoded.trust(sample.image)
                pictures.append(_Picture(name, stamp, size))
                yield sample

        for line in held(noted(), decoded):
            yield line, pictures.popleft()

    def _add(self, writer: Writer, sample: Any, picture: _Picture) -> None:
        """Add a good line of labels."""
        name, stamp, number = picture.name, picture.stamp, int(sample.where.rpartition(":")[2])
        if self.wanted.as_lines:
            cut: list[RecSample] = rec_samples_from_detection([sample])
            for line in cut:
                writer.add(name, number, stamp, line, line_size(line))
            if not cut:
                writer.add(name, number, stamp, None, (0, 0))
        elif self.wanted.whole:
            writer.add(name, number, stamp, sample, (0, 0))
        else:
            writer.add(name, number, stamp, sample, picture.size or self._size(sample.image))


@contextmanager
def _place_for(place: Path, cached: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Yield an open file, and its path, that the block renames to ``place``; what is left of it goes.

    Raises:
        OSError: It cannot be made.
    """
    if place.parent == cached:
        _make_own(cached)
    prefix = f".{place.name}.partial-"
    sweep(place.parent, f"{prefix}*")
    with temporary(place.parent, prefix) as work, (work / "index").open("wb") as file:
        yield file, work / "index"


def _make_own(folder: Path) -> None:
    """Make a folder of the cache that nobody else may write to.

    Raises:
        OSError: That cannot be.
    """
    try:
        own_folder(folder)
    except PpedgeError as error:
        raise PermissionError(errno.EPERM, error.message) from error


def _is_own(folder: Path) -> bool:
    """Whether nobody else may have written what lies in a folder of the cache."""
    try:
        _make_own(folder)
    except OSError:
        return False
    return True
