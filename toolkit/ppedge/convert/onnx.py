"""ONNX from a float inference model, by Paddle2ONNX, and its check against Paddle.

Paddle2ONNX runs in a process of its own, which calls `main`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ppedge.engines import open_engine
from ppedge.errors import WITH_PADDLE, MissingError, PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.forkserver import ForkServer
from ppedge.scratch import scratch
from ppedge.storage import atomic_write

INT8_TOLERANCE, LEAST_OUTPUT = 0.3, 0.01

OPSET = 14
"""Version of the operator set; Paddle2ONNX takes a newer one where the network needs it."""


def to_onnx(models: Mapping[Path, Path], forks: ForkServer) -> None:
    """Convert float inference models; free batch, height and width stay free. Equal inputs give equal bytes.

    One process converts all of them.

    Args:
        models: By the ONNX file to write, with the weights inside, the prefix of the ``.pdmodel`` and ``.pdiparams``
            files. A quantized network's make Paddle2ONNX abort.
        forks: Has Paddle imported.

    Raises:
        MissingError: Paddle2ONNX is not installed.
        PpedgeError: A model is damaged, or Paddle2ONNX or the ONNX checker failed; all files are as before.
    """
    sources = [InferenceModel.at(model) for model in models.values()]
    for files in sources:
        files.check()
    missing = [name for name in ("paddle", "paddle2onnx", "onnx") if find_spec(name) is None]
    if missing:
        raise MissingError(f"{missing[0]} is not installed, which writing ONNX needs.", WITH_PADDLE)
    what = ", ".join(f"{files.model} to {out.name}" for files, out in zip(sources, models, strict=True))
    with scratch("onnx") as folder:
        written = [folder / f"{k}.onnx" for k in range(len(sources))]
        words = [
            word for files, path in zip(sources, written, strict=True) for word in (files.model, files.params, path)
        ]
        forks.run(
            __name__,
            words,
            f"Converting {what} with Paddle2ONNX",
            cause="It takes float networks only, and not every operator.",
        )
        for files, path in zip(sources, written, strict=True):
            if not path.is_file():
                raise PpedgeError(
                    f"{files.model}: Paddle2ONNX wrote no file.", "Is there space in the temporary folder?"
                )
        for out, path in zip(models, written, strict=True):
            with atomic_write(out) as file:
                file.write(path.read_bytes())


def check(path: Path, inputs: Sequence[np.ndarray], reference: Sequence[np.ndarray], tolerance: float = 1e-3) -> float:
    """Compare an ONNX file on onnxruntime with the outputs that Paddle gave.

    Args:
        path: An ONNX file with one input and one output.
        inputs: One input for each run; shapes may differ.
        reference: Paddle's output for each.
        tolerance: Largest difference of any value that is allowed.

    Returns:
        The largest difference of any value.

    Raises:
        PpedgeError: An output's shape is wrong, or a difference is above the tolerance or not finite.
    """
    return _check(path, inputs, reference, tolerance, np.max, "largest difference")


def check_mean(
    path: Path, inputs: Sequence[np.ndarray], reference: Sequence[np.ndarray], tolerance: float = INT8_TOLERANCE
) -> float:
    """Compare a quantized ONNX file on onnxruntime with the outputs that Paddle gave; see `check`.

    Single values say little: an addition in another order turns a rounding over, and the next layers multiply that.
    On noise, which these inputs are, a recogniser's two forms in Paddle, that of training and the exported one, are up
    to 0.12 apart. Boxes and strings of real pictures are the validate stage's.

    Args:
        path: An ONNX file with one input and one output.
        inputs: One input for each run; shapes may differ.
        reference: Paddle's output for each.
        tolerance: Largest mean difference, as a share of the mean magnitude of Paddle's output, or of 0.01 if that is
            more: a detector's map may be empty.

    Returns:
        The largest mean difference of a run, as that share.

    Raises:
        PpedgeError: An output's shape is wrong, or a difference is above the tolerance or not finite.
    """
    scaled = [max(float(np.abs(wanted).mean()), LEAST_OUTPUT) for wanted in reference]
    return _check(path, inputs, reference, tolerance, np.mean, "mean difference", scaled)


def _check(
    path: Path,
    inputs: Sequence[np.ndarray],
    reference: Sequence[np.ndarray],
    tolerance: float,
    measure: Callable[[np.ndarray], np.floating[Any]],
    what: str,
    unit: Sequence[float] | None = None,
) -> float:
    worst, problems = 0.0, []
    units = unit or [1.0] * len(inputs)
    with open_engine("onnxruntime", path) as engine:
        for number, (x, wanted, one) in enumerate(zip(inputs, reference, units, strict=True), 1):
            (found,) = engine.run([x])
            if found.shape != wanted.shape:
                problems.append(f"run {number}: shape {list(found.shape)} instead of {list(wanted.shape)}")
                continue
            difference = float(measure(np.abs(found.astype(np.float64) - wanted))) / one
            if not difference <= tolerance:  # also true of NaN
                problems.append(f"run {number} (input {list(x.shape)}): {what} {difference:.3g}")
            worst = max(worst, difference)
    if problems:
        raise PpedgeError(
            f"{path}: not what Paddle computes, with a tolerance of {tolerance:g}: {'; '.join(problems)}.",
            "The network may use an operator that Paddle2ONNX translates wrongly.",
        )
    return worst


def load_cases(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Read inputs and outputs that `export.save_cases` wrote.

    Raises:
        PpedgeError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            count = len(arrays.files) // 2
            return [arrays[f"x{k}"] for k in range(count)], [arrays[f"y{k}"] for k in range(count)]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise PpedgeError(f"{path}: no reference outputs ({error}).", "Export the model again.") from error


def main(arguments: Sequence[str]) -> None:
    """Convert models: the child process of `to_onnx`.

    Args:
        arguments: Of each model the ``.pdmodel``, the ``.pdiparams`` and the ONNX file to write.
    """
    import onnx
    import paddle2onnx

    for model, params, out in zip(arguments[::3], arguments[1::3], arguments[2::3], strict=True):
        print(model, flush=True)  # if it aborts without a word, this line is the last
        paddle2onnx.export(model, params, out, opset_version=OPSET, enable_onnx_checker=True)
        onnx.checker.check_model(onnx.load(out), full_check=True)
