"""The engine protocol: whatever runs a model takes arrays and gives arrays."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

import numpy as np
from typing_extensions import Self


class Engine(Protocol):
    """A loaded model.

    Engines are context managers; leaving the block frees the model and any process behind it.
    """

    name: str

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network once.

        Args:
            inputs: One array per input, in the model's order; images are NCHW float32.

        Returns:
            One array per output, in the model's order.

        Raises:
            PpedgeError: The model does not take these inputs, or the engine failed.
        """
        ...

    def close(self) -> None:
        """Free the model. Further calls are harmless."""
        ...

    def __enter__(self) -> Self:
        """Return the engine itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the engine."""
        ...
