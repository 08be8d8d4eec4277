"""``last.ckpt``: all that a course of training needs to go on as if it had never stopped.

Weights, the optimizer's moments, the position, the best result so far, and where there are such the average of the
weights and the factor of a scaled loss. Moments are kept by the names that parameters have in the network: their own
names count all parameters that the process has made. Random numbers need no saving: the order of samples, their
augmentation and the network's own noise are drawn from (seed, epoch or step).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import paddle
from pydantic import Field

from ppedge.errors import PpedgeError, cut
from ppedge.models.weights import load_weights, read_pdparams, write_pdparams
from ppedge.state import checked
from ppedge.train.log import ANEW

_MOMENTS = {"moment1_0": None, "moment2_0": None, "beta1_pow_acc_0": [1], "beta2_pow_acc_0": [1]}
"""What Adam keeps of a parameter, and its shape; None is the parameter's own."""
WHAT = "a checkpoint of this ppedge"


@dataclass
class Position:
    """Where a course of training stands.

    Attributes:
        step: Steps done.
        best_step: Where the best evaluation so far was made.
        metrics_bytes: Length of metrics.jsonl; what a killed process wrote after that is cut off.
        fingerprint: Of the data and settings that the steps depend on.
    """

    __pydantic_config__ = {"extra": "forbid", "allow_inf_nan": False}  # noqa: RUF012 - pydantic's, not a field

    step: Annotated[int, Field(ge=0)] = 0
    best_step: Annotated[int, Field(ge=0)] = 0
    metrics_bytes: Annotated[int, Field(ge=0)] = 0
    fingerprint: str = ""

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the fields as arrays of numbers, the only thing a weights file holds."""
        values = {**asdict(self), "fingerprint": np.frombuffer(self.fingerprint.encode(), np.uint8)}
        return {name: np.array(value) for name, value in values.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], where: str | Path = "The position") -> Position:
        """Undo `to_arrays`.

        Args:
            arrays: What it gave.
            where: The file they come from, for the error.

        Raises:
            PpedgeError: They are something else.
        """
        found: dict[str, Any] = {name: value.tolist() for name, value in arrays.items()}
        found["fingerprint"] = arrays.get("fingerprint", np.array([], np.uint8)).tobytes().decode("ascii", "replace")
        missing = [one.name for one in fields(cls) if one.name not in arrays]
        if missing:
            raise PpedgeError(f"{where}: not {WHAT} (it has no {missing[0]}).", ANEW)
        position: Position = checked(cls, found, where, WHAT, ANEW)
        return position


def save(
    path: Path,
    net: paddle.nn.Layer,
    optimizer: paddle.optimizer.Optimizer,
    position: Position,
    average: Mapping[str, np.ndarray],
    scaling: Mapping[str, np.ndarray],
) -> None:
    """Write a checkpoint atomically.

    Args:
        path: The file.
        net: What is trained.
        optimizer: Of its parameters.
        position: Where the course stands.
        average: State of the weights' average; empty for none.
        scaling: State of the loss's scaling; empty for none.
    """
    state: dict[str, Any] = {f"net/{name}": value.numpy() for name, value in net.state_dict().items()}
    names = {parameter.name: name for name, parameter in net.named_parameters()}
    for name, value in optimizer.state_dict().items():
        if isinstance(value, paddle.Tensor):
            own = max((own for own in names if name.startswith(f"{own}_")), key=len)
            state[f"optimizer/{names[own]}/{name.removeprefix(f'{own}_')}"] = value.numpy()
    parts = {"position": position.to_arrays(), "average": average, "scaling": scaling}
    state.update({f"{part}/{name}": value for part, arrays in parts.items() for name, value in arrays.items()})
    write_pdparams(path, state)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read.

    Attributes:
        path: The file.
        position: Where the course stood.
        net: Weights and buffers, by structured name.
        moments: Of the optimizer, by ``PARAMETER/MOMENT``.
        average: State of the weights' average; empty for none.
        scaling: State of the loss's scaling; empty for none.
    """

    path: Path
    position: Position
    net: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]
    average: dict[str, np.ndarray]
    scaling: dict[str, np.ndarray]

    def restore(self, net: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer) -> None:
        """Put the state into what is trained and its optimizer.

        Raises:
            PpedgeError: The checkpoint belongs to another network, or lacks a part of the optimizer's state.
        """
        load_weights(net, self.net, self.path)
        own = dict(net.named_parameters())
        found: dict[str, dict[str, np.ndarray]] = {}
        for key, value in self.moments.items():
            name, _, moment = key.rpartition("/")
            if name not in own:
                raise PpedgeError(
                    f"{self.path}: has the optimizer's state of {cut(key)}, which this network lacks.", ANEW
                )
            found.setdefault(name, {})[moment] = value
        moments: dict[str, paddle.Tensor] = {}
        for name, state in found.items():  # a parameter that is never used has no gradient, and so no moments
            shapes = {moment: (value.dtype, list(value.shape)) for moment, value in state.items()}
            if shapes != {moment: (np.float32, shape or own[name].shape) for moment, shape in _MOMENTS.items()}:
                raise PpedgeError(f"{self.path}: the optimizer's state of {name} does not fit it.", ANEW)
            moments |= {f"{own[name].name}_{moment}": paddle.to_tensor(value) for moment, value in state.items()}
        if moments:
            optimizer.set_state_dict(moments)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        PpedgeError: It is damaged, or none of this version's.
    """
    parts: dict[str, dict[str, np.ndarray]] = {
        name: {} for name in ("position", "net", "optimizer", "average", "scaling")
    }
    for name, value in read_pdparams(path).items():
        part, _, rest = name.partition("/")
        parts.setdefault(part, {})[rest] = value
    position = Position.from_arrays(parts["position"], path)
    return Checkpoint(path, position, *(parts[name] for name in ("net", "optimizer", "average", "scaling")))
