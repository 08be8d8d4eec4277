"""The host's side of the protocol, against small guests written for the purpose."""

import os
import signal

import numpy as np
import pytest

from ppedge.arm import qemu
from ppedge.arm.guest import Guest
from ppedge.errors import PpedgeError

ONE = [np.ones(3, np.float32)]


@pytest.fixture
def guest_of(sandbox, tmp_path):
    started = []

    def start(program, **options):
        file = tmp_path / "guest.py"
        file.write_text("import os, sys, time\n" + program)
        guest = Guest(sandbox, [*qemu.guest_python(sandbox), file], cpu="cortex-a53", **options)
        started.append(guest)
        return guest

    yield start
    for guest in started:
        guest.kill()  # some would not end by themselves
        guest.close()


def test_a_dying_guest_is_quoted(guest_of):
    guest = guest_of(
        "sys.stdin.buffer.read(9); sys.stderr.write('Check failed: no kernel\\n'); sys.stderr.flush(); os.abort()"
    )
    with pytest.raises(
        PpedgeError, match="reading m.nb on cortex-a53: the guest died of SIGABRT: Check failed: no kernel"
    ):
        guest.run(ONE, "reading m.nb")
    with pytest.raises(PpedgeError, match="the guest has ended"):
        guest.run(ONE, "once more")


def test_a_guest_that_is_killed(guest_of):
    guest = guest_of("time.sleep(60)")
    os.kill(guest._process.pid, signal.SIGKILL)
    with pytest.raises(PpedgeError, match="SIGKILL"):
        guest.run(ONE, "x")


def test_a_silent_guest_is_stopped(guest_of):
    guest = guest_of("time.sleep(60)", timeout=0.5)
    with pytest.raises(PpedgeError, match="no answer after"):
        guest.run(ONE, "x")
    assert guest._process.returncode == -signal.SIGKILL


def test_a_guest_that_does_not_read_is_stopped(guest_of):
    guest = guest_of("time.sleep(60)", timeout=0.5)
    with pytest.raises(PpedgeError, match="no answer after"):
        guest.run([np.zeros(1 << 20, np.float32)], "x")


def test_nonsense_is_refused(guest_of):
    guest = guest_of("sys.stdout.write('Loading the model...'); sys.stdout.flush(); time.sleep(60)")
    with pytest.raises(PpedgeError, match="broke the protocol"):
        guest.run(ONE, "x")


def test_a_type_outside_the_protocol(guest_of):
    guest = guest_of("time.sleep(60)")
    with pytest.raises(PpedgeError, match="complex64"):
        guest.run([np.zeros(2, np.complex64)], "x")


def test_a_model_that_is_not_there(guest_of, tmp_path):
    with pytest.raises(PpedgeError, match=r"none\.onnx: cannot be read"):
        guest_of("time.sleep(60)").open_model(tmp_path / "none.onnx")


def test_closing_leaves_no_process(guest_of):
    guest = guest_of("sys.stdin.buffer.read()")
    guest.close()
    guest.close()
    assert guest._process.returncode == 0
