"""Child processes that find Paddle imported: forked from one process that has done nothing but import it.

Importing Paddle takes more processor time than most of what the convert stage asks of it. Each piece of work is still a
process of its own, since Paddle and the exporters end in SIGABRT or SIGSEGV on bad input.

Whoever forks must not have computed anything: libraries start their threads when they first compute, and a forked
process has none of those, but waits for them. Of the threads that importing starts, NumPy's end before a fork and come
again when they are needed, and Paddle's one (of its counters) is started anew in each child.

This file is both ends. `ForkServer` is the caller's; run as a program it is the server, which has one socket:

- A request is one packet with three file descriptors: a file of JSON that names the work, the file for its output, and
  a socket of its own, the line.
- Over the line the server sends that the child has begun, then its exit code. Where the line ends without a code,
  server and child are both gone.
- The caller shuts its end of the line to have the child killed. The server is killed when it is not needed any more;
  the kernel kills its children with it, and it with the caller.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from ppedge.errors import PpedgeError
from ppedge.process import Child, die_with_parent, run_children, tied_to_this_process
from ppedge.signals import import_paddle

_BEGUN = b"begun"
_PACKET = 64
"""Bytes of the longest packet."""
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
                [sys.executable, "-m", __name__, str(theirs.fileno())],
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
                said = self._line.recv(_PACKET)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(__name__, timeout or 0.0) from None
            if said == _BEGUN:
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


class _Serving:
    """What the server does once it has imported what it can: it forks, and tells of the ends."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lines: dict[int, socket.socket] = {}
        self._waiting = selectors.DefaultSelector()
        self._heard, self._telling = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._telling, warn_on_full_buffer=False)
        for one in (control, self._heard):
            self._waiting.register(one, selectors.EVENT_READ)

    def run(self) -> dict[str, Any]:
        """Serve until the caller is gone; return in each child, with what is asked of it."""
        while True:
            for key, _ in self._waiting.select():
                if key.fileobj is self._control:
                    asked = self._fork()
                    if asked is not None:
                        return asked
                elif key.fileobj == self._heard:
                    os.read(self._heard, 4096)
                    self._reap()
                elif key.data in self._lines:  # the caller has shut its end
                    os.kill(key.data, signal.SIGKILL)
                    self._waiting.unregister(key.fileobj)

    def _fork(self) -> dict[str, Any] | None:
        packet, files, _, _ = socket.recv_fds(self._control, _PACKET, 3, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            os._exit(0)
        request, output, number = files
        asked: dict[str, Any] = json.loads(os.pread(request, os.fstat(request).st_size, 0))
        line = socket.socket(fileno=number)
        importlib.import_module(asked["module"])
        gc.freeze()  # a collection in a child would write to, and so copy, all that is there
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        parent = os.getpid()
        with warnings.catch_warnings():
            # Python 3.12 warns of the threads; why these do no harm says the top of this file.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            die_with_parent()
            if os.getppid() != parent:
                os._exit(1)
            self._leave(line)
            os.dup2(output, 1)
            os.dup2(output, 2)
        else:
            self._lines[pid] = line
            self._waiting.register(line, selectors.EVENT_READ, pid)
            _send(line, _BEGUN)
        os.close(request)
        os.close(output)
        return asked if pid == 0 else None

    def _leave(self, line: socket.socket) -> None:
        """Let go, in a child, of what is the server's; its own line stays open until it ends."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._waiting.close()
        for one in (self._control, *self._lines.values()):
            one.close()
        os.close(self._heard)
        os.close(self._telling)
        line.detach()

    def _reap(self) -> None:
        """Tell of all children that have ended."""
        while self._lines:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            line = self._lines.pop(pid)
            with suppress(KeyError):  # it was killed
                self._waiting.unregister(line)
            _send(line, b"%d" % os.waitstatus_to_exitcode(status))
            line.close()


def _send(line: socket.socket, packet: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the caller is gone, and the control socket will say so
        line.send(packet)


def _work(asked: Mapping[str, Any]) -> NoReturn:
    """Call what is asked for, and end as Python does, but without taking down module by module what the server has."""
    code = 1
    try:
        os.environ.update(asked["env"])
        if asked["cwd"] is not None:
            os.chdir(asked["cwd"])
        importlib.import_module(asked["module"]).main(asked["arguments"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
    try:
        atexit._run_exitfuncs()  # Paddle's remove temporary files
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code & 0xFF)


def main(number: int) -> None:
    """Be the server; in each process forked from it, do what is asked.

    Args:
        number: The file descriptor of the control socket.
    """
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller gets it too, and says what is to end
    gc.disable()
    import_paddle()
    asked = _Serving(socket.socket(fileno=number)).run()
    gc.enable()
    signal.signal(signal.SIGINT, interrupt)
    _work(asked)


if __name__ == "__main__":
    main(int(sys.argv[1]))
