"""What one inference of a network costs on an emulated core, in figures that do not move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, cast

import numpy as np

from ppedge.engines.base import Engine

_SMALL_SIDE = 64  # of the runs around an opening: what they cost is not what is measured


class Counting(Engine, Protocol):
    """An engine under the emulator that counts; see `ppedge.engines.arm_guest.ArmGuestEngine`."""

    runtime: str
    last_counts: dict[str, int] | None

    def memory(self) -> int:
        """Return the bytes of memory that the guest holds beyond what it held before the model was opened."""
        ...

    def load_counts(self, inputs: Sequence[np.ndarray]) -> dict[str, int]:
        """Return the instructions of opening the model, by class."""
        ...


@dataclass(frozen=True)
class Cost:
    """The cost of a network on one core.

    Attributes:
        runtime: Name and version of what ran it.
        input_shape: (1, 3, H, W) of the inference.
        instructions: ARM instructions of one warm inference by class, ``total`` among them.
        load_instructions: ARM instructions of opening the model, about.
        memory_bytes: Memory that the process holds after an inference beyond what it held before it had a model.
    """

    runtime: str
    input_shape: tuple[int, ...]
    instructions: dict[str, int]
    load_instructions: int
    memory_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "input_shape": list(self.input_shape)}


def measure(open_counting: Callable[[], Engine], size: tuple[int, int]) -> Cost:
    """Count one inference at a fixed size in a fresh guest: the same figure every time.

    Args:
        open_counting: Opens the model with ``count=True`` on an engine under the emulator.
        size: Height and width of the input in pixels.

    Raises:
        PpedgeError: The engine failed.
    """
    with open_counting() as opened:
        return count_inference(cast(Counting, opened), size)


def count_inference(engine: Counting, size: tuple[int, int]) -> Cost:
    """Count one inference at a fixed size in a guest that has run nothing yet; afterwards it holds the model still.

    Args:
        engine: The model, just opened with ``count=True``.
        size: Height and width of the input in pixels.

    Raises:
        PpedgeError: The engine failed.
    """
    generator = np.random.default_rng(0)
    x = generator.standard_normal((1, 3, *size), dtype=np.float32)
    small = generator.standard_normal((1, 3, *(min(side, _SMALL_SIDE) for side in size)), dtype=np.float32)
    engine.run([x])
    counts, memory = engine.last_counts, engine.memory()
    assert counts is not None
    return Cost(engine.runtime, x.shape, counts, engine.load_counts([small])["total"], memory)


def ratios(cost: dict[str, int], baseline: dict[str, int]) -> dict[str, float | None]:
    """Return instructions by class relative to a baseline's; None where the baseline has none of a class."""
    return {name: cost[name] / baseline[name] if baseline[name] else None for name in cost}
