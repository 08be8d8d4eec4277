"""``last.ckpt``: all that a course of training needs to go on as if it had never stopped.

Weights, the optimizer's moments, the position and the best result so far. Moments are kept by the names that
parameters have in the network: their own names count all parameters that the process has made. Random numbers need no
saving: the order of samples, their augmentation and the network's own noise are drawn from (seed, epoch or step).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from ppedge.errors import PpedgeError
from ppedge.models.weights import load_weights, read_pdparams, write_pdparams


@dataclass
class Position:
    """Where a course of training stands.

    Attributes:
        step: Steps done.
        best: Best value of the main metric so far, -1 before the first evaluation.
        best_step: Where it was reached.
        metrics_bytes: Length of metrics.jsonl; what a killed process wrote after that is cut off.
        fingerprint: Of the data and settings that the steps depend on.
    """

    step: int = 0
    best: float = -1.0
    best_step: int = 0
    metrics_bytes: int = 0
    fingerprint: str = ""

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the fields as arrays of numbers, the only thing a weights file holds."""
        fields = asdict(self)
        fields["fingerprint"] = np.frombuffer(self.fingerprint.encode(), np.uint8)
        return {name: np.array(value) for name, value in fields.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Position:
        """Undo `to_arrays`."""
        fields: dict[str, Any] = {name: value.item() for name, value in arrays.items() if name != "fingerprint"}
        return cls(**fields, fingerprint=arrays["fingerprint"].tobytes().decode())


def save(path: Path, net: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer, position: Position) -> None:
    """Write a checkpoint atomically."""
    state: dict[str, Any] = {f"net/{name}": value.numpy() for name, value in net.state_dict().items()}
    names = {parameter.name: name for name, parameter in net.named_parameters()}
    for name, value in optimizer.state_dict().items():
        if isinstance(value, paddle.Tensor):
            own = max((own for own in names if name.startswith(f"{own}_")), key=len)
            state[f"optimizer/{names[own]}/{name.removeprefix(f'{own}_')}"] = value.numpy()
    state.update({f"position/{name}": value for name, value in position.to_arrays().items()})
    write_pdparams(path, state)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read.

    Attributes:
        path: The file.
        position: Where the course stood.
        net: Weights and buffers, by structured name.
        moments: Of the optimizer, by ``PARAMETER/MOMENT``.
    """

    path: Path
    position: Position
    net: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]

    def restore(self, net: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer) -> None:
        """Put the state into what is trained and its optimizer.

        Raises:
            PpedgeError: The checkpoint belongs to another network.
        """
        load_weights(net, self.net, self.path)
        own = {name: parameter.name for name, parameter in net.named_parameters()}
        moments = {}
        for key, value in self.moments.items():
            name, _, moment = key.rpartition("/")
            if name not in own:
                raise PpedgeError(f"{self.path}: has the optimizer's state of {key}, which this network lacks.")
            moments[f"{own[name]}_{moment}"] = paddle.to_tensor(value)
        if moments:
            optimizer.set_state_dict(moments)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        PpedgeError: It is damaged, or none of this version's.
    """
    parts: dict[str, dict[str, np.ndarray]] = {"net": {}, "optimizer": {}, "position": {}}
    for name, value in read_pdparams(path).items():
        part, _, rest = name.partition("/")
        parts.setdefault(part, {})[rest] = value
    try:
        position = Position.from_arrays(parts["position"])
    except (KeyError, TypeError, ValueError) as error:
        raise PpedgeError(f"{path}: not a checkpoint ({error}).", "Start anew with --force.") from error
    return Checkpoint(path, position, parts["net"], parts["optimizer"])
