"""Batches of what data sets give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Item = dict[str, npt.NDArray[Any]]
New = Callable[[tuple[int, ...], Any], npt.NDArray[Any]]

_MAPS = ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask")


def collate_det(items: Sequence[Item], new: New = np.empty) -> Item:
    """Stack detector samples; smaller ones are padded with 0 on the right and below, where nothing is learnt.

    Args:
        items: Of a batch.
        new: Makes the large arrays, of a shape and a type; what they hold is overwritten.

    Returns:
        ``image`` float32 (N, 3, H, W) and the four maps (N, H, W).
    """
    height, width = np.max([item["image"].shape[1:] for item in items], axis=0)
    return {
        name: _stack([item[name] for item in items], (*items[0][name].shape[:-2], height, width), new)
        for name in ("image", *_MAPS)
    }


def collate_rec(items: Sequence[Item], new: New = np.empty) -> Item:
    """Stack recogniser samples, padded with 0 on the right: images to the widest, labels to the longest.

    Args:
        items: Of a batch.
        new: Makes the large arrays, of a shape and a type; what they hold is overwritten.

    Returns:
        ``image`` float32 (N, 3, h, W), ``label`` int32 (N, L), ``length`` int64 (N,), ``filled`` float32 (N,): the
        share of the width that is not padding.
    """
    channels, height, _ = items[0]["image"].shape
    width = max(item["image"].shape[2] for item in items)
    longest = max(len(item["label"]) for item in items)
    return {
        "image": _stack([item["image"] for item in items], (channels, height, width), new),
        "label": _stack([item["label"] for item in items], (longest,)).astype(np.int32),
        "length": np.array([item["length"] for item in items], np.int64),
        "filled": np.array([item["width"] / width for item in items], np.float32),
    }


def collate_cls(items: Sequence[Item], new: New = np.empty) -> Item:
    """Stack classifier samples: ``image`` float32 (N, 3, h, w), ``label`` int64 (N,).

    Args:
        items: Of a batch.
        new: Makes the large arrays, of a shape and a type; what they hold is overwritten.
    """
    images = [item["image"] for item in items]
    return {"image": _stack(images, images[0].shape, new), "label": np.stack([item["label"] for item in items])}


def _stack(arrays: Sequence[npt.NDArray[Any]], shape: tuple[int, ...], new: New = np.empty) -> npt.NDArray[Any]:
    batch = new((len(arrays), *shape), arrays[0].dtype)
    for row, array in zip(batch, arrays, strict=True):
        if array.shape != shape:
            row[...] = 0
        row[tuple(slice(side) for side in array.shape)] = array
    return batch
