"""Exported networks, ``.pdmodel`` and ``.pdiparams``, as they are checked before a converter is given them."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path

from hypothesis import strategies as st

from convert.programs import TENSOR, message, number, operator, variable
from fuzz.contract import Files, Target, WrongResultError
from fuzz.mutations import damaged, renamed
from ppedge.files.inference_model import InferenceModel

_MODEL, _PARAMS = "inference.pdmodel", "inference.pdiparams"
_FLOAT = 5
_WEIGHTS = {"bias": (2,), "kernel": (2, 3, 3, 3)}
_SIDES = [0, 1, 2, 3, -1, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63)]


def _weight(name: str, shape: tuple[int, ...]) -> bytes:
    tensor = message(1, number(1, _FLOAT), *(number(2, side) for side in shape))
    return message(3, message(1, name.encode()), message(2, number(1, TENSOR), message(3, tensor)), number(3, 1))


def _program(shapes: dict[str, tuple[int, ...]]) -> bytes:
    """Return a network of one input, one output and some weights."""
    tensors = [variable("x", (-1, 3, 32, 96)), variable("y", (-1, 2, 32, 96))]
    run = [
        operator("feed", ["feed"], ["x"]),
        operator("conv2d", ["x", *shapes], ["y"]),
        operator("fetch", ["y"], ["fetch"]),
    ]
    return message(1, *tensors, *(_weight(name, shape) for name, shape in shapes.items()), *run)


def _arrays(shapes: dict[str, tuple[int, ...]], kind: int = _FLOAT) -> bytes:
    """Return a file of weights, each as long as in the network, of these shapes as far as they are told."""
    parts = []
    for name, shape in shapes.items():
        about = number(1, kind) + b"".join(number(2, side) for side in shape)
        values = bytes(4 * prod(_WEIGHTS[name]))
        parts.append(struct.pack("<IQIi", 0, 0, 0, len(about)) + about + values)
    return b"".join(parts)


def _whole() -> Files:
    return {_MODEL: _program(_WEIGHTS), _PARAMS: _arrays(_WEIGHTS)}


def _inputs() -> st.SearchStrategy[Files]:
    odd = st.lists(st.sampled_from(_SIDES), max_size=5).map(tuple)
    shapes = st.fixed_dictionaries({name: st.just(shape) | odd for name, shape in _WEIGHTS.items()})
    program, arrays = _program(_WEIGHTS), _arrays(_WEIGHTS)
    programs = damaged([program]) | renamed([program], [b"feed", b"fetch", b"kernel", b"conv2d"])
    others = damaged([arrays]) | st.builds(_arrays, shapes, st.integers(-1, 30))
    return st.one_of(
        st.builds(lambda data: {_MODEL: data, _PARAMS: arrays}, programs),
        st.builds(lambda data: {_MODEL: program, _PARAMS: data}, others),
        st.builds(lambda both: {_MODEL: _program(both), _PARAMS: _arrays(both)}, shapes),
    )


def _check(folder: Path) -> None:
    """Check an exported network; one that is accepted says what it takes and gives."""
    model = InferenceModel.at(folder / "inference")
    model.check()
    if not model.signature().operators >= {"feed", "fetch"}:
        raise WrongResultError("a network without input or output is accepted")


TARGETS = [Target("model", _whole, _inputs, _check)]
