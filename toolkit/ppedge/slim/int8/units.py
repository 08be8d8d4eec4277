"""The parts of a network that are quantized one after the other, each against what it gives in float.

Source: Li et al., "BRECQ: Pushing the Limit of Post-Training Quantization by Block Reconstruction", ICLR 2021: a block
is the unit, since within it errors of layers depend on each other. Here a block is the largest layer of few quantized
ones that takes one map and gives one; so it is a residual block of a network that has them, and a single convolution of
one that is flat.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import paddle

LARGEST = 6
"""Quantized layers in a unit: an inverted residual block with squeeze and excitation has five."""


@dataclass(frozen=True)
class Unit:
    """A part of a network that is given one tensor and gives one.

    Attributes:
        name: Its structured name.
        layer: The part.
        inside: Names of its quantized layers, in the order in which they run.
        chained: What it is given is what the unit before it gives.
    """

    name: str
    layer: paddle.nn.Layer
    inside: tuple[str, ...]
    chained: bool = False


@dataclass
class _Run:
    """One run of a layer: what it is given and gives, None if that is not one tensor."""

    given: paddle.Tensor | None
    made: paddle.Tensor | None = None

    @property
    def plain(self) -> bool:
        """Whether it is given one tensor and gives one."""
        return self.given is not None and self.made is not None


def units_of(net: paddle.nn.Layer, names: Collection[str], picture: paddle.Tensor) -> list[Unit]:
    """Divide a network into units, in the order in which they run.

    Args:
        net: Any network, in eval mode.
        names: Of its layers that are quantized. Those that do not run, or run more than once, are in no unit.
        picture: An input of it.
    """
    runs = _runs(net, picture)
    plain = {name for name, times in runs.items() if len(times) == 1 and times[0].plain}
    found: list[Unit] = []

    def divide(name: str, layer: paddle.nn.Layer) -> None:
        inside = [one for one in runs if one in names and (one == name or one.startswith(f"{name}."))]
        if not inside:
            return
        if len(inside) <= LARGEST and plain.issuperset((name, *inside)):
            found.append(Unit(name, layer, tuple(inside)))
            return
        for child, part in layer.named_children():
            divide(f"{name}.{child}", part)

    for name, layer in net.named_children():
        divide(name, layer)
    found.sort(key=lambda unit: list(runs).index(unit.inside[0]))
    made = [None, *(runs[unit.name][0].made for unit in found)]
    return [
        replace(unit, chained=runs[unit.name][0].given is before) for unit, before in zip(found, made[:-1], strict=True)
    ]


def _runs(net: paddle.nn.Layer, picture: paddle.Tensor) -> dict[str, list[_Run]]:
    """Return how often each layer runs, and what passes there; in running order."""
    runs: dict[str, list[_Run]] = {}

    def before(name: str) -> Callable[..., None]:
        return lambda layer, inputs: runs.setdefault(name, []).append(_Run(_alone(*inputs)))

    def after(name: str) -> Callable[..., None]:
        def hook(layer: paddle.nn.Layer, inputs: Any, output: Any) -> None:
            runs[name][-1].made = _alone(output)

        return hook

    handles = [
        handle
        for name, layer in net.named_sublayers()
        for handle in (
            layer.register_forward_pre_hook(before(name)),
            layer.register_forward_post_hook(after(name)),
        )
    ]
    with paddle.no_grad():
        net(picture)
    for handle in handles:
        handle.remove()
    return runs


def _alone(*values: Any) -> paddle.Tensor | None:
    return values[0] if len(values) == 1 and isinstance(values[0], paddle.Tensor) else None
