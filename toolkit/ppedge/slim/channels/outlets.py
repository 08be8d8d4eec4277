"""Where what a convolution or linear layer gives goes to: a BatchNorm, an addition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ppedge.slim.channels.graph import CONVOLUTIONS, NORMS

ADDITION = "elementwise_add"
_SLOTS = dict.fromkeys((*CONVOLUTIONS, "conv2d_transpose"), "Input")
_WEIGHTS = {**dict.fromkeys((*CONVOLUTIONS, "conv2d_transpose"), "Filter"), "matmul_v2": "Y"}


@dataclass(frozen=True)
class Outlet:
    """What follows a layer that is linear, as long as nothing else reads what comes out.

    Attributes:
        layer: Its structured name.
        norm: The BatchNorm behind it, or None.
        total: A layer that is given the sum of what comes out there and of another map, or None.
        runs: How often the layer's weight is used.
    """

    layer: str
    norm: str | None
    total: str | None
    runs: int = 1


def outlets(program: Any, names: Mapping[str, str]) -> dict[str, Outlet]:
    """Return the outlets of a program's convolutions and linear layers, in the order in which they first run.

    Args:
        program: A static Paddle program of one block.
        names: Structured names of the network's parameters and buffers by their names in the program.
    """
    follower = _Follower(program.global_block(), names)
    found: dict[str, Outlet] = {}
    for op in program.global_block().ops:
        weight = op.input(_WEIGHTS[op.type])[0] if op.type in _WEIGHTS else ""
        if weight not in names:
            continue
        layer = _layer(names[weight])
        made = op.output("Output" if op.type != "matmul_v2" else "Out")[0]
        known = found.get(layer)
        found[layer] = follower.outlet(layer, made) if known is None else replace(known, runs=known.runs + 1)
    return found


class _Follower:
    """Follows variables to what reads them."""

    def __init__(self, block: Any, names: Mapping[str, str]) -> None:
        self._block = block
        self._layers = {name: _layer(structured) for name, structured in names.items()}
        self._readers: dict[str, list[Any]] = {}
        for op in block.ops:
            for name in op.input_arg_names:
                self._readers.setdefault(name, []).append(op)
            # A bias (C,) is given a map's shape before it is added.
            if op.type in ("reshape2", "unsqueeze2") and op.input("X")[0] in self._layers:
                self._layers[op.output("Out")[0]] = self._layers[op.input("X")[0]]

    def outlet(self, layer: str, made: str) -> Outlet:
        norm = None
        while len(self._readers.get(made, ())) == 1:
            (op,) = self._readers[made]
            if op.type in NORMS and norm is None:
                norm, made = self._layers.get(op.input("Scale")[0]), op.output("Y")[0]
            elif op.type == "dropout" and op.attr("dropout_implementation") == "upscale_in_train":
                made = op.output("Out")[0]
            elif op.type == ADDITION:
                other = next((name for name in op.input_arg_names if name != made), made)
                if other not in self._layers:
                    return Outlet(layer, norm, self._given(op.output("Out")[0]) if self._alike(made, other) else None)
                if self._layers[other] != layer:
                    break
                made = op.output("Out")[0]
            else:
                break
        return Outlet(layer, norm, None)

    def _alike(self, one: str, other: str) -> bool:
        return list(self._block.var(one).shape) == list(self._block.var(other).shape)

    def _given(self, variable: str) -> str | None:
        """Return a layer that is given a variable as it is, if there is one."""
        return next(self._given_to(variable), None)

    def _given_to(self, variable: str) -> Iterator[str]:
        for op in self._readers.get(variable, ()):
            if op.type in (*_WEIGHTS, *NORMS, "layer_norm") and variable in op.input(_SLOTS.get(op.type, "X")):
                yield from (self._layers[name] for name in op.input_arg_names if name in self._layers)


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0]
