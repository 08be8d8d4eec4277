"""Child processes that find Paddle imported: forked from one process that has done nothing but import it.

Importing Paddle takes more processor time than most of what the convert stage asks of it. Each piece of work is still a
process of its own, since Paddle and the exporters end in SIGABRT or SIGSEGV on bad input.

This is the caller's end; `ppedge.forkserver.server` is the other, and `ppedge.forkserver.protocol` what the two say to
each other.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ppedge.errors import PpedgeError
from ppedge.forkserver.protocol import BEGUN, PACKET
from ppedge.process import Child, run_children, tied_to_this_process

_ON_THE_PROCESSOR = {"CUDA_VISIBLE_DEVICES": ""}
"""Importing a Paddle for GPUs opens them, and what is forked from a process that has opened one cannot use it."""


class ForkServer:
    """Runs modules of Python in processes that find them imported, with Paddle; on the processor, also where a GPU is.

    The server starts with the first module, and ends with the ``with`` block. One that has died is started anew by the
    next module. It is used by one thread, which lives as long as the block.
    """

    def __init__(self) -> None:
        self._server: _Server | None = None

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *error: object) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def run(self, name: str, arguments: Sequence[str | Path], what: str, **options: Any) -> str:
        """Call ``main(arguments)`` of a module in a process of its own, and return what it printed.

        Args:
            name: Of the module.
            arguments: Of its ``main``, which gets them as strings.
            what: As of `Child`.
            options: Further attributes of `Child`. What ``env`` adds is seen by the module's ``main``, not by what
                libraries read when they are imported.

        Raises:
            MissingError: The child says by its exit code that something is missing.
            PpedgeError: The child failed, died by a signal or took too long.
        """
        (ended,) = self.run_children([Child([name, *arguments], what, **options)])
        if isinstance(ended, PpedgeError):
            raise ended
        return ended

    def run_children(self, children: Sequence[Child]) -> list[str | PpedgeError]:
        """Run modules side by side, each to its end, as `ppedge.process.run_children` does programs.

        Args:
            children: ``argv`` of each is the module's name and the arguments of its ``main``.

        Returns:
            For each what it printed (stdout and stderr together), or the error that `run` would raise.
        """
        return run_children(children, self._start)

    def _start(self, child: Child, output: IO[bytes]) -> _Forked:
        if self._server is not None and self._server.process.poll() is not None:
            self._server.close()
            self._server = None
        if self._server is None:
            self._server = _Server()
        return self._server.fork(child, output)


class _Server:
    """The server's process, as its parent holds it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # In memory, as the output of every child.
        self._output = os.fdopen(os.memfd_create("output"), "w+b")
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"{__name__}.server", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_ON_THE_PROCESSOR},
                pass_fds=[theirs.fileno()],
                preexec_fn=tied_to_this_process(),
            )

    def fork(self, child: Child, output: IO[bytes]) -> _Forked:
        module, *arguments = map(str, child.argv)
        asked = {"module": module, "arguments": arguments, "env": dict(child.env or {}),
                 "cwd": None if child.cwd is None else str(child.cwd)}  # fmt: skip
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, os.fdopen(os.memfd_create("request"), "wb") as request:
            request.write(json.dumps(asked).encode())
            request.flush()
            with suppress(BrokenPipeError, ConnectionResetError):  # it has died, and the line ends
                socket.send_fds(self._control, [b"."], [request.fileno(), output.fileno(), theirs.fileno()])
        return _Forked(self, line, output)

    def last(self, output: IO[bytes]) -> int:
        """Return the exit code of a server that has died, after copying what it said to the output of its child."""
        code = self.process.wait()
        self._output.seek(0)
        output.write(self._output.read())
        output.flush()
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._control.close()
        self._output.close()


class _Forked:
    """A child of the server; a `ppedge.process.Process`."""

    def __init__(self, server: _Server, line: socket.socket, output: IO[bytes]) -> None:
        self._server, self._line, self._output = server, line, output
        self._begun = False
        self._code: int | None = None

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while self._code is None:
            self._line.settimeout(None if until is None else max(0.0, until - time.monotonic()))
            try:
                said = self._line.recv(PACKET)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(__name__, timeout or 0.0) from None
            if said == BEGUN:
                self._begun = True
                continue
            self._code = int(said) if said else self._server.last(self._output)
            self._line.close()
        return self._code

    def kill(self) -> None:
        if self.poll() is not None:
            return
        if self._begun:
            self._line.shutdown(socket.SHUT_WR)
        else:  # while the server imports, it hears nothing
            self._server.process.kill()
