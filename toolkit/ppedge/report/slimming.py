"""The part of a run's page on slimming: what of each layer is left, in which precision, and what that rested on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppedge.metrics.drop import drop_of
from ppedge.page.markup import Html, table, tag
from ppedge.runs import Run
from ppedge.storage import read_json

_PLAN, _SENSITIVITY, _REDUCTION = "plan.json", "sensitivity.json", "reduction.json"
_QUANTIZATION, _ROUNDING, _CLIPS = "quantization.json", "rounding.json", "clips.json"


def slimming(run: Run) -> Html | None:
    """Return the section; None of a run that is not slimmed."""
    if not run.done("slim"):
        return None
    manifest = run.manifest("slim")
    told = [
        f"Pruned by {manifest.get('prune', 'a way not told')}, 8 bits by {manifest.get('quant', 'a way not told')}."
    ]
    drop = drop_of(manifest)
    if drop is not None:
        limit = "no limit" if drop.limit is None else f"{drop.limit} allowed"
        fell = f"{drop.metric} went from {drop.before:.4f} to {drop.after:.4f}"
        told.append(f"{fell}, a drop of {drop.value:.4f} ({drop.note}), {limit}.")
    if (chosen := manifest.get("box_thresh")) is not None:
        told.append(f"Its boxes need a score of {chosen:g} (det_postprocess.box_thresh), chosen on data.eval.")
    return tag(
        "section", tag("h2", "Slimming"), *(tag("p", line) for line in told),
        _searched(_kept(run, _REDUCTION)), _sensitive(_kept(run, _SENSITIVITY)), _channels(_kept(run, _PLAN)),
        _precisions(_kept(run, _QUANTIZATION)), _rounded(_kept(run, _ROUNDING)), _clipped(_kept(run, _CLIPS)),
    )  # fmt: skip


def _kept(run: Run, name: str) -> Any:
    path = run.stage("slim") / name
    return read_json(path) if path.is_file() else None


def _searched(reduction: Mapping[str, Any] | None) -> Html | None:
    """What a budget could reach, and what was taken."""
    search = next((step["search"] for step in (reduction or {}).get("steps", []) if "search" in step), None)
    if search is None:
        return None
    points = [("taken", search), *(("could be had", point) for point in search["frontier"])]
    cores = list(search["shares"])
    rows = [[name, *(f"{point['shares'][core]:.3f}" for core in cores), f"{point['error']:.4f}"]
            for name, point in points]  # fmt: skip
    return table("Shares of the network as trained, and the sum of errors, untrained",
                 ("choice", *cores, "error"), rows, numeric=range(1, len(cores) + 2))  # fmt: skip


def _sensitive(sensitivity: Mapping[str, Any] | None) -> Html | None:
    """What FPGM's plan rests on."""
    if not sensitivity or not sensitivity.get("groups"):
        return None
    rows = [
        [one["group"].removesuffix(".weight"), str(one["channels"]), str(one["kept"]),
         ", ".join(f"{kept}: {drop:+.4f}" for kept, drop in one["drops"].items())]
        for one in sensitivity["groups"]
    ]  # fmt: skip
    told = f"{sensitivity['metric']} of {sensitivity['samples']} training samples, each group pruned alone"
    return tag("details", tag("summary", f"Sensitivity of {len(rows)} groups of channels"),
               table(told, ("group", "channels", "kept", "channels left: drop"), rows, numeric=(1, 2)))  # fmt: skip


def _channels(plan: Mapping[str, Any] | None) -> Html | None:
    if plan is None:
        return None
    rows = [
        [name.removesuffix(".weight"), *(_kept_of(entry, axis) for axis in (0, 1))]
        for name, entry in plan["parameters"].items()
        if len(entry["shape"]) > 1
    ]
    changed = [*(f"{name} is dropped" for name in plan.get("dropped", [])),
               *(f"{one['layer']} becomes {one['kind']}" for one in plan.get("rewrites", []))]  # fmt: skip
    lines = [tag("p", f"{', '.join(changed)}.")] if changed else []
    if not rows:
        return tag("div", *lines) if lines else None
    head = ("layer", "first axis of its weights", "second axis")
    return tag("details", tag("summary", f"{len(rows)} layers with fewer channels"), *lines,
               table("Channels before and after", head, rows, numeric=(1, 2)))  # fmt: skip


def _kept_of(entry: Mapping[str, Any], axis: int) -> str:
    kept = entry["keep"].get(str(axis))
    whole = entry["shape"][axis]
    return str(whole) if kept is None else f"{whole} to {len(kept)}"


def _precisions(quantization: Mapping[str, Any] | None) -> Html | None:
    if not quantization or not quantization.get("layers"):
        return None
    rows = [
        [one["layer"], one["precision"], f"{one['error']:.2e}" if one.get("error") is not None else "-",
         one.get("reason", "")]
        for one in quantization["layers"]
    ]  # fmt: skip
    eight = sum(one["precision"] == "int8" for one in quantization["layers"])
    return tag("details", tag("summary", f"{eight} of {len(rows)} layers in 8 bits"),
               table("Each layer alone in 8 bits: squared error of the output, relative to its variance",
                     ("layer", "precision", "error", "why"), rows, numeric=(2,)))  # fmt: skip


def _rounded(rounding: Mapping[str, Any] | None) -> Html | None:
    if not rounding or not rounding.get("units"):
        return None
    rows = [[one["unit"], f"{one['nearest']:.1e}", f"{one['learned']:.1e}"] for one in rounding["units"]]
    return tag("details", tag("summary", f"Rounding learned in {len(rows)} units"),
               table("Error of each unit, relative to its variance", ("unit", "nearest levels", "learned"), rows,
                     numeric=(1, 2)))  # fmt: skip


def _clipped(clips: Mapping[str, Any] | None) -> Html | None:
    if not clips:
        return None
    rows = [[layer, f"{clip['start']:.3g}", f"{clip['end']:.3g}"] for layer, clip in clips.items()]
    return tag("details", tag("summary", f"Clips of {len(rows)} layers"),
               table("Largest magnitude that a layer's input keeps in 8 bits", ("layer", "measured", "learned"), rows,
                     numeric=(1, 2)))  # fmt: skip
