"""Processes that find Paddle imported: what crosses over to them, how they end, and that they die with their caller."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml

from ppedge.convert.onnx import to_onnx
from ppedge.errors import MissingError, PpedgeError
from ppedge.forkserver import ForkServer
from ppedge.process import Child, run_module
from ppedge.runs import Run
from ppedge.storage import sha256
from small import make_data, recipe_dict
from waiting import ended, wait_for

pytest.importorskip("paddle", reason="the server imports Paddle")

WORK = """
import os, sys
found = "paddle" in sys.modules
def main(arguments):
    exec(arguments[0], {"found": found, "arguments": arguments[1:]})
"""
"""A module that runs the code it is given."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("modules")
    (path / "piece_of_work.py").write_text(WORK)
    return path


@pytest.fixture(scope="module")
def heard():
    """Ctrl-C, though this process may have been started in the background of a shell that ignores it for it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def server(folder, heard):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
        with ForkServer() as running:
            running.run("piece_of_work", ["pass"], "Starting")
            yield running


@pytest.fixture
def do(server):
    def run(code, *arguments, **options):
        return server.run("piece_of_work", [code, *arguments], "Doing the thing", **options)

    return run


def test_output_of_both_streams_and_no_input(do):
    said = do("import sys; print('out', flush=True); print('err', file=sys.stderr); print(repr(sys.stdin.read()))")
    assert said.split() == ["out", "err", "''"]
    assert do("import os; os.system('echo of a shell')") == "of a shell\n"
    assert do("print('not flushed', end='')") == "not flushed"


def test_paddle_is_there_before_the_work_begins_and_is_imported_once(do):
    said = [do("import os, paddle; print(found, id(paddle), os.getppid(), os.getpid())").split() for _ in range(2)]
    (found, paddle, server, first), (_, again, parent, second) = said
    assert found == "True" and paddle == again and server == parent != str(os.getpid()) and first != second


def test_nothing_is_left_of_earlier_work(do):
    do("import os, sys; os.environ['LEFT'] = sys.left = '1'; os.chdir('/')")
    assert do("import os, sys; print('LEFT' in os.environ, hasattr(sys, 'left'), os.getcwd())").split() == [
        "False", "False", str(Path.cwd()),
    ]  # fmt: skip


def test_environment_and_folder(do, tmp_path):
    said = do("import os; print(os.environ['X'], 'PATH' in os.environ, os.getcwd())", env={"X": "1"}, cwd=tmp_path)
    assert said.split() == ["1", "True", str(tmp_path)]


@pytest.mark.parametrize("word", ['it\'s "quoted"', "two\nlines", "", "--network", "车", "not UTF-8: \udcff"])
def test_arguments_are_what_they_were(word, do):
    assert do("print(ascii(arguments))", word, Path(word)) == f"{[word, str(Path(word))]!a}\n"


def test_more_arguments_than_a_packet_holds(do):
    assert do("print(len(arguments), len(arguments[0]))", *["x" * 1000] * 2000) == "2000 1000\n"


def test_a_path_that_is_not_utf8_names_the_file(do, tmp_path):
    path = tmp_path / "of \udcff"
    path.touch()
    assert do("import os; print(os.path.exists(arguments[0]))", path) == "True\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV: "),
        ("import ctypes; ctypes.string_at(0)", "died of SIGSEGV: "),
        ("import os; print('bad model', flush=True); os.abort()", "died of SIGABRT: "),
        ("import sys; print('Error: x is y'); print('bye'); sys.exit(4)", "ended with exit code 4: Error: x is y"),
        ("import sys; sys.exit('Error: in words')", "ended with exit code 1: Error: in words"),
        ("import sys; sys.exit(134)", "died of SIGABRT"),
        ("raise ValueError('deep inside')", "ended with exit code 1: ValueError: deep inside"),
        ("import signal; signal.raise_signal(signal.SIGINT)", "died of SIGINT"),
        ("import sys; sys.stdout.buffer.write(b'\\xff'); sys.exit(2)", "ended with exit code 2: \ufffd"),
    ],
)
def test_a_death_is_a_sentence_and_the_next_one_lives(code, told, do):
    with pytest.raises(PpedgeError, match=f"^{re.escape(f'Doing the thing {told}')}") as error:
        do(code, cause="Perhaps the file is damaged.")
    assert type(error.value) is PpedgeError and error.value.hint == "Perhaps the file is damaged."
    assert do("print('alive')") == "alive\n"


@pytest.mark.parametrize("code", ["import sys; sys.exit()", "import sys; sys.exit(0)", "import os; os._exit(0)"])
def test_a_good_end(code, do):
    assert do(code) == ""


@pytest.mark.parametrize("end", ["pass", "raise SystemExit(0)"])
def test_what_is_to_be_done_at_the_end_is_done(end, do):
    """Paddle keeps the source of what it has traced in the user's cache until then."""
    assert do(f"import atexit; atexit.register(print, 'cleared'); {end}") == "cleared\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise MemoryError", "too little memory"),
        ("import os; os.kill(os.getpid(), 9)", "too little memory"),
        ("raise OSError(28, 'No space left on device')", "the disk is full"),
        ("print('Error: no opt'); raise SystemExit(3)", "ended with exit code 3: Error: no opt"),
    ],
)
def test_what_the_machine_lacks_is_not_the_files_fault(code, told, do):
    with pytest.raises(MissingError, match=f"^Doing the thing:? {told}"):
        do(code, cause="Perhaps the file is damaged.")


def test_too_long(do, tmp_path):
    code = "import os, pathlib, time; pathlib.Path(arguments[0]).write_text(str(os.getpid())); time.sleep(600)"
    began = time.monotonic()
    with pytest.raises(PpedgeError, match=r"^Doing the thing: no end after 1 s, stopped\."):
        do(code, tmp_path / "pid", timeout=1)
    assert time.monotonic() - began < 300  # it was stopped, not waited for
    assert ended((tmp_path / "pid").read_text()) and do("print('alive')") == "alive\n"


def test_children_run_side_by_side_and_each_has_its_own_end(server, tmp_path):
    meet = "import pathlib, time; a, b = map(pathlib.Path, arguments); a.touch()\n" \
           "while not b.exists(): time.sleep(0.02)\nprint(a.name)"  # fmt: skip
    children = [Child(["piece_of_work", meet, tmp_path / a, tmp_path / b], a) for a, b in ("xy", "yx")]
    failing = Child(["piece_of_work", "raise ValueError('no')"], "Doing the thing")
    slow = Child(["piece_of_work", "import time; time.sleep(600)"], "Doing it", timeout=2)
    first, second, third, fourth = server.run_children([*children, failing, slow])
    assert (first, second) == ("x\n", "y\n")
    assert isinstance(third, PpedgeError) and "Doing the thing ended with exit code 1: ValueError: no" in str(third)
    assert isinstance(fourth, PpedgeError) and "Doing it: no end after 2 s" in str(fourth)


def test_a_child_holds_no_socket_but_its_own_line(server, tmp_path):
    """One that held another's would keep its end from being heard of."""
    first = (
        "import pathlib, time; a, b = map(pathlib.Path, arguments); a.touch()\nwhile not b.exists(): time.sleep(0.02)"
    )
    second = (
        "import os, pathlib, time; a, b = map(pathlib.Path, arguments)\nwhile not a.exists(): time.sleep(0.02)\n"
        "links = filter(os.path.lexists, [f'/proc/self/fd/{number}' for number in os.listdir('/proc/self/fd')])\n"
        "print(sorted(os.readlink(link).partition(':')[0] for link in links)); b.touch()"
    )
    children = [Child(["piece_of_work", code, tmp_path / "a", tmp_path / "b"], code) for code in (first, second)]
    _, held = server.run_children(children)
    assert held == "['/dev/null', '/memfd', '/memfd', 'socket']\n"


def test_no_such_module_is_told_and_the_server_starts_anew(do, server):
    with pytest.raises(PpedgeError, match=r"^Doing it ended with exit code 1: ModuleNotFoundError: .*no_such_module"):
        server.run("no_such_module", [], "Doing it")
    assert do("print(found)") == "True\n"


def test_the_servers_own_death_is_told_and_it_starts_anew(do):
    with pytest.raises(MissingError, match=r"^Doing the thing: too little memory"):  # the kernel's way
        do("import os, time; os.kill(os.getppid(), 9); time.sleep(600)")
    assert do("print('alive')") == "alive\n"


def test_a_paddle_that_cannot_be_imported_is_told(folder, tmp_path, monkeypatch):
    (tmp_path / "paddle.py").write_text("raise ImportError('libpaddle.so: failed to map segment')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(folder), os.environ.get("PYTHONPATH", "")]))
    with ForkServer() as one, pytest.raises(MissingError, match="^Doing it: too little memory"):
        one.run("piece_of_work", ["pass"], "Doing it")
    (tmp_path / "paddle.py").write_text("import os; os.abort()")
    with ForkServer() as one, pytest.raises(PpedgeError, match="^Doing it died of SIGABRT"):
        one.run("piece_of_work", ["pass"], "Doing it")


def test_it_starts_with_the_first_work_and_ends_with_the_block(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text()
    with ForkServer() as one:
        assert children.read_text() == before
        pid = one.run("piece_of_work", ["import os; print(os.getppid())"], "Doing it").strip()
        assert pid in children.read_text()
    assert children.read_text() == before


def test_it_computes_on_the_processor(do):
    """What is forked from a process that has opened a GPU cannot use it."""
    assert do("import os, paddle; print(repr(os.environ['CUDA_VISIBLE_DEVICES']), paddle.get_device())") == "'' cpu\n"


def test_paddle_computes_as_in_a_process_of_its_own(do):
    code = (
        "import numpy as np, paddle; x = np.random.RandomState(0).rand(1, 8, 500, 500).astype('float32')\n"
        "net = paddle.nn.Conv2D(8, 8, 3, weight_attr=paddle.nn.initializer.Constant(1))\n"
        "print(float(net(paddle.to_tensor(x)).sum()))\n"
        "print(np.ones((999, 999)).dot(x.ravel()[:999]).sum())"
    )
    assert do(code) == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout


def test_python_that_warns_of_threads_does_not_stop_it(folder, monkeypatch):
    """As of 3.12 a fork of a process with threads is a DeprecationWarning, which may be made an error."""
    monkeypatch.setenv("PYTHONWARNINGS", "error:This process:DeprecationWarning")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    with ForkServer() as one:
        assert one.run("piece_of_work", ["print('here')"], "Doing it") == "here\n"


PARENT = """
import signal, sys
from ppedge.forkserver import ForkServer
signal.signal(signal.SIGINT, signal.default_int_handler)
code = "import os, subprocess, sys, time; from ppedge.process import run_child\\n" \
       "open(arguments[0], 'w').write(f'{os.getppid()} {os.getpid()}')\\n" \
       "run_child(['sleep', '600'], 'sleeping')"
with ForkServer() as forks:
    forks.run("piece_of_work", [code, sys.argv[1]], "waiting")
"""


@contextmanager
def caller(told, *modules):
    """A process that waits for what it has asked of a server; nothing of it is left at the end."""
    path = os.pathsep.join([*map(str, modules), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, told], stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path}
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_server_and_children_end_with_their_parent(number, folder, tmp_path):
    told = tmp_path / "pids"
    with caller(told, folder) as parent:
        server, child = wait_for(lambda: told.is_file() and told.read_text().split())
        children = Path(f"/proc/{child}/task/{child}/children")
        (grandchild,) = wait_for(lambda: children.read_text().split())
        parent.send_signal(number)
        parent.wait(60)
        if number == signal.SIGINT:  # it has waited for them
            assert ended(server) and ended(child)
        assert wait_for(lambda: all(map(ended, (server, child, grandchild))))


def test_an_interruption_does_not_wait_for_the_import(folder, tmp_path):
    pid = tmp_path / "pid"
    (tmp_path / "paddle.py").write_text(
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    with caller(tmp_path / "pids", tmp_path, folder) as parent:
        server = wait_for(lambda: pid.is_file() and pid.read_text())
        parent.send_signal(signal.SIGINT)
        parent.wait(60)
        assert ended(server)


def test_a_ctrl_c_of_the_whole_group_ends_the_child_and_not_the_server(do, server):
    """A terminal sends it to all; the server waits to be told what is to end."""
    code = (
        "import os, signal, time\nfor pid in (os.getppid(), os.getpid()): os.kill(pid, signal.SIGINT)\ntime.sleep(60)"
    )
    with pytest.raises(PpedgeError, match="died of SIGINT"):
        do(code)
    assert do("print('alive')") == "alive\n"


@pytest.mark.parametrize("task", ["det", pytest.param("rec", marks=pytest.mark.slow)])
def test_exported_files_have_the_bytes_of_a_fresh_process(task, forks, tmp_path):
    from ppedge.models.weights import state_of, write_pdparams
    from ppedge.recipe.io import load_recipe
    from ppedge.train.course import BEST
    from ppedge.train.task import Task

    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.recipe_path.write_text(yaml.safe_dump(recipe_dict(task, make_data(task, tmp_path))))
    with run.writing("train") as stage:
        net = Task(load_recipe(run.recipe_path)).build()
        write_pdparams(stage / BEST, state_of(net))
        run.write_manifest(stage, "train", outputs=[BEST])
    words = [(kind, ["--network", "train", kind]) for kind in ("float", "batched")]
    for way, export in (("fresh", run_module), ("forked", forks.run)):
        (tmp_path / way).mkdir()
        arguments = [word for kind, words_of in words for word in (*words_of, str(tmp_path / way / kind))]
        export("ppedge.convert.export", [run.path, *arguments], "Exporting")
    to_onnx({tmp_path / way / "m.onnx": tmp_path / way / "batched" for way in ("fresh", "forked")}, forks)
    fresh, forked = ({path.name: path for path in (tmp_path / way).iterdir()} for way in ("fresh", "forked"))
    assert len(fresh) == 7 and fresh.keys() == forked.keys()
    for name in fresh.keys() - {"float.npz"}:
        assert sha256(fresh[name]) == sha256(forked[name]), name
    with np.load(fresh["float.npz"]) as one, np.load(forked["float.npz"]) as other:
        assert all((one[name] == other[name]).all() for name in one.files)
    assert json.loads(forked["float.json"].read_text())["layers"]
