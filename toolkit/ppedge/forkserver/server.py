"""The fork server: a program that imports Paddle, and forks a process for each piece of work that it is asked for.

Whoever forks must not have computed anything: libraries start their threads when they first compute, and a forked
process has none of those, but waits for them. Of the threads that importing starts, NumPy's end before a fork and come
again when they are needed, and Paddle's one (of its counters) is started anew in each child.
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
import sys
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

from ppedge.forkserver.protocol import BEGUN, PACKET
from ppedge.process import die_with_parent
from ppedge.signals import import_paddle


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
        packet, files, _, _ = socket.recv_fds(self._control, PACKET, 3, socket.MSG_CMSG_CLOEXEC)
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
            _send(line, BEGUN)
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
