"""``ppedge eval --e2e``: a bundle's whole pipeline on labelled pictures."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError

if TYPE_CHECKING:
    from ppedge.metrics.bootstrap import Measured
    from ppedge.metrics.end_to_end import EndToEndMetric

BundleEngine = Literal["onnxruntime", "arm-onnxruntime", "arm-paddlelite"]
TextMetric = Literal["strict", "ignore_space", "ignore_case", "upper_alnum"]

_SEED = 0  # of the confidence intervals
_SHOWN = {"end to end": "", "boxes": "box_"}


def measure_bundle(
    bundle: Path | None,
    labels: Path | None,
    *,
    root: Path | None,
    engine: BundleEngine | None,
    threads: int | None,
    recognizer: str | None,
    metric: TextMetric,
    ignore: str,
    worst: int,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """Read every picture of a label file with a bundle and print how much of it is right.

    Raises:
        PpedgeError: The bundle or the labels cannot be used, or a picture cannot be read.
        MissingError: Nothing on this machine can run what is in the bundle.
    """
    from ppedge.bundle.manifest import read_manifest
    from ppedge.bundle.reading import open_bundle
    from ppedge.bundle.recognizers import choose, networks
    from ppedge.data.formats import read_all
    from ppedge.data.named import usual_root
    from ppedge.data.usable import usable
    from ppedge.metrics.bootstrap import CONFIDENCE, intervals
    from ppedge.metrics.end_to_end import EndToEndMetric, measure_pipeline
    from ppedge.metrics.few import few
    from ppedge.progress import Reporter

    if bundle is None or labels is None:
        raise PpedgeError("--e2e: takes a bundle and a label file.", "`ppedge eval --e2e BUNDLE LABELS`.")
    value = read_manifest(bundle)
    reader = choose(value, recognizer, bundle)
    models = {task: model["precision"] for task, model in networks(value, reader).items()}
    below = root or usual_root(labels)
    samples, skipped = usable(read_all([labels.absolute()], below, "detection"), skip_bad, below)
    found = EndToEndMetric(metric, ignore)
    began = time.monotonic()
    with ExitStack() as stack:
        pipeline = open_bundle(stack, bundle, engine, threads, recognizer, partial(say, err=True))
        name = pipeline.detector.engine.name
        bar = stack.enter_context(Reporter().task("eval", len(samples)))
        measure_pipeline(pipeline, samples, found, advance=lambda steps: bar.advance(steps=steps))
    seconds = round(time.monotonic() - began, 2)
    figures = intervals(found.figures, found.rows(), seed=_SEED)
    pictures = found.worst(worst)
    if as_json:
        emit({"bundle": str(bundle), "models": models, "recognizer": reader["name"] or None, "engine": name,
              "labels": str(labels), "metric": metric, "metric_ignore": ignore,
              "metrics": {key: figure.value for key, figure in figures.items()},
              "intervals": {key: [figure.low, figure.high] for key, figure in figures.items()},
              "confidence": CONFIDENCE, "counts": found.counts(),
              "wrong_texts": found.wrong_texts(), "samples": len(samples), "skipped": skipped,
              "seconds": seconds, "worst": [picture.to_dict() for picture in pictures]})  # fmt: skip
        return
    counts = "{right} of {regions} regions right, {lines} lines read".format(**found.counts())
    ran = ", ".join(f"{task} {precision}" for task, precision in models.items())
    ran += f"; recogniser {reader['name']}" if reader["name"] else ""
    compared = f"metric {metric}" + (f"; without {ignore!r}" if ignore else "")
    looked_at = f"{len(samples)} pictures, {skipped} bad ones left out"
    say(f"{bundle} ({ran}; {name}): {counts}, {looked_at}, {seconds} s; {compared}")
    _tell(figures, f"{CONFIDENCE:.0%}")
    if sentence := few("det", str(labels), len(samples), figures["hmean"], f"name more pictures in {labels}"):
        say(sentence)
    if sentence := _only_in_form(found):
        say(sentence)
    for picture in pictures:
        say(f"{picture.image}: {picture.right} of {picture.regions} right")
        for mistake in picture.mistakes:
            say(f"  {mistake.told()}")


def _only_in_form(found: EndToEndMetric) -> str | None:
    """Return a sentence on texts that are wrong by the comparison alone; None where there are none."""
    count = found.wrong_texts()
    if not count["in_form"]:
        return None
    return (
        f"note: {count['in_form']} of {count['wrong']} wrong texts differ from their labels in case, spaces or "
        f"punctuation alone: --metric {found.forgiving()} ignores that"
    )


def _tell(figures: dict[str, Measured], confidence: str) -> None:
    """Print the figures with their intervals, what they are of to the left."""
    rows: dict[str, dict[str, str]] = {
        title: {name: f"{prefix}{name}" for name in ("precision", "recall", "hmean")}
        for title, prefix in _SHOWN.items()
    }
    rows["texts in matched boxes"] = {"exact": "exact", "ned": "ned"}
    width = max(map(len, rows))
    for title, names in rows.items():
        told = ", ".join(f"{name} {_told(figures[key])}" for name, key in names.items())
        say(f"{title:<{width}}  {told}")
    some: Any = next(iter(figures.values()))
    say(
        "one picture: no confidence interval"
        if some.low is None
        else f"in parentheses: {confidence} interval over pictures"
    )


def _told(figure: Measured) -> str:
    interval = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.value:.4f}{interval}"
