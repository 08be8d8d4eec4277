"""The plan of a slimmed network: saved once, read by every later step, so that training and export never disagree.

It says which channels are kept, which layers are dropped, which parts are rewritten, and which layers are int8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import paddle
from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from ppedge.errors import PpedgeError
from ppedge.slim.channels.groups import Group
from ppedge.slim.rewrites import HINT, KINDS, Rewrite, apply_rewrite, layer_at, put_at
from ppedge.storage import read_state, write_json

SCHEMA = 2
_Side = Annotated[int, Field(ge=0, le=1 << 20)]


def _ascending(kept: list[int]) -> list[int]:
    if any(a >= b for a, b in pairwise(kept)):
        raise ValueError("channels should ascend")
    return kept


class _Parameter(TypedDict):
    shape: list[_Side]
    keep: dict[_Side, Annotated[list[_Side], AfterValidator(_ascending)]]


class _Rewrite(TypedDict):
    kind: str
    layer: str
    options: dict[str, _Side | list[_Side]]


class _Cut(TypedDict):
    """Schema 1 could cut channels alone."""

    schema: Literal[1]
    method: str
    parameters: dict[str, _Parameter]


class _Whole(TypedDict):
    """What `Plan.save` writes."""

    schema: Literal[2]
    method: str
    parameters: dict[str, _Parameter]
    dropped: list[str]
    rewrites: list[_Rewrite]
    precision: dict[str, Literal["fp32", "int8"]]
    made: dict[str, list[_Side]]


_File = Annotated[_Cut | _Whole, Field(discriminator="schema")]


@dataclass(frozen=True)
class Plan:
    """What is kept of a network, and what it becomes.

    Attributes:
        method: How it was chosen.
        shapes: Shape before pruning of each parameter and buffer that loses channels, by structured name.
        keep: For the same names: axis -> kept channel indices, ascending.
        dropped: Structured names of layers that hand on what they are given, or are never run.
        rewrites: Applied in this order, after channels are cut and layers dropped.
        precision: ``fp32`` or ``int8`` by layer; of layers that are not named the recipe decides.
        made: Shapes of the parameters and buffers that rewrites brought in, by structured name.
    """

    method: str
    shapes: dict[str, list[int]]
    keep: dict[str, dict[int, list[int]]]
    dropped: tuple[str, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    precision: dict[str, str] = field(default_factory=dict)
    made: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def from_groups(cls, method: str, kept: Mapping[Group, Sequence[int]], shapes: Mapping[str, Sequence[int]]) -> Plan:
        """Build a plan from the kept channels of each group.

        Args:
            method: How they were chosen.
            kept: Ascending channels of each group; a group that keeps all need not be there.
            shapes: Shapes of all parameters and buffers.
        """
        gone: dict[str, dict[int, set[int]]] = {}
        for group, channels in kept.items():
            lost = sorted(set(range(group.channels)) - set(channels))
            for member in group.members if lost else ():
                gone.setdefault(member.name, {}).setdefault(member.axis, set()).update(
                    member.indices[channel] for channel in lost
                )
        keep = {
            name: {axis: [i for i in range(shapes[name][axis]) if i not in lost] for axis, lost in axes.items()}
            for name, axes in gone.items()
        }
        return cls(method, {name: list(shapes[name]) for name in keep}, keep)

    @property
    def float_layers(self) -> list[str]:
        """Layers that stay in float whatever the recipe says."""
        return [layer for layer, precision in self.precision.items() if precision == "fp32"]

    def save(self, path: Path) -> None:
        """Write the plan as JSON, atomically."""
        parameters = {
            name: {"shape": self.shapes[name], "keep": {str(axis): list(kept) for axis, kept in sorted(axes.items())}}
            for name, axes in sorted(self.keep.items())
        }
        write_json(
            path,
            {
                "schema": SCHEMA,
                "method": self.method,
                "parameters": parameters,
                "dropped": list(self.dropped),
                "rewrites": [asdict(rewrite) for rewrite in self.rewrites],
                "precision": dict(sorted(self.precision.items())),
                "made": dict(sorted(self.made.items())),
            },
        )

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read a plan; those of schema 1, which could cut channels alone, too.

        Raises:
            PpedgeError: The file is missing, or is not a plan.
        """
        value = read_state(path, _File, "a pruning plan", "Repeat `ppedge slim --force`.")
        parameters = value["parameters"].items()
        return cls(
            value["method"],
            {name: entry["shape"] for name, entry in parameters},
            {name: entry["keep"] for name, entry in parameters},
            tuple(value.get("dropped", ())),
            tuple(Rewrite(**rewrite) for rewrite in value.get("rewrites", ())),
            value.get("precision", {}),
            value.get("made", {}),
        )

    def select(self, name: str, value: np.ndarray) -> np.ndarray:
        """Return what the plan keeps of one parameter."""
        for axis, kept in self.keep.get(name, {}).items():
            value = np.take(value, kept, axis=axis)
        return np.ascontiguousarray(value)


def apply_plan(net: paddle.nn.Layer, plan: Plan) -> None:
    """Slim a network in place: channels are cut, layers dropped, parts rewritten; new parts need weights.

    Args:
        net: The full network; its weights may be anything.
        plan: What to do.

    Raises:
        PpedgeError: The plan was made for another network. If channels, layers or rewrites are not there, the network
            is unchanged then.
    """
    _check(net, plan)
    state = net.state_dict()
    place = paddle.framework._current_expected_place()
    depthwise = [layer for layer in net.sublayers() if _is_depthwise(layer)]
    for name in plan.keep:
        state[name].value().get_tensor().set(plan.select(name, state[name].numpy()), place)
    for layer in depthwise:  # other grouped convolutions are never cut: their channels are in no group
        layer._groups = layer.weight.shape[0]
    for name in plan.dropped:
        put_at(net, name, paddle.nn.Identity())
    for rewrite in plan.rewrites:
        apply_rewrite(net, rewrite)
    shapes = {name: list(tensor.shape) for name, tensor in net.state_dict().items()}
    wrong = [name for name, shape in plan.made.items() if shapes.get(name) != shape]
    wrong += [name for name in plan.precision if f"{name}.weight" not in shapes]
    if wrong:
        raise PpedgeError(f"The rewritten network is not the plan's: {len(wrong)} parameters differ, first {wrong[0]}.",
                          HINT)  # fmt: skip


def _is_depthwise(layer: paddle.nn.Layer) -> bool:
    """Whether a layer filters each channel by itself, so that it has as many groups as channels."""
    if not isinstance(layer, paddle.nn.Conv2D) or layer._groups == 1:
        return False
    return layer._groups == layer.weight.shape[0] and layer.weight.shape[1] == 1


def _check(net: paddle.nn.Layer, plan: Plan) -> None:
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
            HINT,
        )
    for name in (*plan.dropped, *(rewrite.layer for rewrite in plan.rewrites)):
        layer_at(net, name)
    unknown = [rewrite.kind for rewrite in plan.rewrites if rewrite.kind not in KINDS]
    if unknown:
        raise PpedgeError(f"The plan has an unknown rewrite, {unknown[0]}.", "Update ppedge, or slim again.")
