"""The part of ``report.html`` that compares one file on one core with the PC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ppedge.figures import figure
from ppedge.page.document import picture
from ppedge.page.markup import Html, compared, join, table, tag

STAGES = {"preprocess": "pre-processing", "network": "network", "postprocess": "post-processing"}


def precision_words(model: Mapping[str, Any]) -> str:
    """Return what a file is, without its name: ``int8``, or ``fp32 before slimming``."""
    return f"{model['precision']} before slimming" if model["baseline"] else str(model["precision"])


def model_title(model: Mapping[str, Any]) -> str:
    """Return a file on a core."""
    return f"{model['file']} on {model['cpu']}"


def drawings_of(model: Mapping[str, Any]) -> list[str]:
    """Return the names of the pictures that were drawn of what differs."""
    return [one["drawing"] for one in model.get("different", []) if one["drawing"] is not None]


def model_part(model: Mapping[str, Any], drawings: Mapping[str, bytes]) -> Html:
    """Return the section of a file that was compared.

    Args:
        model: Its entry in the report.
        drawings: JPEG files by name.
    """
    tables = tag("div", tag("div", _tensors(model), _agreement(model), _metric(model)),
                 tag("div", _shapes(model)), class_="columns")  # fmt: skip
    lead = f"{model['samples']} samples, {model['reference']} on the PC against {model['candidate']}."
    return tag(
        "section", tag("h2", f"Parity: {model_title(model)}"), tag("p", lead, class_="quiet"), tables,
        _blame(model.get("blame")), _different(model.get("different", []), model, drawings),
    )  # fmt: skip


def _tensors(model: Mapping[str, Any]) -> Html:
    values = model["tensors"]
    rows = [
        ["Identical", "yes" if values["identical"] else "no"],
        ["Largest difference", figure(values["max_difference"], 3)],
        ["Mean difference", figure(values["mean_difference"], 3)],
        ["Cosine", figure(values["cosine"], 8)],
        ["Signal to noise, dB", "no noise" if values["identical"] else figure(values["snr_db"], 4)],
        ["Outputs that are broken", str(model["broken_outputs"])],
    ]
    return table("1. The network's outputs", ("Figure", "Value"), rows, numeric={1})


def _agreement(model: Mapping[str, Any]) -> Html:
    found = model["agreement"]
    if "lines" in found:
        rows = [["Lines read", str(found["lines"])], ["The same string", str(found["equal"])]]
    else:
        rows = [
            [f"Boxes of {model['reference']}", str(found["reference"])],
            [f"Boxes of {model['candidate']}", str(found["candidate"])],
            ["The same at IoU 0.9", str(found["matched"])],
        ]
    rows.append(["Agreement", f"{found['share']:.2%}"])
    return table("2. The task", ("Figure", "Value"), rows, numeric={1})


def _metric(model: Mapping[str, Any]) -> Html:
    metric = model["metric"]
    rows = []
    for name, before in metric["reference"].items():
        change = metric["difference"][name]
        interval = "-" if change["low"] is None else f"{change['low']:+.4f} to {change['high']:+.4f}"
        words = f"{name} (main)" if name == metric["main"] else name
        rows.append([words, f"{before:.4f}", f"{metric['candidate'][name]:.4f}", f"{change['value']:+.4f}", interval])
    head = ("Metric", model["reference"], model["candidate"], "Change", f"{metric['confidence']:.0%} interval")
    return table("3. The metric", head, rows, numeric=range(1, 5))


def _shapes(model: Mapping[str, Any]) -> Html:
    rows = [
        [
            shape["name"], "x".join(map(str, shape["input_shape"])), figure(shape["max_difference"], 3),
            "no noise" if shape["identical"] else figure(shape["snr_db"], 4),
        ]
        for shape in model["shapes"]
    ]  # fmt: skip
    again = model["repeat_differences"]
    same = "the same to the last bit" if again == 0 else f"{again} values other than before"
    caption = f"Unlike shapes in one process; the first of them run again at the end: {same}"
    return table(caption, ("Shape", "Input", "Largest difference", "SNR, dB"), rows, numeric={2, 3})


def _blame(blame: Mapping[str, Any] | None) -> Html | None:
    if blame is None:
        return None
    rows = []
    for stage in blame["stages"]:
        changed = "; ".join(f"{c['key']}: {c['shipped']} instead of {c['reference']}" for c in stage["changes"])
        verdict = "to blame" if stage["blamed"] else "no"
        shares = [f"{stage[key]:.1%}" for key in ("explained", "alone", "left")]
        rows.append([STAGES[stage["stage"]], verdict, *shares, changed or "-"])
    head = ("Stage", "Blamed", "Explains", "Alone shipped", "Alone the reference's", "Keys that differ")
    return join(
        tag("h3", "What is to blame"), tag("p", blame["verdict"], class_="verdict"),
        table("Disagreement with the stages swapped one at a time", head, rows, numeric={2, 3, 4}),
    )  # fmt: skip


def _different(found: Sequence[Mapping[str, Any]], model: Mapping[str, Any], drawings: Mapping[str, bytes]) -> Html:
    if not found:
        return tag("p", "Boxes or strings are the same on every sample.")
    texts = "label" in found[0]
    row = _text_row if texts else _box_row
    sides = (model["reference"], model["candidate"])
    told = ("Says", *(f"{side} reads" for side in sides)) if texts else (*sides, "The same")
    head = ("Label at", "Picture", *told)
    caption = "Characters that are not the label's are marked" if texts else "Boxes in each picture, at IoU 0.9"
    shown_ones = [(one, drawings[one["drawing"]]) for one in found if one["drawing"] in drawings]
    return join(
        tag("h3", f"What differs: {len(found)} of {model['samples']} samples"),
        table(caption, head, [row(one) for one in found], numeric=() if texts else (2, 3, 4)),
        tag("div", *(_figure(one, data, sides) for one, data in shown_ones), class_="columns") if shown_ones else None,
    )


def _box_row(one: Mapping[str, Any]) -> list[str]:
    return [one["where"], one["picture"], *(str(one[key]) for key in ("reference", "candidate", "matched"))]


def _text_row(one: Mapping[str, Any]) -> list[str]:
    label = one["label"]
    read = [_read(label, one[side]["text"], one[side]["score"]) for side in ("reference", "candidate")]
    return [one["where"], one["picture"], tag("span", label, class_="read"), *read]


def _read(label: str, text: str, score: float | None) -> Html:
    """A reading, with what is not the label's marked, and its score."""
    return join(compared(label, text), " ", tag("span", f"({figure(score, 3)})", class_="quiet"))


def _figure(one: Mapping[str, Any], data: bytes, sides: tuple[str, str]) -> Html:
    left, right = sides
    if "label" in one:
        label, before, after = one["label"], one["reference"]["text"], one["candidate"]["text"]
        words = f"{one['where']}: labelled {label!r}, {left} reads {before!r}, {right} {after!r}"
    else:
        only = [one[side] - one["matched"] for side in ("reference", "candidate")]
        words = f"{one['where']}: boxes of {left} on the left, {only[0]} of its own; of {right} on the right, {only[1]}"
    return picture(data, words)
