"""Operators that move values and leave them as they are, and enlarging of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ppedge.program.from_onnx.arithmetic import Translate
from ppedge.program.from_onnx.model import FREE, Node
from ppedge.program.from_onnx.patterns import slice_bounds, squeezed_axes
from ppedge.program.from_onnx.writer import UnknownError, Writer
from ppedge.program.operator import Value


def _with_shape(w: Writer, node: Node, kind: str, attributes: Mapping[str, Value]) -> None:
    """Write an operator that tells the shape that it was given, too, which only its gradient reads."""
    source = w.read(node.inputs[0])
    aside = w.between(node.outputs[0], (0, *w.shape(node.inputs[0])))
    w.put(kind, {"X": [source]}, {"Out": [w.variable(node.outputs[0])], "XShape": [aside]}, attributes)


def _reshape(w: Writer, node: Node) -> None:
    """Whatever says the new sides: each is constant, that of the same axis, or the one that is left."""
    given, made = w.model.sides[node.inputs[0]], w.model.sides[node.outputs[0]]
    sides: list[int] = []
    for axis, side in enumerate(w.shape(node.outputs[0])):
        kept = all(axis < len(one) and one[axis] == other[axis] for one, other in zip(given, made, strict=True))
        sides.append(side if side != FREE else 0 if kept else FREE)
    if sides.count(FREE) > 1:
        raise UnknownError("to a shape of which more than one side is computed")
    _with_shape(w, node, "reshape2", {"shape": sides})


def _transpose(w: Writer, node: Node) -> None:
    rank = len(w.shape(node.inputs[0]))
    order = list(node.attributes.get("perm", range(rank - 1, -1, -1)))
    _with_shape(w, node, "transpose2", {"axis": order})


def _squeeze(w: Writer, node: Node) -> None:
    given = w.shape(node.inputs[0])
    axes = squeezed_axes(w.model, node, len(given)) or [axis for axis, side in enumerate(given) if side == 1]
    _with_shape(w, node, "squeeze2", {"axes": axes})


def _unsqueeze(w: Writer, node: Node) -> None:
    axes = squeezed_axes(w.model, node, len(w.shape(node.outputs[0])))
    _with_shape(w, node, "unsqueeze2", {"axes": axes})


def _concat(w: Writer, node: Node) -> None:
    axis = node.attributes["axis"] % len(w.shape(node.outputs[0]))
    parts = [w.read(name) for name in node.inputs]
    w.put("concat", {"X": parts}, {"Out": [w.variable(node.outputs[0])]}, {"axis": axis})


def _split(w: Writer, node: Node) -> None:
    axis = node.attributes.get("axis", 0) % len(w.shape(node.inputs[0]))
    sizes = [w.shape(name)[axis] for name in node.outputs]
    if FREE in sizes or len(node.outputs) < 2:
        raise UnknownError("of a free side")
    made = [w.variable(name) for name in node.outputs]
    w.put("split", {"X": [w.read(node.inputs[0])]}, {"Out": made}, {"axis": axis, "num": 0, "sections": sizes})


def _slice(w: Writer, node: Node) -> None:
    if node.attributes.get("dropped"):
        (axis,), (start,) = node.attributes["axes"], node.attributes["starts"]
        _cut(w, node, [(axis, start, start + 1)], dropped=[axis])
        return
    bounds = slice_bounds(w.model, node)
    if bounds is None:
        raise UnknownError("with bounds computed from the picture's size")
    if any(step != 1 for *_, step in bounds):
        axes, starts, ends, steps = (list(column) for column in zip(*bounds, strict=True))
        if min(steps) < 0:
            raise UnknownError("that runs backwards")
        attributes: dict[str, Value] = {
            "axes": axes, "starts": starts, "ends": _ends(ends), "strides": steps, "infer_flags": [1] * len(axes),
            "decrease_axis": [],
        }  # fmt: skip
        made = w.variable(node.outputs[0])
        w.put("strided_slice", {"Input": [w.read(node.inputs[0])]}, {"Out": [made]}, attributes)
        return
    _cut(w, node, [(axis, start, end) for axis, start, end, _ in bounds], dropped=[])


def _cut(w: Writer, node: Node, bounds: Sequence[tuple[int, int, int]], dropped: Sequence[int]) -> None:
    axes, starts, ends = (list(column) for column in zip(*bounds, strict=True))
    attributes: dict[str, Value] = {
        "axes": axes, "starts": starts, "ends": _ends(ends), "infer_flags": [1] * len(axes),
    }  # fmt: skip
    if dropped:
        attributes["decrease_axis"] = list(dropped)
    w.put("slice", {"Input": [w.read(node.inputs[0])]}, {"Out": [w.variable(node.outputs[0])]}, attributes)


def _ends(ends: Sequence[int]) -> list[int]:
    """Return ends as 32-bit numbers, as Paddle has them: those beyond mean the end."""
    return [min(end, (1 << 31) - 1) for end in ends]


def _gather(w: Writer, node: Node) -> None:
    """Of one entry, that is a slice without its axis."""
    index, axis = w.constant(node.inputs[1]), node.attributes.get("axis", 0)
    side = w.shape(node.inputs[0])[axis]
    if index.ndim != 0 or side == FREE:
        raise UnknownError("of more than one entry, or along a free side")
    axis %= len(w.shape(node.inputs[0]))
    start = int(index) % side
    _cut(w, node, [(axis, start, start + 1)], dropped=[axis])


def _resize(w: Writer, node: Node) -> None:
    """Enlarging by whole factors: nearest, or linear between pixels."""
    mode, place = node.attributes.get("mode", "nearest"), node.attributes.get("coordinate_transformation_mode")
    factors = _factors(w, node)
    nearest = {"axis": "", "floor": "asymmetric", "round_prefer_floor": "half_pixel"}
    attributes: dict[str, Value] = {
        "align_corners": False, "align_mode": 1, "data_layout": "NCHW", "interp_method": mode, "out_d": -1,
        "out_h": -1, "out_w": -1, "scale": [float(one) for one in factors],
    }  # fmt: skip
    if mode == "nearest":
        rounding = node.attributes.get("nearest_mode", "round_prefer_floor")
        if node.type == "Resize" and nearest.get(rounding) != (place or "half_pixel"):
            raise UnknownError(f"to the nearest pixel by {place} and {rounding}")
    elif mode == "linear" and place in (None, "half_pixel", "asymmetric", "align_corners"):
        attributes |= {"interp_method": "bilinear", "align_corners": place == "align_corners",
                       "align_mode": 1 if place == "asymmetric" else 0}  # fmt: skip
    else:
        raise UnknownError(f"of mode {mode} by {place}")
    kind = "nearest_interp_v2" if mode == "nearest" else "bilinear_interp_v2"
    w.put(kind, {"X": [w.read(node.inputs[0])]}, {"Out": [w.variable(node.outputs[0])]}, attributes)


def _factors(w: Writer, node: Node) -> list[int]:
    """Return by what rows and columns are repeated, whatever tells it.

    Raises:
        UnknownError: By no whole numbers, or not by the same for all inputs.
    """
    pairs = zip(w.model.sides[node.inputs[0]], w.model.sides[node.outputs[0]], strict=True)
    found = {tuple(b / a for a, b in zip(given, made, strict=True)) for given, made in pairs}
    (factors,) = found if len(found) == 1 else [()]
    if len(factors) != 4 or factors[:2] != (1, 1) or any(one != int(one) for one in factors):
        raise UnknownError("by other than whole factors of height and width")
    return [int(one) for one in factors[2:]]


FORMS: dict[str, Translate] = {
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Resize": _resize,
    "Upsample": _resize,
}
"""By the name that ONNX has for an operator: what writes it."""
