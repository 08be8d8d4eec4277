"""Paddle's own executor on this machine: an exported inference model, float or quantized."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from paddle import inference
from typing_extensions import Self

from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel


class PaddleEngine:
    """An exported model (``X.pdmodel`` with ``X.pdiparams`` beside it) on Paddle Inference, CPU.

    Args:
        path: The ``.pdmodel`` file.
        threads: Threads for the math library; by default Paddle's choice.
        ir_optim: Let Paddle fuse operators. A quantized model must be run as exported, fake_quantize operators and all,
            to give what the network gave in training: by default fusing is off if the file's name contains ``int8``.

    Raises:
        PpedgeError: A file is missing or damaged, or the two do not belong together.
    """

    name = "paddle"

    def __init__(self, path: str | Path, *, threads: int | None = None, ir_optim: bool | None = None) -> None:
        self.path = Path(path)
        weights = self.path.with_suffix(".pdiparams")
        # Paddle itself loads weights that end too early, and computes with whatever lies behind them in memory.
        InferenceModel(self.path, weights).check()
        config = inference.Config(str(self.path), str(weights))
        config.disable_gpu()
        config.disable_glog_info()
        config.switch_ir_optim("int8" not in self.path.name if ir_optim is None else ir_optim)
        if threads is not None:
            config.set_cpu_math_library_num_threads(threads)
        try:
            self._predictor: inference.Predictor | None = inference.create_predictor(config)
        except (RuntimeError, ValueError, LookupError, OSError) as error:
            raise PpedgeError(
                f"{path}: Paddle cannot load it: {_sentence(error)}", "Repeat `ppedge convert`."
            ) from error

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network once.

        Args:
            inputs: One array per input, in the model's order; images are NCHW float32.

        Returns:
            One array per output, in the model's order.

        Raises:
            PpedgeError: The model does not take these inputs, or the engine is closed.
        """
        predictor = self._predictor
        if predictor is None:
            raise PpedgeError(f"{self.path}: the engine has been closed.")
        names = predictor.get_input_names()
        if len(inputs) != len(names):
            raise PpedgeError(f"{self.path}: the model has {len(names)} inputs, {len(inputs)} were given.")
        for name, array in zip(names, inputs, strict=True):
            predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array))
        try:
            predictor.run()
        except (RuntimeError, ValueError, LookupError, OSError) as error:
            shapes = ", ".join(f"{array.dtype} {array.shape}" for array in inputs)
            raise PpedgeError(f"{self.path}: Paddle failed on {shapes}: {_sentence(error)}") from error
        return [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]

    def close(self) -> None:
        """Free the model. Further calls are harmless."""
        self._predictor = None

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the engine."""
        self.close()


def _sentence(error: Exception, limit: int = 300) -> str:
    """Return the telling part of Paddle's message: what follows the C++ stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "Error:" in line] or lines or [type(error).__name__]
    return told[-1] if len(told[-1]) <= limit else told[-1][: limit - 3] + "..."
