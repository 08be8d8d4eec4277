"""The part of a run's page on its worst samples: the network as it ships, on pictures that the recipe reports on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from ppedge.artifacts import SHIPPED, onnx
from ppedge.data.labelled import DetSample, RecSample
from ppedge.data.source import few_samples, reporting_split, shipped_spec
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.metrics.accuracy import read_crops
from ppedge.metrics.scores import MIN_IOU, RecMetric, pair_with_regions
from ppedge.ocr.draw import draw_boxes, jpeg
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Classifier, Detector, Network, Recognizer
from ppedge.ocr.spec import ModelSpec
from ppedge.page.document import picture
from ppedge.page.markup import Html, compared, join, table, tag
from ppedge.recipe.road import Recipe
from ppedge.runs import Run

MOST = {"det": 40, "rec": 300, "cls": 300}
"""Samples that are read for the page, by task."""
SHOWN = 12
"""Of the worst, those that the page shows."""
CONFUSIONS = 20
"""Confusions of characters that the page names, the most frequent first."""
_LONGEST, _LINE = 900, 40  # pixels: of a picture's longer side, and a line's height


def worst(recipe: Recipe, run: Run) -> Html | None:
    """Return the section; None of a run that is not converted.

    Where the samples cannot be read, since the run has no ONNX file or the pictures are elsewhere, the section says so.
    """
    if not run.done("convert"):
        return None
    try:
        parts = _parts(recipe, run)
    except PpedgeError as error:
        hint = f" {error.hint}" if error.hint else ""
        parts = [tag("p", f"They cannot be shown: {error.message}{hint}")]
    return tag("section", tag("h2", "Worst samples"), *parts)


def _parts(recipe: Recipe, run: Run) -> list[Html]:
    there = {entry["path"] for entry in run.manifest("convert")["outputs"]}
    name = next((name for p in SHIPPED if (name := onnx(recipe.task, p)) in there), None)
    if name is None:
        raise PpedgeError("this run has no ONNX file to read them with.", "Repeat `ppedge convert` with --format onnx.")
    split = reporting_split(recipe)
    samples, spec = few_samples(recipe, split, MOST[recipe.task]), shipped_spec(run)
    with open_engine("onnxruntime", run.artifact("convert", name), threads=1) as engine:
        parts = _pictures(engine, spec, samples) if spec.task == "det" else _lines(recipe, engine, spec, samples)
    unit = "pictures" if recipe.task == "det" else "lines"
    return [tag("p", f"Of {len(samples)} {unit}, evenly spread over data.{split}, by {name} on this computer."), *parts]


def _pictures(engine: Network, spec: ModelSpec, samples: Sequence[DetSample]) -> list[Html]:
    """Return the pictures with the most regions missed and boxes that are none, both drawn."""
    detector, faults = Detector(engine, spec), []
    for sample in samples:
        boxes = [box.quad for box in detector(read_image(sample.image))]
        found = pair_with_regions(boxes, sample.polygons, sample.ignore)
        right, met = {i for i, _ in found.pairs}, {j for _, j in found.pairs}
        missed = [p for j, p in enumerate(sample.polygons) if j not in met and not sample.ignore[j]]
        wrong = [quad for i, quad in enumerate(boxes) if found.counts[i] and i not in right]
        faults.append((sample, [boxes[i] for i in sorted(right)], missed, wrong))
    worst_first = sorted((one for one in faults if one[2] or one[3]), key=lambda one: -len(one[2]) - len(one[3]))
    if not worst_first:
        return [tag("p", "All regions are found, and nothing else.")]
    figures = [_picture(*one) for one in worst_first[:SHOWN]]
    told = (
        f"In {len(worst_first)} of them a region is missed or a box is none (IoU of at most {MIN_IOU}). The "
        f"{len(figures)} with the most of both; missed in red, boxes that are none in blue, what is found in grey:"
    )
    return [tag("p", told), tag("div", *figures, class_="columns")]


def _picture(
    sample: DetSample, right: Sequence[np.ndarray], missed: Sequence[np.ndarray], wrong: Sequence[np.ndarray]
) -> Html:
    drawn = draw_boxes(read_image(sample.image), right, missed, wrong)
    words = f"{Path(sample.where).name}: {len(right)} found, {len(missed)} missed, {len(wrong)} boxes that are none"
    return picture(jpeg(drawn, _LONGEST), words)


def _lines(recipe: Recipe, engine: Network, spec: ModelSpec, samples: Sequence[RecSample]) -> list[Html]:
    """Return the lines that were read worst, and which characters were taken for which."""
    reader = Recognizer if spec.task == "rec" else Classifier
    crops = read_crops(samples)
    read = [text.text for text in reader(engine, spec, batch_size=1)(crops)]
    metric = RecMetric(recipe.metric, recipe.metric_ignore) if spec.task == "rec" else RecMetric()
    labels = [sample.text for sample in samples]
    metric.update(read, labels)
    distances = metric.rows()[:, 2]
    wrong = [int(k) for k in np.argsort(-distances, kind="stable") if distances[k] > 0]
    if not wrong:
        return [tag("p", "All of them are read right.")]
    figures = [_line(crops[k], samples[k], read[k]) for k in wrong[:SHOWN]]
    told = f"{len(wrong)} are read wrong. The {len(figures)} furthest from their labels:"
    pairs = [(metric.compared(labels[k]), metric.compared(read[k])) for k in wrong]
    return [
        tag("p", told),
        tag("div", *figures, class_="columns"),
        *([_confusions(pairs)] if spec.task == "rec" else []),
    ]


def _line(crop: np.ndarray, sample: RecSample, read: str) -> Html:
    words = f"{Path(sample.where).name}: labelled {sample.text!r}, read {read!r}"
    label = compared(read, sample.text)  # marked is what is missing in the one, and what is too much in the other
    caption = join(f"{Path(sample.where).name}: labelled ", label, ", read ", compared(sample.text, read))
    return picture(jpeg(crop, _LONGEST, _LINE), words, caption)


def _confusions(pairs: Sequence[tuple[str, str]]) -> Html:
    """Return which characters were taken for which in labels and what was read, by the fewest edits."""
    counts: Counter[tuple[str, str]] = Counter()
    for label, read in pairs:
        for edit in Levenshtein.editops(label, read):
            expected = "" if edit.tag == "insert" else label[edit.src_pos]
            counts[expected, "" if edit.tag == "delete" else read[edit.dest_pos]] += 1
    rows = [[_shown(label), _shown(read), str(count)] for (label, read), count in counts.most_common(CONFUSIONS)]
    return table("Characters taken for others", ("in the label", "read", "times"), rows, numeric=(2,))


def _shown(character: str) -> Html:
    if not character:
        return tag("span", "nothing", class_="quiet")
    return tag("span", "space" if character == " " else character, class_="quiet" if character == " " else "read")
