"""SIGTERM and Ctrl-C become one exception, whatever Paddle does to the handler."""

import signal
import subprocess
import sys

import pytest

BEGIN = "import os, signal, sys, time\nfrom ppedge.signals import *\n"


def run(code):
    return subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_raise_keyboard_interrupt(number):
    code = f"signal.signal(signal.SIGINT, signal.default_int_handler)\ninterrupt_on_signals()\n" \
           f"try: os.kill(os.getpid(), {int(number)}); time.sleep(60)\n" \
           f"except KeyboardInterrupt: os.kill(os.getpid(), {int(signal.SIGTERM)}); print('cleaned up')"  # fmt: skip
    done = run(code)
    assert (done.returncode, done.stdout) == (0, "cleaned up\n"), done.stderr


def test_what_is_ignored_stays_ignored():
    """As a shell has it for a job in the background."""
    done = run(
        "for n in (2, 15): signal.signal(n, signal.SIG_IGN)\ninterrupt_on_signals()\n"
        "for n in (2, 15): os.kill(os.getpid(), n)\nprint('alive')"
    )
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_paddles_own_handler_is_kept_out():
    pytest.importorskip("paddle")
    done = run("interrupt_on_signals()\nimport ppedge.train\nprint('there', flush=True)\n"
               "try: os.kill(os.getpid(), 15); time.sleep(60)\nexcept KeyboardInterrupt: print('caught')")  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "there\ncaught\n"), done.stderr
    assert "FatalError" not in done.stderr


DURING = """
class During:
    def find_spec(self, name, *_):  # Paddle has set its handler by the time that it imports this
        if name == "paddle.vision": os.kill(os.getpid(), 15)
sys.meta_path.insert(0, During())
interrupt_on_signals()
try: import ppedge.train
except KeyboardInterrupt: print("paddle.vision" in sys.modules)
"""


def test_a_sigterm_while_paddle_is_imported_waits_for_its_end():
    pytest.importorskip("paddle")
    done = run(DURING)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    assert "FatalError" not in done.stderr


def test_ctrl_c_in_the_midst_of_paddles_own_code_makes_no_error_of_it():
    pytest.importorskip("paddle")
    done = run("signal.signal(2, signal.default_int_handler)\n" + DURING.replace("os.getpid(), 15", "os.getpid(), 2"))
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_without_our_handler_a_sigterm_ends_the_process_without_a_stack():
    """As in the children that hold Paddle."""
    pytest.importorskip("paddle")
    done = run("import ppedge.train\nos.kill(os.getpid(), 15)")
    assert done.returncode == -signal.SIGTERM
    assert "FatalError" not in done.stderr


def test_a_signal_in_pythons_last_moments_makes_no_failure_of_what_is_done():
    """`timeout` may send it as late as that."""
    late = "import atexit\natexit.register(lambda: os.kill(os.getpid(), 15))\n"
    done = run(f"{late}interrupt_on_signals()\nprint('done')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
