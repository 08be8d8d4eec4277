"""Recognisers with an LSTM as inference models of any number of lines: for a ``.nb`` they are made ones of one line.

Paddle's exporter computes the first states of an LSTM from the batch, and Paddle Lite aborts unless that is known.
"""

from __future__ import annotations

from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel

_KNOWN, _UNKNOWN = {"rnn"}, {"lstm", "gru", "cudnn_lstm"}
"""Operators of Paddle since 2.0, which can be given a batch, and of Paddle before, which cannot."""


def require_runnable_nb(files: InferenceModel) -> None:
    """Check for what opt converts but Paddle Lite cannot run, and `ppedge.convert.bringing` cannot make fit for it.

    Raises:
        PpedgeError: It is such a model.
    """
    if _any_number(files, _UNKNOWN):
        raise unfit(files)


def takes_one_line(files: InferenceModel) -> bool:
    """Whether the ``.nb`` of a model takes one line at a time, though the model takes any number."""
    return _any_number(files, _KNOWN)


def _any_number(files: InferenceModel, operators: set[str]) -> bool:
    signature = files.signature()
    return signature.inputs[0][0] < 0 and bool(operators & signature.operators)


def unfit(files: InferenceModel, why: str = "") -> PpedgeError:
    """Return the error that no ``.nb`` can be made of a model; ``why`` is the end of its sentence."""
    return PpedgeError(
        f"{files.model}: has an LSTM and a free batch; Paddle Lite aborts when it runs the .nb of such a network{why}.",
        "Export it with batch 1, or write ONNX only: --format onnx.",
    )
