"""Numerical fixtures that PaddleOCR itself has made of its networks and losses, and the rule that fills a network.

They lie in ``reference/`` of the folder of shared test data, and hold no weights: each tensor is drawn from a seed that
its name gives. `Reference` reads one, `fill` fills a network.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from paddle import nn

KEPT = (".pe", ".id_tensor")
TRANSPOSED = tuple(f"head.{branch}.conv{number}.weight" for branch in ("binarize", "thresh") for number in (2, 3))
LAST = ("head.fc.weight", "head.fc2.weight")
RECURRENT = ("weight_ih", "weight_hh", "embedding.weight")


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the values of a tensor of that official name, float32."""
    if name.endswith("._mean"):
        return np.zeros(shape, np.float32)
    if name.endswith("._variance"):
        return np.ones(shape, np.float32)
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if len(shape) == 4:
        fan = shape[0] if name.endswith(TRANSPOSED) else math.prod(shape[1:])
        z *= math.sqrt(2 / fan)
    elif "pos_embed" in name:
        z *= 0.02
    elif len(shape) == 1:
        z = 1 + 0.1 * z if name.endswith((".weight", ".scale")) else 0.1 * z
    elif any(part in name for part in RECURRENT):
        z /= math.sqrt(shape[1])
    else:
        z *= (5 if name.endswith(LAST) else 1) / math.sqrt(shape[0])
    return z.astype(np.float32)


def fill(net: nn.Layer, official: Mapping[str, str] | None = None, prefix: str = "") -> None:
    """Fill a network's tensors by the rule; dropout is switched off.

    Args:
        net: The network, or a part of one.
        official: For the beginnings of names that differ here, the official one.
        prefix: What official names have before them, such as ``Student.``.
    """
    seen: set[int] = set()
    for name, tensor in net.state_dict().items():
        if id(tensor) in seen or name.endswith(KEPT):
            continue
        seen.add(id(tensor))
        tensor.set_value(drawn(prefix + renamed(name, official or {}), tuple(tensor.shape)))
    without_dropout(net)


def renamed(name: str, official: Mapping[str, str]) -> str:
    """Return a name with its beginning replaced by the official one."""
    start = next((start for start in official if name.startswith(start)), "")
    return official.get(start, "") + name[len(start) :]


def without_dropout(net: nn.Layer) -> None:
    """Set the probability of every dropout to 0, an LSTM's too."""
    for layer in net.sublayers(include_self=True):
        if isinstance(layer, nn.Dropout):
            layer.p = 0
        elif isinstance(getattr(layer, "dropout", None), float):
            layer.dropout = 0.0


class Reference:
    """One fixture.

    Args:
        shared: The folder of shared test data.
        name: Of the file, such as ``v3_det_student``.
    """

    def __init__(self, shared: Path, name: str) -> None:
        with np.load(shared / "reference" / f"{name}.npz", allow_pickle=False) as arrays:
            self.arrays = {key: arrays[key] for key in arrays.files}

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def under(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the arrays whose keys begin with ``prefix/``, without it."""
        return {key[len(prefix) + 1 :]: value for key, value in self.arrays.items() if key.startswith(f"{prefix}/")}

    @property
    def picture(self) -> np.ndarray:
        """The input, float32 (N, 3, H, W)."""
        values = np.random.RandomState(0).uniform(-1, 1, tuple(self["input/shape"])).astype(np.float32)
        assert zlib.crc32(values.tobytes()) == int(self["input/crc32"])
        return values

    @property
    def batch(self) -> list[np.ndarray]:
        """What follows the picture in PaddleOCR's batch."""
        return [self[f"batch/{number}"] for number in range(len(self.under("batch")))]

    def gradient_norms(self) -> Iterator[tuple[str, float]]:
        """Yield official names of parameters and the norms of their gradients."""
        return zip(map(str, self["grad/names"]), map(float, self["grad/norms"]), strict=True)


def official_state(shared: Path, name: str) -> list[dict]:
    """Return the rows of an official network's state dict, in order; see the README beside them."""
    return json.loads(gzip.decompress((shared / "reference/networks" / f"{name}.json.gz").read_bytes()))["state"]


def require_same_state(net: nn.Layer, rows: list[dict], official: Mapping[str, str] | None = None) -> None:
    """Fail unless a network has exactly these names and shapes, what it trains, its own learning rates and L2."""
    here = {renamed(name, official or {}): tensor for name, tensor in net.state_dict().items()}
    assert {name: list(tensor.shape) for name, tensor in here.items()} == {row["name"]: row["shape"] for row in rows}
    for row in rows:
        tensor = here[row["name"]]
        if "alias_of" in row or "trainable" in row:
            continue
        attributes = getattr(tensor, "optimize_attr", {})
        assert attributes.get("learning_rate", 1.0) == row.get("lr_factor", 1.0), row["name"]
        own = getattr(tensor, "regularizer", None)
        assert (None if own is None else own._coeff) == row.get("l2"), row["name"]
