"""onnxruntime on this machine: an ONNX model as a PC's processor computes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from ppedge.engines.base import LocalEngine
from ppedge.errors import PpedgeError

# onnxruntime's exceptions have no parent of their own.
_ORT_ERRORS = (
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NoModel,
    errors.NoSuchFile,
    errors.NotImplemented,
    errors.RuntimeException,
)
_ONLY_FATAL = 4  # onnxruntime's own log would say what the error says once more


class OnnxRuntimeEngine(LocalEngine):
    """An ONNX model on onnxruntime's CPU provider.

    Args:
        path: An ONNX file with its weights inside.
        threads: Threads for one operator; by default as many as there are cores.

    Raises:
        PpedgeError: The file is missing or onnxruntime cannot load it.
    """

    name = maker = "onnxruntime"

    def __init__(self, path: str | Path, *, threads: int | None = None) -> None:
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        if not Path(path).is_file():
            raise PpedgeError(f"{path}: no such file.", "Run `ppedge convert` with the format onnx.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = _ONLY_FATAL
        # Threads that wait for the next operator would keep their cores busy: twice the processor time, for little.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # On x86 onnxruntime would compute part of an int8 network in float; so it computes in integers what ARM does.
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except _ORT_ERRORS as error:
            raise self._cannot_load(Path(path), _sentence(error)) from error
        super().__init__(Path(path), session)
        self._names = [node.name for node in session.get_inputs()]

    def _input_names(self, loaded: Any) -> Sequence[str]:
        return self._names

    def _compute(self, loaded: Any, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        try:
            outputs: list[np.ndarray] = loaded.run(None, inputs)
        except _ORT_ERRORS as error:
            raise self._failed(inputs, _sentence(error)) from error
        return outputs

    def kill(self) -> None:
        """Do nothing: what is under way on a PC ends by itself in a moment."""


def _sentence(error: Exception) -> str:
    """Return onnxruntime's message in one line, without its code in front."""
    text = " ".join(str(error).split()).rsplit("[ONNXRuntimeError] : ", 1)[-1]
    return text.split(" : ", 2)[-1]
