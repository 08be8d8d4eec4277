"""What the operators of a ``.nb`` file are called, after the network's own layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ppedge.files.nb import Operator


def weight_of(op: Operator) -> str:
    """Return the name of an operator's weight; of a bias if it has that alone; empty for none."""
    for slot in ("Y",) if op.type == "mul" else ("Filter", "W", "WeightList", "Weight", "Scale"):
        if op.inputs.get(slot):
            return op.inputs[slot][0]
    return ""


def named(operators: Sequence[Operator], layers: Mapping[str, str]) -> list[str]:
    """Name each operator's source layer: by the network's own name where it is known, else by the weight's.

    An operator without a weight of its own (an activation, a calib, a bias that was not fused) is named after the last
    one before it that has one, as ``after LAYER``.

    Args:
        operators: In their order.
        layers: Structured names by weight, as ``backbone.conv1.conv`` by ``conv2d_0.w_0``; may lack any.
    """
    names, last = [], ""
    for op in operators:
        weight = weight_of(op)
        if weight:
            last = layers.get(weight, weight)
        names.append(last if weight else f"after {last}" if last else "")
    return names


def with_origins(layers: Mapping[str, str], origins: Mapping[str, str]) -> dict[str, str]:
    """Return names of layers by weight, of those too that rewriting has put in the place of the network's own.

    Where a layer's name is not known, its weight's is taken.

    Args:
        layers: By the network's own weights.
        origins: The network's weights by the names of those that stand for them.
    """
    return {**layers, **{new: layers.get(old, old) for new, old in origins.items()}}
