"""The engine protocol, whatever runs a model takes arrays and gives arrays; and what engines share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol

import numpy as np
from typing_extensions import Self

from ppedge.errors import PpedgeError

_LONGEST = 300  # characters of a runtime's own words in an error


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
            PpedgeError: The model does not take these inputs, or the engine is closed or failed.
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


class ClosingEngine(ABC):
    """An engine as a context manager."""

    @abstractmethod
    def close(self) -> None:
        """Free the model; see `Engine`."""

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the engine."""
        self.close()


class LocalEngine(ClosingEngine):
    """A model that a runtime has loaded into this process.

    Args:
        path: The model's file.
        loaded: What the runtime has made of it; let go by `close`.
    """

    maker: ClassVar[str]
    """The runtime's name in errors."""

    def __init__(self, path: Path, loaded: Any) -> None:
        self.path = path
        self._loaded: Any | None = loaded

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network once; see `Engine`."""
        if self._loaded is None:
            raise PpedgeError(f"{self.path}: the engine has been closed.")
        names = self._input_names(self._loaded)
        if len(inputs) != len(names):
            raise PpedgeError(f"{self.path}: the model has {len(names)} inputs, {len(inputs)} were given.")
        return self._compute(self._loaded, dict(zip(names, inputs, strict=True)))

    def close(self) -> None:
        """Free the model. Further calls are harmless."""
        self._loaded = None

    @abstractmethod
    def _input_names(self, loaded: Any) -> Sequence[str]:
        """Return the names of the network's inputs, in its order."""

    @abstractmethod
    def _compute(self, loaded: Any, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Run the network on its inputs by name; may raise `_failed`."""

    @classmethod
    def _cannot_load(cls, path: Path, why: str) -> PpedgeError:
        return PpedgeError(f"{path}: {cls.maker} cannot load it: {_shortened(why)}", "Repeat `ppedge convert`.")

    def _failed(self, inputs: dict[str, np.ndarray], why: str) -> PpedgeError:
        shapes = ", ".join(f"{array.dtype} {array.shape}" for array in inputs.values())
        return PpedgeError(f"{self.path}: {self.maker} failed on {shapes}: {_shortened(why)}")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
