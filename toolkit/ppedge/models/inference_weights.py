"""The weights of an inference model under the names of the network that it was exported from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ppedge.errors import PpedgeError, cut, shown
from ppedge.files.inference_model import InferenceModel
from ppedge.models.lstm_names import short_name
from ppedge.models.weights import State, read_pickle

_NAME = "structured_name"
_HINT = "Use the .pdiparams.info file that was written together with the .pdiparams file."
# PP-OCRv4's published inference models were exported when PPLCNetV3's learnable affine blocks had other names.
_RENAMED = (
    (re.compile(r"(_conv)\.activation\."), r"\1.act.lab."),
    (re.compile(r"(_conv)\.(?=[wb]$)"), r"\1.lab."),
    (re.compile(r"(\.lab)\.w$"), r"\1.scale"),
    (re.compile(r"(\.lab)\.b$"), r"\1.bias"),
)


def read_inference_weights(files: InferenceModel) -> tuple[State, list[str]]:
    """Read an inference model's weights, under the names that the network's state dict has for them.

    ``paddle.jit.save`` writes those names into a file of its own, ``.pdiparams.info``. Names of PP-OCRv4's older
    exports become those of today, and an LSTM's parameters have both their names, as in the state dict.

    Args:
        files: The inference model, with the ``.pdiparams.info`` file beside its weights.

    Returns:
        The arrays by structured name, and the variables that are no part of the network's state, such as constants.

    Raises:
        PpedgeError: A file is missing, damaged or belongs to another model, or values are of a type that no weights
            have.
    """
    weights, names = files.weights(), _names(files)
    state: State = {}
    left_out: list[str] = []
    for weight in weights:
        name = names.get(weight.name)
        if name is None:
            left_out.append(weight.name)
            continue
        if weight.type == "bfloat16":
            raise PpedgeError(f"{files.params}: {cut(name)} is bfloat16, which no weights are.", "Export in float32.")
        array = np.frombuffer(weight.values, np.dtype(weight.type).newbyteorder("<")).reshape(weight.shape)
        for one in _state_names(name):
            if one in state:
                raise PpedgeError(f"{files.info}: two variables have the name {cut(one)}.", _HINT)
            state[one] = array
    if not state:
        raise PpedgeError(f"{files.info}: names no array of {files.params}.", _HINT)
    return state, left_out


def _names(files: InferenceModel) -> dict[str, str]:
    """Return the structured names of an inference model's variables."""
    if not files.info.is_file():
        raise PpedgeError(
            f"{files.info}: no such file, and nothing else says which layer an array belongs to.",
            "Export the network again by paddle.jit.save of Paddle 2, which writes it; to convert and validate the "
            "model as it is, name its folder as model.inference in a recipe.",
        )
    content = read_pickle(files.info, ".pdiparams.info")
    if not isinstance(content, Mapping):
        raise PpedgeError(f"{files.info}: holds no table of names.", _HINT)
    return dict(_entries(files, content))


def _entries(files: InferenceModel, content: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for variable, about in content.items():
        name = about.get(_NAME) if isinstance(about, Mapping) else None
        if not isinstance(variable, str) or not isinstance(name, str):
            raise PpedgeError(f"{files.info}: the entry {shown(variable)} is not a variable and its name.", _HINT)
        yield variable, name


def _state_names(name: str) -> list[str]:
    """Return the names, one or both, that the state dict has for a parameter of an exported network."""
    for old, new in _RENAMED:
        name = old.sub(new, name)
    return list(dict.fromkeys((name, short_name(name))))
