"""The pruning plan: saved once, read by every later step, so that training and export can never disagree on shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from ppedge.errors import PpedgeError
from ppedge.runs import read_json, write_json
from ppedge.slim.groups import Group

SCHEMA = 1


@dataclass(frozen=True)
class Plan:
    """What is kept of a network.

    Attributes:
        method: How it was chosen.
        shapes: Shape before pruning of each parameter and buffer that loses channels, by structured name.
        keep: For the same names: axis -> kept channel indices, ascending.
    """

    method: str
    shapes: dict[str, list[int]]
    keep: dict[str, dict[int, list[int]]]

    @classmethod
    def from_groups(cls, method: str, kept: Mapping[Group, Sequence[int]], shapes: Mapping[str, Sequence[int]]) -> Plan:
        """Build a plan from the kept channels of each group.

        Args:
            method: How they were chosen.
            kept: Ascending channel indices of each group; a group that keeps all need not be there.
            shapes: Shapes of all parameters and buffers.
        """
        keep: dict[str, dict[int, list[int]]] = {}
        for group, channels in kept.items():
            if len(channels) == group.channels:
                continue
            for name, axis in group.members:
                keep.setdefault(name, {})[axis] = [int(c) for c in channels]
        return cls(method, {name: list(shapes[name]) for name in keep}, keep)

    def save(self, path: Path) -> None:
        """Write the plan as JSON, atomically."""
        parameters = {
            name: {"shape": self.shapes[name], "keep": {str(axis): list(kept) for axis, kept in sorted(axes.items())}}
            for name, axes in sorted(self.keep.items())
        }
        write_json(path, {"schema": SCHEMA, "method": self.method, "parameters": parameters})

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read a plan.

        Raises:
            PpedgeError: The file is missing, or is not a plan.
        """
        value: Any = read_json(path)
        try:
            if value["schema"] != SCHEMA:
                raise ValueError(f"schema {value['schema']}")
            entries = value["parameters"].items()
            keep = {name: {int(axis): list(map(int, kept)) for axis, kept in e["keep"].items()} for name, e in entries}
            return cls(value["method"], {name: list(map(int, e["shape"])) for name, e in entries}, keep)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PpedgeError(f"{path}: not a pruning plan ({error}).", "Repeat `ppedge slim --force`.") from error

    def select(self, name: str, value: np.ndarray) -> np.ndarray:
        """Return what the plan keeps of one parameter."""
        for axis, kept in self.keep.get(name, {}).items():
            value = np.take(value, kept, axis=axis)
        return np.ascontiguousarray(value)


def apply_plan(net: paddle.nn.Layer, plan: Plan) -> None:
    """Prune a network in place: values are sliced, grouped convolutions get their new number of groups.

    Args:
        net: The full network; its weights may be anything.
        plan: What to keep.

    Raises:
        PpedgeError: The plan was made for another network. The network is unchanged then.
    """
    state = net.state_dict()
    wrong = [n for n, shape in plan.shapes.items() if n not in state or list(state[n].shape) != shape]
    bad = [
        name
        for name, axes in plan.keep.items()
        for axis, kept in axes.items()
        if not kept or axis >= len(plan.shapes[name]) or not 0 <= min(kept) <= max(kept) < plan.shapes[name][axis]
    ]
    if wrong or bad:
        raise PpedgeError(
            f"The pruning plan does not fit the network: {len(wrong) + len(bad)} parameters differ, "
            f"first {(wrong + bad)[0]}.",
            "Use the plan of the same run and an unchanged model section.",
        )
    place = paddle.framework._current_expected_place()
    for name in plan.keep:
        state[name].value().get_tensor().set(plan.select(name, state[name].numpy()), place)
    for layer in net.sublayers():
        # Depthwise convolutions of this family have one input channel a group; their weight's axis 0 is the number of
        # groups.
        if isinstance(layer, paddle.nn.Conv2D) and layer._groups > 1:
            layer._groups = layer.weight.shape[0]
