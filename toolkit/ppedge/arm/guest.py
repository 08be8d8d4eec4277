"""The host's side of a guest: one arm64 process that keeps a model and runs it as often as asked."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ppedge.arm import protocol, qemu
from ppedge.arm.elf import Function
from ppedge.arm.memory import guest_memory
from ppedge.arm.sandbox import Sandbox
from ppedge.errors import PpedgeError

_LARGEST_ANSWER = 1 << 32
# Seconds that a guest has to end by itself; one that is still starting on a busy machine takes some.
_FAREWELL = 15.0


class Guest:
    """A guest process that speaks the protocol of `ppedge.arm.protocol`.

    A guest that died or was stopped answers no more; a new one must be started.

    Args:
        sandbox: Where QEMU and the userland are.
        program: The guest's program and its arguments.
        cpu: QEMU's name of a core.
        count: Count the instructions of each run.
        watch: With counting, a function of the guest's whose entries into blocks of code are counted apart.
        environment: Added to the guest's environment.
        timeout: Seconds that one answer may take.

    Attributes:
        last_counts: With counting, the instructions of the last run by class.
        last_pause: With counting, those between the run before it (or the guest's start) and that run.
        last_trace: With ``watch``, the last run piece by piece: where in the function a piece began (bytes from its
            begin; None for what lies before the first), and its instructions by class. They sum to `last_counts`.

    Raises:
        PpedgeError: QEMU does not know the core.
        MissingError: The counting plugin cannot be compiled.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        program: Sequence[str | Path],
        *,
        cpu: str,
        count: bool = False,
        watch: Function | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 600.0,
    ) -> None:
        self.cpu = cpu
        self.timeout = timeout
        self.last_counts: dict[str, int] | None = None
        self.last_pause: dict[str, int] | None = None
        self.last_trace: list[tuple[int | None, dict[str, int]]] = []
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the guest
        # A file and not a pipe: a pipe that nobody reads while the guest runs would fill up and stop it.
        self._counted = tempfile.TemporaryFile() if count else None  # noqa: SIM115 - likewise
        self._counted_to = 0
        try:
            self._process = qemu.start(
                sandbox,
                cpu,
                program,
                environment=environment or {},
                words=self._words,
                count_to=None if self._counted is None else self._counted.fileno(),
                watch=watch,
            )
        except BaseException:
            self._release()
            raise
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._stdin, False)

    def open_model(self, path: Path) -> dict[str, Any]:
        """Hand a model file's bytes to the guest: nothing in the guest depends on where the file lies.

        Returns:
            What the guest says of it: ``runtime`` (name and version), ``inputs`` (how many).

        Raises:
            PpedgeError: The file cannot be read, or the guest refuses the model or dies of it.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise PpedgeError(f"{path}: cannot be read ({error.strerror}).") from error
        answer = self._ask(protocol.MODEL, data, protocol.INFO, f"{path}: opening the model")
        return dict(json.loads(answer))

    def ask(self, question: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Return a guest's answer to a question of its own kind, both of JSON's values.

        Args:
            question: What the guest understands.
            what: What is being done, for errors.

        Raises:
            PpedgeError: The guest knows no questions, takes too long or dies.
        """
        return dict(json.loads(self._ask(protocol.QUESTION, json.dumps(question).encode(), protocol.INFO, what)))

    def memory(self, what: str) -> int:
        """Return the bytes of memory that the guest has written to and holds while it waits for a message.

        Args:
            what: What is being done, for errors.

        Raises:
            PpedgeError: The guest died or takes too long.
        """
        self._exchange(protocol.RUN, b"", what)  # a run of nothing: the refusal says that the guest is up and waits
        return guest_memory(self._process.pid)

    def run(self, inputs: Sequence[np.ndarray], what: str) -> list[np.ndarray]:
        """Run the network once; with counting on, `last_counts` then holds this run's instructions by class.

        Args:
            inputs: One array an input.
            what: What is being run, for errors.

        Raises:
            PpedgeError: The guest refuses the inputs, takes too long or dies.
        """
        self.last_counts = self.last_pause = None
        self.last_trace = []
        self._drain()  # what a run that failed left there
        try:
            payload = protocol.pack([np.ascontiguousarray(array) for array in inputs])
        except TypeError as error:
            raise PpedgeError(f"{what}: {error}.", "Give float32 or integer arrays.") from error
        answer = self._ask(protocol.RUN, payload, protocol.TENSORS, what)
        if self._counted is not None:
            self._take_counts(what)
        return protocol.unpack(answer)

    def close(self) -> None:
        """End the guest. Further calls are harmless."""
        if self._words.closed:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()  # to a guest that waits for a message, the end
        try:
            self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._release()

    def kill(self) -> None:
        """End the guest at once; a thread that waits for its answer hears of its death. `close` is still to be called.

        Further calls are harmless.
        """
        self._process.kill()

    def _release(self) -> None:
        self._words.close()
        if self._counted is not None:
            self._counted.close()
            self._counted = None
        process = getattr(self, "_process", None)
        if process is not None and process.stdout is not None:
            process.stdout.close()

    def _ask(self, kind: bytes, payload: bytes, wanted: bytes, what: str) -> bytes:
        answer, reply = self._exchange(kind, payload, what)
        if answer == protocol.ERROR:
            text = " ".join(reply.decode("utf-8", "replace").split())
            raise PpedgeError(f"{what} on {self.cpu}: {text}", "Check the model and the shapes of its inputs.")
        if answer != wanted:
            self._fail(f"{what} on {self.cpu}: the guest broke the protocol.")
        return reply

    def _exchange(self, kind: bytes, payload: bytes, what: str) -> tuple[bytes, bytes]:
        if self._words.closed:
            raise PpedgeError(f"{what}: the guest has ended.", "Open the model again.")
        deadline = time.monotonic() + self.timeout
        try:
            self._send(protocol.HEADER.pack(kind, len(payload)), deadline, what)
            self._send(payload, deadline, what)
            answer, size = protocol.HEADER.unpack(self._receive(protocol.HEADER.size, deadline, what))
            if answer not in (protocol.INFO, protocol.TENSORS, protocol.ERROR) or size > _LARGEST_ANSWER:
                self._fail(f"{what} on {self.cpu}: the guest broke the protocol.")
            reply = self._receive(size, deadline, what)
        except KeyboardInterrupt:
            self._stop()  # the answer that is still to come must not be taken for a later one's
            raise
        return answer, reply

    def _send(self, data: bytes, deadline: float, what: str) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(deadline, what, writing=True)
            try:
                rest = rest[os.write(self._stdin, rest) :]
            except BrokenPipeError:
                self._died(what)

    def _receive(self, size: int, deadline: float, what: str) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait(deadline, what, writing=False)
            block = os.read(self._stdout, min(size - len(data), 1 << 20))
            if not block:
                self._died(what)
            data += block
        return bytes(data)

    def _wait(self, deadline: float, what: str, *, writing: bool) -> None:
        left = max(0.0, deadline - time.monotonic())
        # A guest that dies closes its ends: both directions wake up at once.
        poll = select.poll()
        poll.register(*((self._stdin, select.POLLOUT) if writing else (self._stdout, select.POLLIN)))
        if not poll.poll(left * 1000):
            self._fail(f"{what} on {self.cpu}: no answer after {self.timeout:.0f} s, the guest was stopped.")

    def _died(self, what: str) -> NoReturn:
        try:
            returncode = self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._fail(f"{what} on {self.cpu}: the guest closed its output but did not end; it was stopped.")
        self._words.seek(0)
        words = self._words.read().decode("utf-8", "replace")
        self.close()
        raise qemu.guest_error(what, self.cpu, returncode, words)

    def _fail(self, message: str) -> NoReturn:
        self._stop()
        raise PpedgeError(message)

    def _stop(self) -> None:
        self._process.kill()
        self.close()

    def _drain(self) -> str:
        """Return what the plugin has written since the last call."""
        if self._counted is None:
            return ""
        parts = []
        # The file's offset is the plugin's, which writes through the same description.
        while part := os.pread(self._counted.fileno(), 1 << 20, self._counted_to):
            parts.append(part)
            self._counted_to += len(part)
        return b"".join(parts).decode("ascii")

    def _take_counts(self, what: str) -> None:
        """Read what the plugin wrote before the guest answered: up to the run, its pieces, and to its end."""
        rows = [[int(number) for number in line.split()] for line in self._drain().splitlines()]
        places = [row[0] - qemu.FIRST_WATCHED for row in rows if row[0] >= qemu.FIRST_WATCHED]
        marks = [row[0] for row in rows if row[0] < qemu.FIRST_WATCHED]
        if marks != [protocol.MARK_BEGIN, protocol.MARK_END]:
            self._fail(f"{what} on {self.cpu}: the counting plugin reported the marks {marks}, not a run's two.")
        # A line holds what was executed since the line before it, so each piece is named by the line before its own.
        begin = next(k for k, row in enumerate(rows) if row[0] == protocol.MARK_BEGIN)
        before, pieces = rows[: begin + 1], [dict(zip(qemu.CLASSES, row[1:], strict=True)) for row in rows[begin + 1 :]]
        self.last_pause = {name: sum(row[1 + k] for row in before) for k, name in enumerate(qemu.CLASSES)}
        self.last_counts = {name: sum(piece[name] for piece in pieces) for name in qemu.CLASSES}
        inside = places[len(places) - len(pieces) + 1 :]
        self.last_trace = list(zip([None, *inside], pieces, strict=True))
