"""``ppedge validate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ppedge.cli.options import Force, Json, RunFolder, Set, SkipBad, measuring, run_and_recipe
from ppedge.cli.output import emit, say
from ppedge.errors import PpedgeError
from ppedge.figures import figure

app = typer.Typer(add_completion=False)
_LISTED = 5  # samples that differ, on the screen


@app.command()
def validate(
    run: RunFolder = None,
    engine: Annotated[
        Literal["onnxruntime", "paddlelite"] | None, typer.Option(help="What runs the models on ARM.")
    ] = None,
    cpu: Annotated[
        list[str], typer.Option(help="cortex-a53, cortex-a76, any core that QEMU knows, or pc; may be repeated.")
    ] = [],  # noqa: B006
    limit: Annotated[int | None, typer.Option(min=1, help="Evaluation pictures (crops) to run.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Emulated processes; by default one a core.")] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Also show what quantizing costs each layer.")] = False,
    allow_older_runtime: Annotated[
        bool, typer.Option("--allow-older-runtime", help="Use a Paddle Lite older than the opt that wrote the .nb.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="adb[:SERIAL]", help="Also time the models on a phone, with the demo app on it or --benchmark-bin."
        ),
    ] = None,
    benchmark_bin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Paddle Lite's benchmark_bin, built for Android.")
    ] = None,
    set_: Set = [],  # noqa: B006
    force: Force = False,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Run a converted run's models on an emulated ARM core and compare with the PC.

    Prints the cost on ARM, how far outputs, boxes or strings, and the metric lie apart, and the gates; a gate of the
    recipe that does not hold ends in exit code 1.
    """
    given = {"engine": engine, "cpu": f"[{', '.join(cpu)}]" if cpu else None, "limit": limit, "workers": workers}
    overrides = list(set_) + [f"validate.{key}={value}" for key, value in given.items() if value is not None]
    if benchmark_bin is not None and device is None:
        raise PpedgeError("--benchmark-bin without --device.", "Name the phone: --device adb")
    opened, recipe = run_and_recipe(run, measuring(overrides))

    from ppedge.progress import Reporter
    from ppedge.validate import adb
    from ppedge.validate.html import PAGE
    from ppedge.validate.stage import require_passed, run_validate

    phone = adb.connect(device, benchmark_bin) if device else None
    report = run_validate(
        recipe,
        opened,
        phone=phone,
        layers=layers,
        allow_older_runtime=allow_older_runtime,
        force=force,
        skip_bad=skip_bad,
        reporter=Reporter(),
    )
    if as_json:
        emit(report)
    else:
        for line in report_lines(report):
            say(line)
        say(f"page: {opened.stage('validate') / PAGE}")
    require_passed(report, opened.stage("validate"))


def report_lines(report: dict[str, Any]) -> list[str]:
    """Return a report as lines for a person."""
    from ppedge.validate.explain import layer_lines
    from ppedge.validate.gates import told
    from ppedge.validate.report import dearer

    lines = [*_core_lines(report), *_cost_lines(report), *dearer(report), *_latency_lines(report)]
    lines += [*(f"not run: {row['file']} on {row['cpu']}: {row['reason']}" for row in report["not_run"]), ""]
    for model in report["models"]:
        if not model["baseline"]:
            lines += [*_parity_lines(model), ""]
    lines += [*_accuracy_lines(report), *_few_lines(report), ""]
    failed = [row for row in report["gates"] if not row["passed"]]
    lines += layer_lines(report.get("layers", []))
    lines.append(f"gates: {len(report['gates']) - len(failed)} passed, {len(failed)} failed")
    lines += [f"  FAILED  {told(row)}" for row in failed]
    lines += [
        f"  passed, may be chance  {told(row)}" for row in report["gates"] if row["passed"] and row.get("by_chance")
    ]
    return lines + (_phone_lines(report["device"]) if "device" in report else [])


def _core_lines(report: dict[str, Any]) -> list[str]:
    return [
        f"{cpu}: {' '.join(features) if features else 'features not known to ppedge'}"
        for cpu, features in report["features"].items()
    ]


def _cost_lines(report: dict[str, Any]) -> list[str]:
    counted = [model for model in report["models"] if "instructions" in model]
    if not counted:
        return []
    head = ("file", "core", "bytes", "M instructions", "ratio", "M to open", "MB held")
    rows = [head]
    for model in counted:
        ratio = "-" if model["ratios"] is None else f"{model['ratios']['total']:.3f}"
        total, opening, memory = model["instructions"]["total"], model["load_instructions"], model["memory_bytes"]
        figures = (f"{total / 1e6:.1f}", ratio, f"{opening / 1e6:.1f}", f"{memory / 1e6:.1f}")
        rows.append((model["file"], model["cpu"], f"{model['bytes']:,}", *figures))
    shape = "x".join(map(str, counted[0]["input_shape"]))
    return [f"ARM cost of one inference at {shape}, {counted[0]['runtime']}", *_aligned(rows, left=2)]


def _accuracy_lines(report: dict[str, Any]) -> list[str]:
    """Return the metric as trained, as slimmed and as it ships, side by side."""
    from ppedge.validate.side_by_side import figure, measured

    found = report.get("accuracy", [])
    if not found:
        return []
    rows = [(row["network"], row["on"], measured(row), figure(row)) for row in found]
    return [f"{found[0]['metric']} from training to ARM, with 95 % intervals", *_aligned(rows, left=4)]


def _few_lines(report: dict[str, Any]) -> list[str]:
    """Return a sentence on how little the metric of so few samples says, of the file that ships."""
    from ppedge.metrics.bootstrap import Measured
    from ppedge.metrics.few import few

    compared = [model for model in report["models"] if not model["baseline"]]
    if not compared:
        return []
    last, split = compared[-1], report["pictures"]
    metric = last["metric"]
    measured = Measured(metric["candidate"][metric["main"]], *metric.get("interval", (None, None)))
    sentence = few(report["task"], f"data.{split}", last["samples"], measured,
                   f"take more with --limit, or name more in data.{split}", last.get("of_pictures"))  # fmt: skip
    return [] if sentence is None else [sentence]


def _aligned(rows: Sequence[tuple[str, ...]], left: int) -> list[str]:
    """Return a table's lines; so many columns are aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            word.ljust(width) if k < left else word.rjust(width)
            for k, (word, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _latency_lines(report: dict[str, Any]) -> list[str]:
    from ppedge.validate.latency import told

    return [
        f"{model['file']} on {model['cpu']}: {told(model['estimated_latency'])}"
        for model in report["models"]
        if model.get("estimated_latency")
    ]


def _parity_lines(model: dict[str, Any]) -> list[str]:
    """Return one model on one core against the PC: outputs, the task, the metric, and where they differ."""
    tensors, agreement, metric = model["tensors"], model["agreement"], model["metric"]
    lines = [
        f"{model['file']} on {model['cpu']}, {model['samples']} samples: {model['reference']} -> {model['candidate']}",
        f"  outputs: {_tensor_words(tensors)}",
        f"  {_agreement_words(agreement)}",
    ]
    for name, before in metric["reference"].items():
        change = metric["difference"][name]
        interval = "" if change["low"] is None else f" ({change['low']:+.4f} to {change['high']:+.4f})"
        lines.append(f"  {name}: {before:.4f} -> {metric['candidate'][name]:.4f}, {change['value']:+.4f}{interval}")
    worst = [f"{shape['name']} {figure(shape['max_difference'], 2)}" for shape in model["shapes"]]
    lines.append(f"  largest difference by shape: {', '.join(worst)}")
    if model["blame"]:
        lines.append(f"  blame: {model['blame']['verdict']}")
    for different in model["different"][:_LISTED]:
        lines.append(f"  differs: {_difference_words(different)}")
    if len(model["different"]) > _LISTED:
        lines.append(f"  differs: {len(model['different']) - _LISTED} more, see report.json")
    return lines


def _tensor_words(tensors: dict[str, Any]) -> str:
    if tensors["identical"]:
        return "identical"
    largest, mean = figure(tensors["max_difference"], 2), figure(tensors["mean_difference"], 2)
    snr, cosine = figure(tensors["snr_db"], 3), figure(tensors["cosine"], 7)
    return f"largest difference {largest}, mean {mean}, signal to noise {snr} dB, cosine {cosine}"


def _agreement_words(agreement: dict[str, Any]) -> str:
    if "lines" in agreement:
        return f"strings: {agreement['equal']} of {agreement['lines']} equal ({agreement['share']:.4f})"
    matched, before, after = agreement["matched"], agreement["reference"], agreement["candidate"]
    return f"boxes: {before} -> {after}, {matched} the same at IoU 0.9 ({agreement['share']:.4f})"


def _difference_words(different: dict[str, Any]) -> str:
    where = different["where"] or different["picture"]
    if "label" in different:
        before, after = different["reference"]["text"], different["candidate"]["text"]
        return f"{where}: {before!r} -> {after!r}, labelled {different['label']!r}"
    return f"{where}: {different['reference']} -> {different['candidate']} boxes, {different['matched']} the same"


def _phone_lines(phone: dict[str, Any]) -> list[str]:
    lines = [f"on {phone['model']} ({phone['soc']}, Android {phone['android']}), one thread:"]
    if "stages" in phone:
        return lines + _app_lines(phone)
    for model in phone["models"]:
        ms = model.get("ms")
        told = f"{ms['avg']:.2f} ms ({ms['min']:.2f} to {ms['max']:.2f})" if ms else model["error"]
        lines.append(f"  {model['file']}: {told}")
    return lines


def _app_lines(phone: dict[str, Any]) -> list[str]:
    """Return what the demo app measured: the whole pipeline on one picture."""
    size, heat = "x".join(map(str, phone["input_shape"])), f"{phone['thermal_before']} to {phone['thermal_after']}"
    lines = [f"  {phone['runtime']}, picture of {size} with {phone['lines']} lines, thermal state {heat}"]
    for name, times in phone["stages"].items():
        lines.append(f"  {name}: {times['p50']:.2f} ms (p90 {times['p90']:.2f})")
    return lines
