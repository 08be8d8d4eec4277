"""What the two engines under the emulator share: a guest that holds the model, warm-up, counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ppedge.arm.elf import Function
from ppedge.arm.guest import Guest
from ppedge.arm.sandbox import Sandbox
from ppedge.engines.base import ClosingEngine
from ppedge.errors import PpedgeError


class ArmGuestEngine(ClosingEngine):
    """A model in an emulated arm64 process.

    Counting is of one inference, warm: before the first counted run of an input shape the network runs once uncounted,
    because runtimes choose kernels and plan memory when they first see a shape. From then on a count still moves by up
    to 0.2 % with what the process ran before (the allocator's state), so compare figures over the same sequence of
    inputs: that gives the same figures in every process.

    Args:
        path: The model's file.
        sandbox: The emulator.
        program: The guest's program and its arguments.
        cpu: QEMU's name of a core.
        count: Count each run's instructions.
        watch: With counting, a function of the runtime's that is watched, see `ppedge.arm.guest.Guest`.
        environment: Added to the guest's environment.
        timeout: Seconds that one answer may take.

    Attributes:
        last_counts: The instructions of the last run by class (`ppedge.arm.qemu.CLASSES`); None without counting.
        last_trace: With ``watch``, the last run piece by piece, see `ppedge.arm.guest.Guest`.
        runtime: Name and version of what runs the model.
    """

    name = "arm"

    def __init__(
        self,
        path: Path,
        sandbox: Sandbox,
        program: Sequence[str | Path],
        *,
        cpu: str,
        count: bool,
        environment: Mapping[str, str],
        timeout: float,
        watch: Function | None = None,
    ) -> None:
        self.path = path
        self.last_counts: dict[str, int] | None = None
        self._count = count
        self._warm: set[tuple[tuple[int, ...], ...]] = set()
        self.last_trace: list[tuple[int | None, dict[str, int]]] = []
        self._guest = Guest(
            sandbox, program, cpu=cpu, count=count, watch=watch, environment=environment, timeout=timeout
        )
        try:
            self._empty = self._guest.memory(f"{path}: opening the model")
            self.runtime = str(self._guest.open_model(path)["runtime"])
        except BaseException:
            self.close()
            raise

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the network once; see `ppedge.engines.base.Engine`.

        Raises:
            PpedgeError: The model does not take these inputs, the guest died (its last words are quoted) or took too
                long.
        """
        what = f"{self.path}: running the network"
        shapes = tuple(array.shape for array in inputs)
        self.last_counts = None
        if self._count and shapes not in self._warm:
            self._guest.run(inputs, what)
            self._warm.add(shapes)
        outputs = self._guest.run(inputs, what)
        if self._count:
            self.last_counts, self.last_trace = self._guest.last_counts, self._guest.last_trace
        return outputs

    def stop_counting(self) -> None:
        """Run the network once a call from now on, as an engine does that was opened without counting."""
        self._count = False
        self.last_counts, self.last_trace = None, []

    def reopen(self, path: Path) -> None:
        """Put another model in the place of this one: the guest lets go of this one and opens that.

        Raises:
            PpedgeError: The model cannot be read or opened, or the guest died or takes too long.
        """
        self.path = path
        self._warm.clear()
        self.runtime = str(self._guest.open_model(path)["runtime"])

    def memory(self) -> int:
        """Return the bytes of memory that the guest holds beyond what it held before the model was opened.

        Weights, activations and the runtime's own tables, as they are resident after the last run. Runtimes keep their
        buffers from one run to the next, so it is close to the peak.

        Raises:
            PpedgeError: The guest died or takes too long.
        """
        return self._guest.memory(f"{self.path}: measuring memory") - self._empty

    def load_counts(self, inputs: Sequence[np.ndarray]) -> dict[str, int]:
        """Return the instructions of opening the model, by class.

        The model is opened once more, because guests mark the runs only: what lies between two runs with an opening
        between them, less what lies between two without. One-time work of the runtime's libraries is not in it. How
        often the guest must read until it has the model's bytes is a matter of chance: expect the last digits to move.

        Args:
            inputs: Of the three runs around it; small ones will do.

        Raises:
            PpedgeError: The engine does not count, or the guest failed.
        """
        what = f"{self.path}: opening the model"
        pauses = []
        for opens in (False, False, True):  # what lies before the first of them is not known
            if opens:
                self._guest.open_model(self.path)
            self._guest.run(inputs, what)
            pauses.append(self._guest.last_pause)
        _, without, opening = pauses
        if without is None or opening is None:
            raise PpedgeError(f"{what}: this engine does not count.", "Open it with count=True.")
        return {name: opening[name] - without[name] for name in opening}

    def kill(self) -> None:
        """End the guest at once, even while another thread waits for it; `close` is still to be called."""
        self._guest.kill()

    def close(self) -> None:
        """End the guest. Further calls are harmless."""
        self._guest.close()
