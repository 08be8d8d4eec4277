"""``report.html``: the report as one page that opens from disk, without network, on a phone too.

It is made of report.json alone, and the drawings beside it, which it holds as data URIs, so that the one file can be
handed on. Every key that an older or a shorter report lacks leaves its part of the page out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ppedge.figures import held
from ppedge.page.charts import Bar, Point, bar_chart, scatter
from ppedge.page.document import document
from ppedge.page.markup import Html, join, table, tag
from ppedge.storage import atomic_write
from ppedge.validate.html_models import drawings_of, model_part, model_title, precision_words
from ppedge.validate.report import dearer
from ppedge.validate.side_by_side import compared_on, figure, measured

PAGE = "report.html"
CLASSES = {
    "load": "load", "store": "store", "fma": "fused multiply-add", "dot": "dot product", "simd": "other SIMD",
    "branch": "branch", "integer": "integer",
}  # fmt: skip
WORST_LAYERS = 20
"""Layers that the chart shows; the table below it has all."""
_TASKS = {"det": "text detection", "rec": "text recognition", "cls": "direction of text lines"}


def write_page(folder: Path, report: Mapping[str, Any]) -> None:
    """Write a report's page into the stage's folder, where its drawings are.

    Args:
        folder: The stage's folder.
        report: What report.json holds.
    """
    paths = {name: folder / name for model in report["models"] for name in drawings_of(model)}
    drawings = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
    with atomic_write(folder / PAGE) as file:
        file.write(render(report, drawings).encode())


def render(report: Mapping[str, Any], drawings: Mapping[str, bytes]) -> str:
    """Return the page: the same report gives the same bytes.

    Args:
        report: What report.json holds.
        drawings: JPEG files by the names that the report gives them; one that is missing is left out.
    """
    outcome = "passed" if report["passed"] else "failed"
    title = f"{report.get('name') or report['task']}: {outcome}"
    compared = [model for model in report["models"] if not model["baseline"]]
    parts = [_head(report, title), _gates(report["gates"]), _road(report), _cost(report), _latency(report["models"])]
    parts += [model_part(model, drawings) for model in compared]
    parts += [_layers(report.get("layers", [])), _phone(report.get("device")), _footer()]
    return document(f"{title} - ppedge validate", *parts)


def _head(report: Mapping[str, Any], title: str) -> Html:
    models, failed = report["models"], sum(not row["passed"] for row in report["gates"])
    roads = {
        f"{model['reference']} to {model['candidate']}": model["samples"] for model in models if "samples" in model
    }
    unit = "pictures" if report["task"] == "det" else "crops"
    facts = {
        "Task": _TASKS[report["task"]],
        "Engine on ARM": ", ".join(dict.fromkeys(model["runtime"] for model in models if "runtime" in model)),
        "Emulated cores": ", ".join(report["cpus"]),
        "Compared": "; ".join(f"{road}, {samples} {unit}" for road, samples in roads.items()),
        "Measured on": _pictures(report),
        "Versions": ", ".join(f"{name} {version}" for name, version in report.get("versions", {}).items()),
    }
    told = f"{len(report['gates']) - failed} of {len(report['gates'])} gates hold{compared_on(report)}."
    known = [(tag("dt", name), tag("dd", value)) for name, value in facts.items() if value]
    return tag(
        "header", tag("h1", title), tag("p", _outcome(report["passed"]), f" - {told}"),
        tag("dl", *(piece for pair in known for piece in pair)),
    )  # fmt: skip


def _pictures(report: Mapping[str, Any]) -> str:
    """Name the split of the data; reports of earlier versions do not, and are of data.eval."""
    split = f"data.{report.get('pictures', 'eval')}"
    return f"{split}, which also chose the weights" if report.get("pictures_chose") else split


def _outcome(passed: bool) -> Html:
    """A word and a sign, so that the colour is not needed."""
    return tag("span", "✓ passed" if passed else "✗ failed", class_="passed" if passed else "failed")


def _section(title: str, *children: str | None) -> Html:
    return tag("section", tag("h2", title), *children)


def _gates(rows: Sequence[Mapping[str, Any]]) -> Html:
    lines = [
        [
            row["gate"], _outcome(row["passed"]), value,
            f"{'≥' if row['gate'].startswith('min') else '≤'} {limit}",
            row["model"], row["cpu"] or "any", row["note"],
        ]
        for row in sorted(rows, key=lambda row: bool(row["passed"]))
        for value, limit in [held(row["value"], row["limit"])]
    ]  # fmt: skip
    head = ("Gate", "Result", "Found", "Limit", "File", "Core", "Note")
    return _section("Gates", table("Limits, those that do not hold first", head, lines, numeric={2, 3}))


def _road(report: Mapping[str, Any]) -> Html | None:
    rows = report.get("accuracy", [])
    if not rows:
        return None
    lines = [[row["network"], row["precision"], row["on"], figure(row), measured(row)] for row in rows]
    head = ("Network", "Precision", "Computed by", rows[0]["metric"], "Pictures")
    return _section(
        "Accuracy from training to ARM", table("Trained, slimmed and shipped, side by side", head, lines, numeric={3})
    )


def _cost(report: Mapping[str, Any]) -> Html | None:
    models = [model for model in report["models"] if "instructions" in model]
    if not models:
        return None
    shape = "x".join(map(str, models[0]["input_shape"]))
    note = (
        "Instructions are counted on one fixed input and are the same in every run. They are no time: compare them "
        "between networks on one engine and core. Ratios are to the network before slimming on the same core."
    )
    return _section(
        "Cost on ARM",
        tag("p", note, class_="quiet"),
        *(tag("p", sentence) for sentence in dearer(report)),
        _cost_table(models, f"One warm inference at {shape}, one thread"),
        tag("div", *(_classes(models, cpu) for cpu in report["cpus"]), _accuracy(models), class_="columns"),
    )


def _cost_table(models: Sequence[Mapping[str, Any]], caption: str) -> Html:
    sizes = {model["cpu"]: model["bytes"] for model in models if model["baseline"]}
    rows = []
    for model in models:
        before = sizes.get(model["cpu"])
        ratio = None if model["ratios"] is None else model["ratios"]["total"]
        rows.append([
            precision_words(model), model["file"], model["cpu"], _millions(model["instructions"]["total"]),
            _ratio(ratio), f"{model['bytes']:,}", _ratio(model["bytes"] / before if before else None),
            _millions(model["load_instructions"]), f"{model['memory_bytes'] / 1e6:.1f}",
        ])  # fmt: skip
    head = ("Network", "File", "Core", "M instructions", "Ratio", "Bytes", "Ratio", "M to open", "MB held")
    return table(caption, head, rows, numeric=range(3, 9))


def _millions(value: float) -> str:
    return f"{value / 1e6:,.1f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _classes(models: Sequence[Mapping[str, Any]], cpu: str) -> Html:
    here = [model for model in models if model["cpu"] == cpu]
    groups = [
        (words, [
            Bar(model["instructions"][name], f"{_millions(model['instructions'][name])} {precision_words(model)}", k)
            for k, model in enumerate(here)
        ])
        for name, words in CLASSES.items()
        if all(name in model["instructions"] for model in here)
    ]  # fmt: skip
    title = f"Instructions by class on {cpu}, millions"
    about = f"Bars of millions of instructions of one inference: {', '.join(model_title(model) for model in here)}."
    return tag("figure", tag("figcaption", title), bar_chart(title, about, groups))


def _accuracy(models: Sequence[Mapping[str, Any]]) -> Html | None:
    compared = [model for model in models if not model["baseline"]]
    if not compared:
        return None
    several = len({model["cpu"] for model in models}) > 1
    precisions = list(dict.fromkeys(model["precision"] for model in compared))
    main = compared[0]["metric"]["main"]
    points = [
        Point(
            model["instructions"]["total"] / 1e6,
            model["metric"]["candidate"][main],
            model["metric"]["reference"][main],
            f"{model['precision']}{' ' + model['cpu'].removeprefix('cortex-') if several else ''}",
            1 + precisions.index(model["precision"]),
        )
        for model in compared
    ]
    before = [model["instructions"]["total"] / 1e6 for model in models if model["baseline"]]
    line = (before[0], "before slimming") if before and not several else None
    title = f"Accuracy against cost: {main} over millions of instructions"
    about = "; ".join(f"{p.label}: {p.x:.1f} million, {p.y:.4f} on ARM, {p.reference:.4f} on the PC" for p in points)
    caption = f"{title}. Filled: ARM; hollow: the PC, with the same pictures. Left and up is better."
    chart = scatter(title, about, ("million instructions", main), points, line)
    return tag("figure", tag("figcaption", caption), chart)


def _latency(models: Sequence[Mapping[str, Any]]) -> Html | None:
    rows, band = [], 1.0
    for model in models:
        estimated = model.get("estimated_latency")
        band = estimated["band"] if estimated else band
        for phone in estimated["phones"] if estimated else []:
            ms = phone["milliseconds"]
            span = f"{_two_digits(ms / band)} to {_two_digits(ms * band)}"
            rows.append([model_title(model), f"{phone['soc']} ({phone['core']})", f"about {_two_digits(ms)}", span])
    if not rows:
        return None
    note = (
        f"An estimate from counted instructions, not a measurement: the truth may lie a factor of {band:g} either way."
    )
    head = ("Network", "Phone's core", "Estimate, ms", "Error band, ms")
    return _section(
        "Estimated latency", tag("p", note), table("Estimated milliseconds, one thread", head, rows, numeric={2, 3})
    )


def _two_digits(value: float) -> str:
    return f"{float(format(value, '.2g')):g}"


def _layers(layers: Sequence[Mapping[str, Any]]) -> Html | None:
    if not layers:
        return None
    shown_in_chart = [row for row in layers if row["own_snr_db"] is not None][:WORST_LAYERS]
    groups = [
        (row["layer"], [
            Bar(max(row["own_snr_db"], 0.0), f"{row['own_snr_db']:.1f} dB by itself", 1),
            Bar(max(row["accumulated_snr_db"] or 0.0, 0.0), f"{_decibels(row, 'accumulated')} with all before it", 0),
        ])
        for row in shown_in_chart
    ]  # fmt: skip
    title = "Signal-to-noise ratio of quantized layers, decibels"
    rows = [
        [
            row["layer"], row["operator"], "int8" if row["quantized"] else "float", _decibels(row, "own"),
            _decibels(row, "accumulated"), "-" if row["input_scale"] is None else f"{row['input_scale']:.3g}",
            f"{row['input_clipped']:.2%}",
        ]
        for row in layers
    ]  # fmt: skip
    head = ("Layer", "Operator", "Runs in", "By itself, dB", "With all before it, dB", "Input clipped to", "Clipped")
    note = "Quantized layers against the same weights in float, on the same input; a short bar is a large error."
    every = table("All layers, the worst first", head, rows, numeric={3, 4, 5, 6})
    chart = tag("figure", tag("figcaption", f"{title}, the worst first"), bar_chart(title, note, groups))
    return _section("Layers", tag("p", note), chart, tag("details", tag("summary", f"All {len(rows)} layers"), every))


def _decibels(row: Mapping[str, Any], which: str) -> str:
    snr = row[f"{which}_snr_db"]
    if snr is None:
        return "broken" if row[f"{which}_cosine"] is None else "equal"
    return f"{snr:.1f}"


def _phone(phone: Mapping[str, Any] | None) -> Html | None:
    if phone is None:
        return None
    rows = []
    for model in phone["models"]:
        ms = model.get("ms")
        figures = [f"{ms[key]:.2f}" for key in ("avg", "min", "max")] if ms else ["-", "-", "-"]
        rows.append([model["file"], *figures, model.get("runtime", ""), model.get("error", "")])
    head = ("File", "Mean, ms", "Least, ms", "Most, ms", "Runtime", "Error")
    title = f"On {phone['model']} ({phone['soc']}, Android {phone['android']})"
    shape = "x".join(map(str, phone["input_shape"]))
    caption = (
        f"Measured at {shape}, {phone['threads']} thread, {phone['repeats']} runs after {phone['warmup']} to warm up"
    )
    return _section(title, table(caption, head, rows, numeric={1, 2, 3}))


def _footer() -> Html:
    words = "Made from report.json, which lies beside this page and has all figures in full."
    return tag("footer", join(words))
