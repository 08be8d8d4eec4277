"""Exported networks, ``.pdmodel`` and ``.pdiparams``, as they are checked before a converter is given them, and the
names of their weights, ``.pdiparams.info``; and what an exporter notes beside them, ``inference.yml``.
"""

from __future__ import annotations

import pickle
import struct
from math import prod
from pathlib import Path

from hypothesis import strategies as st

from convert.programs import TENSOR, message, number, operator, variable
from fuzz.contract import Files, Target, WrongResultError
from fuzz.mutations import NAMES, damaged, renamed
from fuzz.pickles import altered_pickle, odd_state
from fuzz.trees import altered, yaml_text
from ppedge.convert import noted
from ppedge.files.inference_model import InferenceModel
from ppedge.models.inference_weights import read_inference_weights
from ppedge.models.weights import read_pdparams, write_pdparams
from ppedge.ocr.spec import DbPostprocess, DetPreprocess

_MODEL, _PARAMS, _INFO = "inference.pdmodel", "inference.pdiparams", "inference.pdiparams.info"
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


_NAMES = {
    "bias": {"structured_name": "neck.lstm.0.cell_fw.bias_ih", "stop_gradient": False},
    "kernel": {"structured_name": "backbone.blocks2.0.dw_conv.w", "trainable": True},
}


def _named() -> Files:
    return {**_whole(), _INFO: pickle.dumps(_NAMES, protocol=2)}


def _infos() -> st.SearchStrategy[Files]:
    originals = [pickle.dumps(_NAMES, protocol=protocol) for protocol in (2, 4)]
    names = st.sampled_from([*NAMES, "backbone.x", "x.0.cell.bias_ih", "a_conv.activation.w", "a_conv.b"])
    about = st.fixed_dictionaries({}, optional={"structured_name": names | st.integers(), "trainable": st.booleans()})
    others = st.dictionaries(st.sampled_from([*_WEIGHTS, "x"]), about | names, max_size=3).map(pickle.dumps)
    infos = st.one_of(damaged(originals), altered_pickle(originals), odd_state(_NAMES), others)
    return infos.map(lambda data: {**_whole(), _INFO: data})


def _read_named(folder: Path) -> None:
    """Read weights by their names; what is accepted can be written and is then the same."""
    state, left_out = read_inference_weights(InferenceModel.at(folder / "inference"))
    if len({value.ctypes.data for value in state.values()}) + len(left_out) != len(_WEIGHTS):
        raise WrongResultError("an array is neither taken nor left out")
    write_pdparams(folder / "w.pdparams", state)
    again = read_pdparams(folder / "w.pdparams")
    if sorted(again) != sorted(state) or any(again[name].tobytes() != value.tobytes() for name, value in state.items()):
        raise WrongResultError("the weights are others once written and read")


_NOTES_FILE = "inference.yml"
_NOTES = {
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"DetLabelEncode": None},
            {"DetResizeForTest": {"limit_side_len": 960, "limit_type": "max", "max_side_limit": 4000}},
            {"NormalizeImage": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "scale": "1./255.", "order": "hwc"}},
            {"ToCHWImage": None},
        ]
    },
    "PostProcess": {"name": "DBPostProcess", "thresh": 0.2, "unclip_ratio": 1.4},
}


def _noted() -> Files:
    return {_NOTES_FILE: yaml_text(_NOTES)}


def _notes() -> st.SearchStrategy[Files]:
    return (altered(_NOTES).map(yaml_text) | damaged([yaml_text(_NOTES)])).map(lambda data: {_NOTES_FILE: data})


def _read_notes(folder: Path) -> None:
    """Read an exporter's notes; what is taken of them is what a recipe may say, and fits them."""
    files = InferenceModel.at(folder / "inference")
    keys = noted.noted_preprocess(files, "det")
    noted.require_preprocess(files, "det", DetPreprocess(**keys), free_height=False)
    noted.otherwise(files)
    noted.has_postprocess(files)
    noted.assumed(files, "det")
    DbPostprocess(**noted.noted_postprocess(files))


TARGETS = [
    Target("model", _whole, _inputs, _check),
    Target("names", _named, _infos, _read_named),
    Target("notes", _noted, _notes, _read_notes),
]
