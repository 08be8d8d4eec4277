"""A page that shows data: figures, samples with their labels, and what training makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ppedge.data.collate import Item
from ppedge.data.dataset import ClsDataset, Dataset, DetDataset
from ppedge.data.labelled import DetSample
from ppedge.data.pictures import cut_out
from ppedge.data.source import spread
from ppedge.data.statistics import Statistics, counted
from ppedge.ocr.direction import DIRECTIONS
from ppedge.ocr.draw import draw_boxes, jpeg
from ppedge.ocr.image_file import read_image
from ppedge.page.charts import Bar, bar_chart
from ppedge.page.document import document, picture
from ppedge.page.markup import Html, table, tag

LONGEST = 900  # pixels: of a picture on the page
LINE = 40  # pixels: height of a line on the page
WORDS = 240
"""Characters of a picture's texts that the page shows."""
TIMES = 2
"""How often each sample is shown as training sees it: it is changed anew in every epoch."""
FEW = 40
"""Characters that the page names, of the most and of the least frequent."""
_SHRINK, _THRESHOLD = (40, 180, 40), (200, 120, 30)  # BGR
_QUARTERS = ("measure", "least", "quarter", "median", "three quarters", "most")

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """Samples that are shown together.

    Attributes:
        name: Of the split or the file.
        samples: All of them.
        statistics: Of them.
        bad: Lines that were left out since something is wrong with them.
        training: What training draws from; None where nothing is trained on them.
        notes: Sentences on these samples beside others.
    """

    name: str
    samples: Sequence[Any]
    statistics: Statistics
    bad: int = 0
    training: Dataset | None = None
    notes: Sequence[str] = ()


def page(title: str, parts: Sequence[Part], limit: int) -> str:
    """Return the page.

    Args:
        title: Its heading.
        parts: What it shows.
        limit: Most samples that are drawn of a part, evenly spread over it.

    Raises:
        PpedgeError: A picture cannot be read.
    """
    return document(title, tag("h1", title), *(_section(part, limit) for part in parts))


def _section(part: Part, limit: int) -> Html:
    found = part.statistics
    told = [f"{found.samples} labels of {found.pictures} pictures"]
    if found.regions:
        told.append(f"{found.regions} regions, {found.ignored} of them ignored")
    if part.bad:
        told.append(f"{part.bad} bad lines are left out: `ppedge data check` lists them")
    rows = [[name, *(f"{value:.0f}" for value in values)] for name, values in found.spreads.items()]
    drawn = [picture(*_drawn(sample)) for sample in spread(part.samples, limit)]
    return tag(
        "section",
        tag("h2", part.name),
        tag("p", "; ".join(told), "."),
        *(tag("p", note, class_="verdict") for note in part.notes),
        table("Sizes and lengths", _QUARTERS, rows, numeric=range(1, len(_QUARTERS))),
        _lengths(found.lengths),
        _characters(found),
        tag("h3", "Samples"),
        tag("p", "Regions in red; ignored ones in grey.", class_="quiet") if found.regions else None,
        tag("div", *drawn, class_="columns"),
        _trained(part.training, limit),
    )


def _lengths(lengths: Mapping[int, int]) -> Html | None:
    if not lengths:
        return None
    bars = [Bar(count, f"{length} characters: {count}") for length, count in lengths.items()]
    return tag("details", tag("summary", "Lengths of texts"),
               bar_chart("Lengths of texts", "How many texts have so many characters.", [("texts", bars)]))  # fmt: skip


def _characters(found: Statistics) -> Html | None:
    if not found.characters:
        return None
    pairs = list(found.characters.items())
    lines = [f"{len(pairs)} different characters."]
    if len(pairs) <= 2 * FEW:
        lines.append(counted(found.characters))
    else:
        lines.append(f"Most frequent: {counted(dict(pairs[:FEW]))}")
        lines.append(f"Least frequent: {counted(dict(pairs[-FEW:]))}")
    return tag("details", tag("summary", "Characters"), *(tag("p", line) for line in lines))


def _drawn(sample: Any) -> tuple[bytes, str]:
    """Return a sample's picture with its label, and the words for it."""
    if not isinstance(sample, DetSample):
        return jpeg(cut_out(read_image(sample.image), sample), LONGEST, LINE), f"{_place(sample)}: {sample.text}"
    image = read_image(sample.image)
    plain = [p for p, ignored in zip(sample.polygons, sample.ignore, strict=True) if ignored]
    marked = [p for p, ignored in zip(sample.polygons, sample.ignore, strict=True) if not ignored]
    texts = [text for text, ignored in zip(sample.texts, sample.ignore, strict=True) if not ignored]
    words = " | ".join(texts)
    more = "..." if len(words) > WORDS else ""
    return jpeg(draw_boxes(image, plain, marked), LONGEST), f"{_place(sample)}: {words[:WORDS]}{more}"


def _place(sample: Any) -> str:
    """Return the label file's name and the line."""
    return Path(sample.where).name


def _trained(dataset: Dataset | None, limit: int) -> Html | None:
    """Return what training is given, changed at random as the recipe says."""
    if dataset is None or not len(dataset):
        return None
    drawn = []
    for index in spread(range(len(dataset)), limit):
        for epoch in range(TIMES):
            image, words = _given(dataset, dataset[epoch, index])
            height = None if isinstance(dataset, DetDataset) else LINE
            drawn.append(
                picture(jpeg(image, LONGEST, height), f"{_place(dataset.samples[index])}, epoch {epoch + 1}{words}")
            )
    key = (
        "Green: text, shrunken, which is learned; blue: the border that the threshold map is learned of; dark: ignored."
    )
    return tag(
        "div",
        tag("h3", "As training sees them"),
        tag("p", key, class_="quiet") if isinstance(dataset, DetDataset) else None,
        tag("div", *drawn, class_="columns"),
    )


def _given(dataset: Dataset, item: Item) -> tuple[Image, str]:
    """Return an item's input as a picture, its targets drawn into it, and words for its label."""
    spec = dataset.preprocess
    mean, std = (np.asarray(value, np.float32).reshape(-1, 1, 1) for value in (spec.mean, spec.std))
    image = np.clip((item["image"] * std + mean) * 255, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    image = np.ascontiguousarray(image)
    if isinstance(dataset, DetDataset):
        border = (item["threshold_mask"] > 0) & (item["threshold_map"] > item["threshold_map"].min())
        for where, colour in ((border, _THRESHOLD), (item["shrink_map"] > 0, _SHRINK)):
            image[where] = (0.5 * image[where] + 0.5 * np.array(colour)).astype(np.uint8)
        ignored = item["shrink_mask"] == 0
        image[ignored] //= 3
        return image, ""
    if isinstance(dataset, ClsDataset):
        return image, f": {DIRECTIONS[int(item['label'])]}"
    return image, f": {''.join(dataset.charset.characters[k - 1] for k in item['label'])}"
