"""Samples and batches for training: indexed by (epoch, index), the same for the same seed whatever the workers do."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ppedge.data.augment import augment_det, augment_rec
from ppedge.data.formats import DetSample, RecSample
from ppedge.data.targets import det_targets
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import Charset
from ppedge.ocr.direction import DIRECTIONS, TURNED, UPRIGHT, turn
from ppedge.ocr.geometry import UPRIGHT_RATIO, crop_quad
from ppedge.ocr.preprocess import det_size, prepare_cls, prepare_det, prepare_rec, read_image, rec_width
from ppedge.ocr.spec import ClsPreprocess, DetPreprocess, RecPreprocess
from ppedge.recipe.train import DetAugment, RecAugment

Item = dict[str, npt.NDArray[Any]]

_CACHE_BYTES = 128 << 20  # decoded pictures that a recogniser's data set keeps, in each worker
_MAPS = ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask")


class DetDataset:
    """Pictures and DB targets for a detector.

    Args:
        samples: Labelled pictures.
        preprocess: The evaluation's size, mean and std; the zoom of ``augment`` is relative to that size.
        augment: Random changes; None gives pictures as they are evaluated.
        seed: Of the random changes.
    """

    def __init__(
        self, samples: Sequence[DetSample], preprocess: DetPreprocess, augment: DetAugment | None, seed: int = 0
    ) -> None:
        self.samples = list(samples)
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def widths(self) -> None:
        """Pictures are cut to one size for training: no width to go by."""

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Return the sample ``key = (epoch, index)``.

        Returns:
            ``image`` float32 (3, S, S), normalised, and the four float32 (S, S) maps of `det_targets`, S being the
            crop's side; without ``augment``, (H, W) as the detector sees the picture in evaluation.

        Raises:
            PpedgeError: The picture cannot be read.
        """
        epoch, index = key
        sample = self.samples[index]
        image = read_image(sample.image)
        size = det_size(image.shape[0], image.shape[1], self.preprocess)
        if self.augment is None:
            zoom = np.array([size[1] / image.shape[1], size[0] / image.shape[0]], np.float32)
            polygons, ignore = [polygon * zoom for polygon in sample.polygons], sample.ignore
            planes = prepare_det(image, self.preprocess)[0]
        else:
            rng = np.random.default_rng((self.seed, epoch, index))
            ratio = float(np.sqrt(size[0] * size[1] / (image.shape[0] * image.shape[1])))
            view, polygons, ignore = augment_det(image, sample.polygons, sample.ignore, self.augment, ratio, rng)
            side = self.augment.crop
            as_it_is = replace(self.preprocess, limit_type="max", limit_side=side, max_side=side, multiple=32)
            planes = prepare_det(view, as_it_is)[0]
        return {"image": planes, **det_targets(polygons, ignore, planes.shape[1:])}


class RecDataset:
    """Text lines and their classes for a recogniser.

    Args:
        samples: Labelled lines.
        preprocess: Height, width limits, mean and std.
        augment: Random changes; None gives lines as they are evaluated.
        charset: The classes.
        max_text_length: Longer texts are left out, as are texts with characters outside the charset.
        seed: Of the random changes.

    Attributes:
        left_out: How many samples were left out.
    """

    def __init__(
        self,
        samples: Sequence[RecSample],
        preprocess: RecPreprocess,
        augment: RecAugment | None,
        charset: Charset,
        max_text_length: int,
        seed: int = 0,
    ) -> None:
        self.samples = [s for s in samples if len(s.text) <= max_text_length and not charset.missing(s.text)]
        self.left_out = len(samples) - len(self.samples)
        self.preprocess = preprocess
        self.augment = augment
        self.charset = charset
        self.seed = seed
        self._pictures = _Pictures(_CACHE_BYTES)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Return the sample ``key = (epoch, index)``.

        Returns:
            ``image`` float32 (3, h, w), normalised and padded to the least width; ``label`` int64 (L,) classes;
            ``length`` int64 (), which is L; ``width`` int64 (), the columns of the image before the padding.

        Raises:
            PpedgeError: The picture cannot be read, or the line cannot be cut out of it.
        """
        epoch, index = key
        sample = self.samples[index]
        crop = self.crop(sample)
        if self.augment is not None:
            crop = augment_rec(crop, self.augment, np.random.default_rng((self.seed, epoch, index)))
        label = np.array(self.charset.encode(sample.text), np.int64)
        image = prepare_rec([crop], self.preprocess)[0]
        width = np.array(rec_width(crop, self.preprocess), np.int64)
        return {"image": image, "label": label, "length": np.array(len(label), np.int64), "width": width}

    def widths(self) -> npt.NDArray[np.float64]:
        """Return about how wide each line is at the network's height, in pixels: (samples,)."""
        sizes = np.array([line_size(sample) for sample in self.samples], np.float64).reshape(-1, 2)
        limits = self.preprocess.min_width, self.preprocess.max_width
        return np.clip(sizes[:, 0] / np.maximum(sizes[:, 1], 1) * self.preprocess.height, *limits)

    def crop(self, sample: RecSample) -> npt.NDArray[np.uint8]:
        """Return a sample's line as a picture (h, w, 3), uint8."""
        return self._pictures.crop(sample)


class ClsDataset:
    """Text lines, upright or upside down, for a direction classifier.

    Args:
        samples: Lines, all upright.
        preprocess: Size, mean and std.
        augment: Random changes; None gives lines as they are evaluated.
        seed: Of the directions and the random changes.
    """

    def __init__(
        self, samples: Sequence[RecSample], preprocess: ClsPreprocess, augment: RecAugment | None, seed: int = 0
    ) -> None:
        self.samples = list(samples)
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed
        self._pictures = _Pictures(_CACHE_BYTES)

    def __len__(self) -> int:
        return len(self.samples)

    def widths(self) -> None:
        """Lines come in one size: no width to go by."""

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Return the sample ``key = (epoch, index)``, turned by 180 degrees or not as a coin falls.

        Returns:
            ``image`` float32 (3, h, w), normalised and padded; ``label`` int64 (), the index in `DIRECTIONS`.

        Raises:
            PpedgeError: The picture cannot be read, or the line cannot be cut out of it.
        """
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, index))
        turned = rng.random() < 0.5
        crop = self._pictures.crop(self.samples[index])
        if turned:
            crop = turn(crop)
        if self.augment is not None:
            crop = augment_rec(crop, self.augment, rng)
        label = DIRECTIONS.index(TURNED if turned else UPRIGHT)
        return {"image": prepare_cls([crop], self.preprocess)[0], "label": np.array(label, np.int64)}


def line_size(sample: RecSample) -> tuple[float, float]:
    """Return a line's width and height in pixels without decoding its picture; (0, 0) if that cannot be read."""
    if sample.quad is not None:
        top, right, bottom, left = np.linalg.norm(sample.quad - np.roll(sample.quad, -1, axis=0), axis=1)
        width, height = float(max(top, bottom)), float(max(left, right))
        return (height, width) if height >= UPRIGHT_RATIO * width else (width, height)
    try:
        with Image.open(sample.image) as picture:
            return picture.size
    except OSError:  # whoever decodes it says what is wrong
        return 0.0, 0.0


class _Pictures:
    """The pictures decoded last: one that is cut into fifty lines is not decoded fifty times."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Path, npt.NDArray[np.uint8]] = OrderedDict()

    def read(self, path: Path) -> npt.NDArray[np.uint8]:
        image = self._held.pop(path, None)
        if image is None:
            image = read_image(path)
        self._held[path] = image
        while len(self._held) > 1 and sum(held.nbytes for held in self._held.values()) > self._limit:
            self._held.popitem(last=False)
        return image

    def crop(self, sample: RecSample) -> npt.NDArray[np.uint8]:
        """Return a sample's line as a picture (h, w, 3), uint8."""
        if sample.quad is None:
            return read_image(sample.image)
        try:
            return crop_quad(self.read(sample.image), sample.quad)
        except PpedgeError as error:
            raise PpedgeError(f"{sample.where}: {error.message}", error.hint) from error

    def __getstate__(self) -> dict[str, Any]:
        """A worker starts with nothing held."""
        return {"_limit": self._limit, "_held": OrderedDict()}


def collate_det(items: Sequence[Item]) -> Item:
    """Stack detector samples; smaller ones are padded with 0 on the right and below, where nothing is learnt.

    Returns:
        ``image`` float32 (N, 3, H, W) and the four maps, float32 (N, H, W).
    """
    height, width = np.max([item["image"].shape[1:] for item in items], axis=0)
    return {
        name: _stack([item[name] for item in items], (*items[0][name].shape[:-2], height, width))
        for name in ("image", *_MAPS)
    }


def collate_rec(items: Sequence[Item]) -> Item:
    """Stack recogniser samples, padded with 0 on the right: images to the widest, labels to the longest.

    Returns:
        ``image`` float32 (N, 3, h, W), ``label`` int32 (N, L), ``length`` int64 (N,), ``filled`` float32 (N,): the
        share of the width that is not padding.
    """
    channels, height, _ = items[0]["image"].shape
    width = max(item["image"].shape[2] for item in items)
    longest = max(len(item["label"]) for item in items)
    return {
        "image": _stack([item["image"] for item in items], (channels, height, width)),
        "label": _stack([item["label"] for item in items], (longest,)).astype(np.int32),
        "length": np.array([item["length"] for item in items], np.int64),
        "filled": np.array([item["width"] / width for item in items], np.float32),
    }


def collate_cls(items: Sequence[Item]) -> Item:
    """Stack classifier samples: ``image`` float32 (N, 3, h, w), ``label`` int64 (N,)."""
    return {name: np.stack([item[name] for item in items]) for name in ("image", "label")}


def _stack(arrays: Sequence[npt.NDArray[Any]], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    batch = np.zeros((len(arrays), *shape), arrays[0].dtype)
    for row, array in zip(batch, arrays, strict=True):
        row[tuple(slice(side) for side in array.shape)] = array
    return batch
