"""Samples for training: indexed by (epoch, index), the same for the same seed whatever the workers do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from ppedge.data import normalising, targets
from ppedge.data.augment import table
from ppedge.data.augment.base import Line, Scene, augmented, stream
from ppedge.data.collate import Item
from ppedge.data.held import Held
from ppedge.data.labelled import DetSample, RecSample
from ppedge.data.pictures import Pictures
from ppedge.data.samples import chosen, sizes_of, texts_of
from ppedge.ocr.charset import Charset
from ppedge.ocr.direction import DIRECTIONS, TURNED, UPRIGHT, turn
from ppedge.ocr.preprocess import det_size, prepare_cls, prepare_det, prepare_rec, rec_resized, rec_width
from ppedge.ocr.spec import ClsPreprocess, DetPreprocess, RecPreprocess
from ppedge.recipe.road import Recipe
from ppedge.recipe.train import DetAugment, RecAugment

Place = tuple[int, int] | tuple[int, int, int]
"""Which sample is asked for: epoch, index and, where a recogniser is trained at several, the height of the lines."""

_CACHE_BYTES = 128 << 20  # decoded pictures that a data set keeps, in each worker
_LINES_BYTES = 256 << 20  # decoded lines that a data set's processes hold together
_AT_ONCE = 1024  # texts that are looked at together


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
        self.samples = samples
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed
        self._pictures = Pictures(_CACHE_BYTES)
        targets.library()  # before there are processes, each of which would compile it
        normalising.library()

    def __len__(self) -> int:
        return len(self.samples)

    def widths(self) -> None:
        """Pictures are cut to one size for training: no width to go by."""

    def __getitem__(self, place: Place) -> Item:
        """Return the sample at a place.

        Returns:
            ``image`` float32 (3, S, S), normalised, and the four (S, S) maps of `det_targets`, S being the crop's side;
            without ``augment``, (H, W) as the detector sees the picture in evaluation.

        Raises:
            PpedgeError: The picture cannot be read.
        """
        scene = augmented(self._scene, len(self), (self.seed, *place[:2]), self.augment, table.SCENES)
        spec, polygons = self.preprocess, scene.polygons
        if self.augment is None:
            height, width = scene.image.shape[:2]
            size = det_size(height, width, spec)
            polygons = [polygon * np.array([size[1] / width, size[0] / height], np.float32) for polygon in polygons]
        else:  # the view is as the network is to see it
            side = self.augment.crop
            spec = replace(spec, limit_type="max", limit_side=side, max_side=side, multiple=32)
        planes = prepare_det(scene.image, spec, normalising.normalise)[0]
        return {"image": planes, **targets.det_targets(polygons, scene.ignore, planes.shape[1:])}

    def _scene(self, index: int) -> Scene:
        """Return a sample as it is."""
        sample = self.samples[index]
        image = self._pictures.read(sample.image)
        height, width = image.shape[:2]
        seen = det_size(height, width, self.preprocess)
        zoom = float(np.sqrt(seen[0] * seen[1] / (height * width)))
        return Scene(image, sample.polygons, sample.ignore, sample.texts, zoom)


class RecDataset:
    """Text lines and their classes for a recogniser.

    Args:
        samples: Labelled lines.
        preprocess: Height, width limits, mean and std.
        augment: Random changes, of the text too; None gives lines as they are evaluated. A change after which the text
            is too long or has characters outside the charset is not made.
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
        self.preprocess = preprocess
        self.augment = augment
        self.charset = charset
        self.max_text_length = max_text_length
        self.samples = chosen(samples, self._learnable_ones(texts_of(samples)))
        self.left_out = len(samples) - len(self.samples)
        self.seed = seed
        self._changes = augment is not None and any(one.probability(augment) > 0 for one in table.LINES.values())
        self._pictures = Pictures(_CACHE_BYTES)
        self._lines = Held(len(self.samples), _LINES_BYTES)
        normalising.library()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, place: Place) -> Item:
        """Return the sample at a place.

        Returns:
            ``image`` float32 (3, h, w), normalised and padded to the least width; ``label`` int64 (L,) classes;
            ``length`` int64 (), which is L; ``width`` int64 (), the columns of the image before the padding.

        Raises:
            PpedgeError: The picture cannot be read, or the line cannot be cut out of it.
        """
        full, spec, read = (self.seed, *place[:2]), self.preprocess, self._line
        if len(place) == 3:
            spec = replace(spec, height=place[2])
            read = self._line if self._changes else self._whole_line
        line = augmented(read, len(self), full, self.augment, table.LINES, self._learnable)
        label = np.array(self.charset.encode(line.text), np.int64)
        image = prepare_rec([line.image], spec, normalising.normalise)[0]
        width = np.array(rec_width(line.image, spec), np.int64)
        return {"image": image, "label": label, "length": np.array(len(label), np.int64), "width": width}

    def widths(self) -> npt.NDArray[np.float64]:
        """Return about how wide each line is at the network's height, in pixels: (samples,).

        That is without augmentation: the order of an epoch is not to depend on what is drawn for its lines, nor to
        cost the decoding of their pictures.
        """
        sizes = sizes_of(self.samples)
        limits = self.preprocess.min_width, self.preprocess.max_width
        return np.clip(sizes[:, 0] / np.maximum(sizes[:, 1], 1) * self.preprocess.height, *limits)

    def crop(self, sample: RecSample) -> npt.NDArray[np.uint8]:
        """Return a sample's line as a picture (h, w, 3), uint8, read-only."""
        return self._pictures.crop(sample)

    def _line(self, index: int) -> Line:
        """Return a sample as it is; where nothing changes it before, at the height of ``preprocess``."""
        sample = self.samples[index]

        def decode() -> npt.NDArray[np.uint8]:
            whole = self.crop(sample)
            return whole if self._changes else rec_resized(whole, self.preprocess)

        return Line(self._lines.line(index, decode), sample.text)

    def _whole_line(self, index: int) -> Line:
        """Return a sample as it is."""
        sample = self.samples[index]
        return Line(self.crop(sample), sample.text)

    def _learnable(self, line: Line) -> bool:
        """Return whether a text can be a label."""
        return self._fits(line.text)

    def _learnable_ones(self, texts: Iterator[Any]) -> Iterator[bool]:
        """Yield for each text whether it can be a label; most can, so that many are looked at together."""
        while some := list(islice(texts, _AT_ONCE)):
            if max(map(len, some)) <= self.max_text_length and self.charset.covers("".join(some)):
                yield from repeat(True, len(some))
            else:
                yield from map(self._fits, some)

    def _fits(self, text: str) -> bool:
        return len(text) <= self.max_text_length and self.charset.covers(text)


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
        self.samples = samples
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed
        self._pictures = Pictures(_CACHE_BYTES)
        self._lines = Held(len(samples), _LINES_BYTES)
        normalising.library()

    def __len__(self) -> int:
        return len(self.samples)

    def widths(self) -> None:
        """Lines come in one size: no width to go by."""

    def __getitem__(self, place: Place) -> Item:
        """Return the sample at a place, changed, and then turned by 180 degrees or not.

        Returns:
            ``image`` float32 (3, h, w), normalised and padded; ``label`` int64 (), the index in `DIRECTIONS`.

        Raises:
            PpedgeError: The picture cannot be read, or the line cannot be cut out of it.
        """
        full = (self.seed, *place[:2])
        line = augmented(self._line, len(self), full, self.augment, table.LINES)
        turned = stream(full, "direction").random() < 0.5
        crop = turn(line.image) if turned else line.image
        label = DIRECTIONS.index(TURNED if turned else UPRIGHT)
        return {
            "image": prepare_cls([crop], self.preprocess, normalising.normalise)[0],
            "label": np.array(label, np.int64),
        }

    def _line(self, index: int) -> Line:
        """Return a sample as it is."""
        sample = self.samples[index]
        return Line(self._lines.line(index, lambda: self._pictures.crop(sample)), sample.text)


Dataset = DetDataset | RecDataset | ClsDataset


def dataset_of(
    recipe: Recipe,
    samples: Sequence[Any],
    charset: Charset | None,
    *,
    augment: bool = True,
    seed: int = 0,
    longest: int | None = None,
) -> Dataset:
    """Return what a recipe's network is trained on.

    Args:
        recipe: The recipe.
        samples: Of its train split.
        charset: A recogniser's.
        augment: Change them at random, as the recipe says.
        seed: Of the changes.
        longest: Leave out a recogniser's texts of more characters, whatever the recipe says.
    """
    train = recipe.train
    if recipe.task == "det":
        return DetDataset(samples, recipe.det_preprocess, train.det_augment if augment else None, seed)
    changes = train.rec_augment if augment else None
    if charset is None:
        return ClsDataset(samples, recipe.cls_preprocess, changes, seed)
    length = min(recipe.data.max_text_length, longest or recipe.data.max_text_length)
    preprocess = recipe.rec_preprocess
    if train.max_width is not None:
        preprocess = replace(preprocess, max_width=train.max_width)
    return RecDataset(samples, preprocess, changes, charset, length, seed)
