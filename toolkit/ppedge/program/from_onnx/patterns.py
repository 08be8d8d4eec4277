"""What exporters write as several operators, put together again as the one that was meant.

Paddle2ONNX takes GELU, layer normalisation, hard swish and the slice of one entry apart for older versions of ONNX's
operators. Each becomes the operator that newer versions have for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppedge.program.from_onnx.model import Node, OnnxModel


@dataclass(frozen=True)
class Match:
    """Operators that are one.

    Attributes:
        parts: The operators; the last of them makes what the one makes.
        type: Of the one, as ONNX calls it.
        inputs: Names of values.
        attributes: By name.
    """

    parts: Sequence[Node]
    type: str
    inputs: tuple[str, ...]
    attributes: dict[str, Any]


def join(model: OnnxModel) -> None:
    """Put operators together, in place."""
    for pattern in PATTERNS:
        for node in list(model.nodes):
            match = pattern(model, node) if node in model.nodes else None
            if match is None or not _private(model, match):
                continue
            last = match.parts[-1]
            joined = Node(match.type, match.inputs, last.outputs, match.attributes, last.name)
            model.nodes[model.nodes.index(last)] = joined
            model.nodes = [one for one in model.nodes if one not in match.parts]


def _private(model: OnnxModel, match: Match) -> bool:
    """Whether nothing else reads what the operators make on their way."""
    inside = [name for node in match.parts[:-1] for name in node.outputs]
    return all(node in match.parts for name in inside for node in model.readers(name)) and model.output not in inside


def _gelu(model: OnnxModel, node: Node) -> Match | None:
    """``x / 2 (1 + erf(x / sqrt(2)))``, its factors in any order."""
    if node.type != "Erf":
        return None
    scaled, added = model.writer(node.inputs[0]), model.only_reader(node.outputs[0])
    source = _times(model, scaled, 2**-0.5)
    if source is None or added is None or scaled is None or _plus(model, added) != (node.outputs[0], 1.0):
        return None
    parts, made, factors = [scaled, node, added], added.outputs[0], [source, 0.5]
    while factors:
        product = model.only_reader(made)
        if product is None or product.type not in ("Mul", "Div"):
            return None
        (other,) = [name for name in product.inputs if name != made] or [""]
        half = model.writer(other)
        if product.type == "Mul" and other == source and source in factors:
            factors.remove(source)
        elif half is not None and len(factors) == 2 and _times(model, half, 0.5) == source and product.type == "Mul":
            factors.clear()
            parts.append(half)
        elif 0.5 in factors and _times(model, product, 0.5) == made:
            factors.remove(0.5)
        else:
            return None
        parts.append(product)
        made = product.outputs[0]
    return Match(parts, "Gelu", (source,), {})


def _hard_swish(model: OnnxModel, node: Node) -> Match | None:
    """``x min(max(x + 3, 0), 6) / 6``, or ``x`` times its hard sigmoid of slope 1/6."""
    if node.type == "HardSigmoid":
        slope, offset = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
        product = model.only_reader(node.outputs[0])
        if product is None or product.type != "Mul" or not np.allclose((slope * 6, offset), (1, 0.5), atol=1e-6):
            return None
        right = sorted(product.inputs) == sorted((node.inputs[0], node.outputs[0]))
        return Match([node, product], "HardSwish", node.inputs[:1], {}) if right else None
    if node.type != "Clip" or clip_limits(model, node) != (0.0, 6.0):
        return None
    added, product = model.writer(node.inputs[0]), model.only_reader(node.outputs[0])
    if added is None or product is None or product.type != "Mul":
        return None
    source, three = _plus(model, added)
    divided = model.only_reader(product.outputs[0])
    if three != 3.0 or sorted(product.inputs) != sorted((source, node.outputs[0])):
        return None
    if divided is None or _times(model, divided, 1 / 6) != product.outputs[0]:
        return None
    return Match([added, node, product, divided], "HardSwish", (source,), {})


def _layer_norm(model: OnnxModel, node: Node) -> Match | None:
    """``(x - mean) / sqrt(variance + epsilon) * gain + bias`` along the last axes."""
    if node.type != "Div":
        return None
    centred, root = (model.writer(name) for name in node.inputs)
    if centred is None or root is None or centred.type != "Sub" or root.type != "Sqrt":
        return None
    mean, shifted = model.writer(centred.inputs[1]), model.writer(root.inputs[0])
    if mean is None or shifted is None:
        return None
    variance, epsilon = _plus(model, shifted)
    spread = model.writer(variance)
    square = model.writer(spread.inputs[0]) if spread is not None else None
    gained = model.only_reader(node.outputs[0])
    biased = model.only_reader(gained.outputs[0]) if gained is not None else None
    if spread is None or square is None or gained is None or biased is None or epsilon is None:
        return None
    source, axes = mean.inputs[0], reduced_axes(model, mean)
    rank = len(model.shapes.get(source, ()))
    same = axes == reduced_axes(model, spread) and mean.type == spread.type == "ReduceMean"
    if not same or centred.inputs[0] != source or axes != list(range(rank - len(axes), rank)):
        return None
    if not _is_square(model, square, centred.outputs[0]) or (gained.type, biased.type) != ("Mul", "Add"):
        return None
    gain, bias = (_other(model, one) for one in (gained, biased))
    sides = model.shapes[source][axes[0] :]
    if gain is None or bias is None or any(model.constants[one].shape != sides for one in (gain, bias)):
        return None
    parts = [mean, centred, square, spread, shifted, root, node, gained, biased]
    return Match(parts, "LayerNormalization", (source, gain, bias), {"axis": axes[0], "epsilon": epsilon})


def _is_square(model: OnnxModel, node: Node, of: str) -> bool:
    if node.type == "Pow":
        return node.inputs[0] == of and _number(model, node.inputs[1]) == 2.0
    return node.type == "Mul" and set(node.inputs) == {of}


def _one_entry(model: OnnxModel, node: Node) -> Match | None:
    """A slice of one entry along an axis, and the axis dropped."""
    if node.type != "Slice":
        return None
    squeeze = model.only_reader(node.outputs[0])
    bounds = slice_bounds(model, node)
    if squeeze is None or squeeze.type != "Squeeze" or bounds is None or len(bounds) != 1:
        return None
    (axis, start, end, step), rank = bounds[0], len(model.shapes[node.inputs[0]])
    count = model.shapes[node.inputs[0]][axis]
    start, end = (side + count if side < 0 else min(side, count) for side in (start, end))
    if count < 0 or end - start != 1 or step != 1 or squeezed_axes(model, squeeze, rank) != [axis]:
        return None
    return Match([node, squeeze], "Slice", (node.inputs[0],), {"axes": [axis], "starts": [start], "dropped": True})


PATTERNS: Sequence[Callable[[OnnxModel, Node], Match | None]] = (_gelu, _hard_swish, _layer_norm, _one_entry)


def clip_limits(model: OnnxModel, node: Node) -> tuple[float | None, float | None]:
    """Return between what a ``Clip`` keeps values: attributes before version 11, inputs from then on."""
    if "min" in node.attributes or "max" in node.attributes:
        return node.attributes.get("min"), node.attributes.get("max")
    low, high = (*node.inputs[1:], "", "")[:2]
    return _number(model, low), _number(model, high)


def reduced_axes(model: OnnxModel, node: Node) -> list[int]:
    """Return the axes along which an operator reduces, from the first; all if it names none."""
    rank = len(model.shapes[node.inputs[0]])
    axes = listed(model, node, "axes", 1)
    return sorted(axis % rank for axis in axes) if axes else list(range(rank))


def squeezed_axes(model: OnnxModel, node: Node, rank: int) -> list[int]:
    """Return the axes that an operator drops, or adds to make ``rank`` of them; empty if it names none."""
    return sorted(axis % rank for axis in listed(model, node, "axes", 1) or [])


def listed(model: OnnxModel, node: Node, name: str, place: int) -> list[int] | None:
    """Return whole numbers that are an attribute in older versions, and an input at some place in newer ones.

    None if they are left out, or are no constant.
    """
    if name in node.attributes:
        return [int(one) for one in node.attributes[name]]
    array = model.constant(node.inputs[place]) if len(node.inputs) > place else None
    return None if array is None else [int(one) for one in array.ravel()]


def slice_bounds(model: OnnxModel, node: Node) -> list[tuple[int, int, int, int]] | None:
    """Return axis, start, end and step of each axis that a ``Slice`` cuts; None if one is computed from the input."""
    starts, ends = listed(model, node, "starts", 1), listed(model, node, "ends", 2)
    if starts is None or ends is None:
        return None
    axes, steps = listed(model, node, "axes", 3), listed(model, node, "steps", 4)
    rank = len(model.shapes[node.inputs[0]])
    axes = [axis % rank for axis in axes] if axes is not None else list(range(len(starts)))
    return list(zip(axes, starts, ends, steps or [1] * len(starts), strict=True))


def _number(model: OnnxModel, name: str) -> float | None:
    array = model.constant(name)
    return float(array.reshape(())) if array is not None and array.size == 1 else None


def _other(model: OnnxModel, node: Node) -> str | None:
    """Return the one input of two that is a constant."""
    found = [name for name in node.inputs if name in model.constants]
    return found[0] if len(found) == 1 else None


def _plus(model: OnnxModel, node: Node) -> tuple[str, float | None]:
    """Return what an operator adds a number to, and the number; ``("", None)`` for all others."""
    constant = _other(model, node) if node.type == "Add" else None
    if constant is None:
        return "", None
    (source,) = [name for name in node.inputs if name != constant]
    return source, _number(model, constant)


def _times(model: OnnxModel, node: Node | None, factor: float) -> str | None:
    """Return what an operator multiplies by a number, or divides by its inverse; None for all others."""
    if node is None or node.type not in ("Mul", "Div"):
        return None
    constant = _other(model, node)
    number = _number(model, constant) if constant is not None else None
    if number is None or (node.type == "Div" and node.inputs[1] != constant):
        return None
    (source,) = [name for name in node.inputs if name != constant]
    found = number if node.type == "Mul" else 1 / number if number else float("inf")
    return source if np.isclose(found, factor, rtol=1e-6, atol=0) else None
