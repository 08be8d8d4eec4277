"""The names of what the convert stage leaves, as paths below its folder: who writes or reads one asks here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ppedge.files.inference_model import InferenceModel

Form = Literal["nb", "onnx"]
FORMS: dict[str, Form] = {
    "onnxruntime": "onnx",
    "arm-onnxruntime": "onnx",
    "arm-paddlelite": "nb",
}
"""What each engine that runs a converted file takes."""

SHIPPED = ("int8", "fp32")
"""Precisions in which a network ships, in the order of preference."""
_BASELINE, _PADDLE = "baseline", "paddle"
_CONVERTED = re.compile(rf"({_BASELINE}/)?(\w+)\.(\w+)\.(nb|onnx)")


@dataclass(frozen=True)
class Converted:
    """What the name of a converted file says.

    Attributes:
        task: ``det``, ``rec`` or ``cls``.
        precision: ``fp32``, ``fp16`` or ``int8``.
        form: ``nb`` or ``onnx``.
        baseline: It is the network before slimming.
    """

    task: str
    precision: str
    form: str
    baseline: bool

    @classmethod
    def parse(cls, name: str) -> Converted | None:
        """Read a name; None if it is not a converted file's."""
        found = _CONVERTED.fullmatch(name)
        return cls(found[2], found[3], found[4], found[1] is not None) if found else None


def converted(form: Form, task: str, precision: str, *, baseline: bool = False) -> str:
    """Return the name of a ``.nb`` or ONNX file.

    Args:
        form: Which of the two.
        task: ``det``, ``rec`` or ``cls``.
        precision: ``fp32``, ``fp16`` or ``int8``.
        baseline: Of the network before slimming.
    """
    return f"{_folder(baseline)}{task}.{precision}.{form}"


def nb(task: str, precision: str, *, baseline: bool = False) -> str:
    """Return the name of a ``.nb`` file; see `converted`."""
    return converted("nb", task, precision, baseline=baseline)


def onnx(task: str, precision: str, *, baseline: bool = False) -> str:
    """Return the name of an ONNX file; see `converted`."""
    return converted("onnx", task, precision, baseline=baseline)


def inference_prefix(task: str, precision: str, *, baseline: bool = False) -> str:
    """Return what the names of an exported network's files begin with: ``fp32``, or ``int8`` with its quantizers."""
    return f"{_folder(baseline)}{_PADDLE}/{task}.{precision}"


def inference_model(task: str, precision: str) -> tuple[str, str]:
    """Return the names of an exported network: ``.pdmodel``, which Paddle is given, and ``.pdiparams``."""
    files = InferenceModel.at(Path(inference_prefix(task, precision)))
    return str(files.model), str(files.params)


def needed_by(engine: str, task: str, precision: str) -> tuple[str, ...]:
    """Return the names of what an engine needs; it opens the first."""
    if engine == "paddle":
        return inference_model(task, precision)
    return (converted(FORMS[engine], task, precision),)


def _folder(baseline: bool) -> str:
    return f"{_BASELINE}/" if baseline else ""
