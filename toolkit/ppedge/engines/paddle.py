"""Paddle's own executor on this machine: an exported inference model, float or quantized."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppedge.engines.base import LocalEngine
from ppedge.files.inference_model import InferenceModel
from ppedge.signals import import_paddle

import_paddle()

from paddle import inference  # noqa: E402 - after its handler of SIGTERM has been kept out

_PADDLE_ERRORS = (RuntimeError, ValueError, LookupError, OSError)


class PaddleEngine(LocalEngine):
    """An exported model (``X.pdmodel`` with ``X.pdiparams`` beside it) on Paddle Inference, CPU.

    Args:
        path: The ``.pdmodel`` file.
        threads: Threads for the math library; by default Paddle's choice.
        ir_optim: Let Paddle fuse operators. A quantized model must be run as exported, fake_quantize operators and all,
            to give what the network gave in training: by default fusing is off if the file's name contains ``int8``.

    Raises:
        PpedgeError: A file is missing or damaged, or the two do not belong together.
    """

    name, maker = "paddle", "Paddle"

    def __init__(self, path: str | Path, *, threads: int | None = None, ir_optim: bool | None = None) -> None:
        model = Path(path)
        weights = model.with_suffix(".pdiparams")
        # Paddle itself loads weights that end too early, and computes with whatever lies behind them in memory.
        InferenceModel(model, weights).check()
        config = inference.Config(str(model), str(weights))
        config.disable_gpu()
        config.disable_glog_info()
        config.switch_ir_optim("int8" not in model.name if ir_optim is None else ir_optim)
        if threads is not None:
            config.set_cpu_math_library_num_threads(threads)
        try:
            predictor = inference.create_predictor(config)
        except _PADDLE_ERRORS as error:
            raise self._cannot_load(model, _sentence(error)) from error
        super().__init__(model, predictor)

    def _input_names(self, loaded: Any) -> Sequence[str]:
        names: list[str] = loaded.get_input_names()
        return names

    def _compute(self, loaded: Any, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        for name, array in inputs.items():
            loaded.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array))
        try:
            loaded.run()
        except _PADDLE_ERRORS as error:
            raise self._failed(inputs, _sentence(error)) from error
        return [loaded.get_output_handle(name).copy_to_cpu() for name in loaded.get_output_names()]


def _sentence(error: Exception) -> str:
    """Return the telling part of Paddle's message: what follows the C++ stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "Error:" in line] or lines or [type(error).__name__]
    return told[-1]
