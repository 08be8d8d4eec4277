"""The part of a run's page on its files: sizes, what is in them, and what they cost on an ARM core by the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ppedge.artifacts import SHIPPED, Converted
from ppedge.cost.dearer import dearer_in_8_bits
from ppedge.cost.report import cost_of
from ppedge.errors import PpedgeError
from ppedge.page.charts import Bar, bar_chart
from ppedge.page.markup import Html, table, tag
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import count_size
from ppedge.runs import Run

CPUS = ("cortex-a53", "cortex-a76")
WORST = 15
"""Operators that the chart shows."""


def files(recipe: Recipe, run: Run) -> Html | None:
    """Return the section; None of a run that is not converted."""
    if not run.done("convert"):
        return None
    manifest = run.manifest("convert")
    outputs = {entry["path"]: entry for entry in manifest["outputs"]}
    shown = {name: about for name, about in manifest["metrics"].get("files", {}).items() if name in outputs}
    rows = [[name, f"{outputs[name]['bytes']:,}", _contents(about), outputs[name]["sha256"][:16]]
            for name, about in shown.items()]  # fmt: skip
    costs = predicted_costs(recipe, run)
    head = ("file", "bytes", "convolutions, or difference to Paddle", "sha256")
    return tag(
        "section", tag("h2", "Files"), table("What the convert stage wrote", head, rows, numeric=(1,)), _cost(costs)
    )


def _contents(about: Mapping[str, Any]) -> str:
    if "contents" in about:
        kinds = about["contents"].get("convolutions", {})
        return ", ".join(f"{count} {precision}" for precision, count in kinds.items())
    difference = about.get("difference_to_paddle")
    return "" if difference is None else f"{difference:.1e}"


def predicted_costs(recipe: Recipe, run: Run) -> list[dict[str, Any]]:
    """Return the predicted cost of each ``.nb`` of a converted run on each core; one that has no price is left out."""
    shape = (1, 3, *count_size(recipe))
    found = []
    for name in (entry["path"] for entry in run.manifest("convert")["outputs"]):
        file = Converted.parse(name)
        if file is None or file.form != "nb" or file.precision == "fp16":
            continue
        try:
            found += [cost_of(run.artifact("convert", name), cpu, shape, predicted=True) | {"name": name, "of": file}
                      for cpu in CPUS]  # fmt: skip
        except PpedgeError:
            continue
    return found


def dearer_by_table(costs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each core on which `predicted_costs` of a network in 8 bits are more than in float."""
    return dearer_in_8_bits(
        {(cost["cpu"], cost["of"].precision): cost["instructions"] for cost in costs if not cost["of"].baseline}
    )


def _cost(costs: Sequence[Mapping[str, Any]]) -> Html | None:
    if not costs:
        return None
    rows = [[cost["name"], cost["cpu"], f"{cost['instructions'] / 1e6:.1f}{'+' if cost['lower_bound'] else ''}",
             f"{cost['per_ideal']:.1f}" if cost["per_ideal"] else "-"] for cost in costs]  # fmt: skip
    size = "x".join(map(str, costs[0]["input_shape"]))
    precisions = {cost["of"].precision for cost in costs if not cost["of"].baseline}
    ships = next((precision for precision in SHIPPED if precision in precisions), None)
    shipped = [cost for cost in costs if cost["of"].precision == ships and not cost["of"].baseline]
    groups = []
    for cost in shipped:
        worst = sorted(cost["operators"], key=lambda one: -(one["instructions"] or 0))[:WORST]
        bars = [Bar((one["instructions"] or 0) / 1e6, f"{(one['instructions'] or 0) / 1e6:.2f} M  {one['operator']} "
                    f"{one['layer'] or ''}") for one in worst]  # fmt: skip
        groups.append((cost["cpu"], bars))
    return tag(
        "div",
        table(f"Instructions of one inference at {size}, by the cost table (+: at least)",
              ("file", "core", "millions", "per ideal"), rows, numeric=(2, 3)),
        *(tag("p", sentence) for sentence in dearer_by_table(costs)),
        tag("details", tag("summary", f"The dearest operators of {shipped[0]['name']}"),
            bar_chart("Instructions by operator", f"The {WORST} dearest on each core.", groups)) if shipped else None,
    )  # fmt: skip
