"""Lines that CTC cannot teach: their text has more characters than the network has columns for them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from ppedge.data.dataset import RecDataset
from ppedge.data.samples import texts_of
from ppedge.errors import PpedgeError
from ppedge.train.losses.ctc import CTCLoss
from ppedge.train.task import NetEngine, Task
from ppedge.train.trainees.base import Trainee

_AT_ONCE = 1 << 14  # lines whose labels are counted together


def require_columns(task: Task, trainee: Trainee, dataset: RecDataset, say: Callable[[str], None]) -> None:
    """Say how many training lines teach nothing, as their text does not fit into the network's columns.

    That is without augmentation, and for each line by itself: beside a wider one in a batch it has more columns, but
    they show padding.

    Args:
        task: Of a recogniser.
        trainee: The network, and what it learns from.
        dataset: The training lines.
        say: Told the number, if there are such lines.

    Raises:
        PpedgeError: All lines are so.
    """
    losses = [layer for layer in trainee.sublayers() if isinstance(layer, CTCLoss)]
    if not losses or not len(dataset):
        return
    needed = _most_needed(dataset)
    widths = np.ceil(dataset.widths()).astype(np.int64)
    engine, height = NetEngine(trainee.net), task.recipe.rec_preprocess.height

    @cache
    def columns(width: int) -> int:
        return int(engine.run([np.zeros((1, 3, height, width), np.float32)])[0].shape[1])

    low, high = int(widths.min()), int(widths.max())
    # Few lines come near their columns: the others' classes need not be looked at.
    near = np.flatnonzero(widths < _least_widths(needed, low, high, columns))
    for begin in range(0, len(near), _AT_ONCE):
        some = near[begin : begin + _AT_ONCE]
        needed[some] = losses[0].columns_needed(*_labels(dataset, some)).numpy()
    narrow = np.zeros(len(widths), bool)
    narrow[near] = widths[near] < _least_widths(needed[near], low, high, columns)
    if not narrow.any():
        return
    first = int(np.argmax(narrow))
    example = f"{dataset.samples[first].where} needs {needed[first]}, has {columns(int(widths[first]))}"
    told = (
        f"{int(narrow.sum())} of {len(dataset)} training lines need more columns than the network has for them, one a "
        f"character and one between equal neighbours ({example})"
    )
    if narrow.all():
        raise PpedgeError(
            f"{told}: nothing can be learnt from them.",
            "Check that the texts are those of the pictures, or raise rec_preprocess.min_width and max_width.",
        )
    say(f"{told}: they teach nothing")


def _most_needed(dataset: RecDataset) -> npt.NDArray[np.int64]:
    """Return how many columns each line needs at most: one a character, and one more between each two."""
    lengths = np.fromiter(map(len, texts_of(dataset.samples)), np.int64, len(dataset))
    return np.maximum(2 * lengths - 1, 0)


def _labels(dataset: RecDataset, places: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return some lines' classes (N, L), padded with 0, and how many of them count (N,)."""
    classes = [dataset.charset.encode(dataset.samples[place].text) for place in places.tolist()]
    lengths = np.array([len(line) for line in classes], np.int64)
    labels = np.zeros((len(classes), max(lengths.max(initial=0), 1)), np.int32)
    for row, line in zip(labels, classes, strict=True):
        row[: len(line)] = line
    return labels, lengths


def _least_widths(
    needed: npt.NDArray[np.int64], low: int, high: int, columns: Callable[[int], int]
) -> npt.NDArray[np.int64]:
    """Return for each number of columns the least width from ``low`` to ``high`` that has them, else ``high + 1``."""
    numbers, places = np.unique(needed, return_inverse=True)
    widths = range(low, high + 1)
    least = [low if n <= columns(low) else low + bisect_left(widths, n, key=columns) for n in numbers.tolist()]
    return np.array(least, np.int64)[places]
