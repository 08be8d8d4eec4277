"""onnxruntime on this machine: an ONNX model as a PC's processor computes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors
from typing_extensions import Self

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


class OnnxRuntimeEngine:
    """An ONNX model on onnxruntime's CPU provider.

    Args:
        path: An ONNX file with its weights inside.
        threads: Threads for one operator; by default as many as there are cores.

    Raises:
        PpedgeError: The file is missing or onnxruntime cannot load it.
    """

    name = "onnxruntime"

    def __init__(self, path: str | Path, *, threads: int | None = None) -> None:
        self.path, self.runtime = Path(path), f"onnxruntime {onnxruntime.__version__}"
        if not self.path.is_file():
            raise PpedgeError(f"{path}: no such file.", "Run `ppedge convert` with the format onnx.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = _ONLY_FATAL
        # On x86 onnxruntime would compute part of an int8 network in float; so it computes in integers what ARM does.
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        try:
            self._session: onnxruntime.InferenceSession | None = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except _ORT_ERRORS as error:
            raise PpedgeError(
                f"{path}: onnxruntime cannot load it: {_sentence(error)}", "Repeat `ppedge convert`."
            ) from error
        self._inputs = [node.name for node in self._session.get_inputs()]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network once.

        Args:
            inputs: One array per input, in the model's order; images are NCHW float32.

        Returns:
            One array per output, in the model's order.

        Raises:
            PpedgeError: The model does not take these inputs, or the engine is closed.
        """
        if self._session is None:
            raise PpedgeError(f"{self.path}: the engine has been closed.")
        if len(inputs) != len(self._inputs):
            raise PpedgeError(f"{self.path}: the model has {len(self._inputs)} inputs, {len(inputs)} were given.")
        try:
            outputs: list[np.ndarray] = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        except _ORT_ERRORS as error:
            shapes = ", ".join(f"{array.dtype} {array.shape}" for array in inputs)
            raise PpedgeError(f"{self.path}: onnxruntime failed on {shapes}: {_sentence(error)}") from error
        return outputs

    def kill(self) -> None:
        """Do nothing: what is under way on a PC ends by itself in a moment."""

    def close(self) -> None:
        """Free the model. Further calls are harmless."""
        self._session = None

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the engine."""
        self.close()


def _sentence(error: Exception, limit: int = 300) -> str:
    """Return onnxruntime's message in one line, without its code in front."""
    text = " ".join(str(error).split()).rsplit("[ONNXRuntimeError] : ", 1)[-1]
    text = text.split(" : ", 2)[-1]
    return text if len(text) <= limit else text[: limit - 3] + "..."
