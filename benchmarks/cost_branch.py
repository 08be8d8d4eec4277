"""What all parts of ``cost_sweep.py``'s network are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Branch:
    """Layers in a row, each as ``(kind, arguments...)``, on an input of their own."""

    shape: tuple[int, ...]
    layers: tuple[tuple[Any, ...], ...]


def channels_of(random: np.random.Generator, most: float = 300, step: int = 8) -> int:
    """Return a number of channels from 4 to ``most``, mostly a multiple of ``step``."""
    count = int(np.exp(random.uniform(np.log(4), np.log(most))))
    return max(count // step * step, step) if random.random() < 0.8 else count
