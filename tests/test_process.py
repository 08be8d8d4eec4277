import os
import pickle
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from ppedge.errors import GateError, MissingError, PpedgeError
from ppedge.process import Child, death, last_words, run_child, run_children, run_module
from waiting import ended, wait_for


def python(code, **options):
    return run_child([sys.executable, "-c", code], "Doing the thing", **options)


def test_output_of_both_streams_and_no_input():
    text = python("import sys; print('out', flush=True); print('err', file=sys.stderr); print(repr(sys.stdin.read()))")
    assert text.split() == ["out", "err", "''"]


def test_environment_and_folder(tmp_path):
    text = python("import os; print(os.environ['X'], 'PATH' in os.environ, os.getcwd())", env={"X": "1"}, cwd=tmp_path)
    assert text.split() == ["1", "True", str(tmp_path)]


def test_no_such_program():
    with pytest.raises(
        MissingError, match=r"^Doing the thing: the program no-such-program was not found\. Run `ppedge doctor`\."
    ):
        run_child(["no-such-program"], "Doing the thing")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV: it said nothing"),
        ("import os; print('bad model', flush=True); os.abort()", "died of SIGABRT: bad model"),
        ("import sys; print('Error: x is y'); print('bye'); sys.exit(3)", "ended with exit code 3: Error: x is y"),
        ("import sys; sys.exit(134)", "died of SIGABRT"),  # as a shell tells of a signal
        ("raise ValueError('deep inside')", "ended with exit code 1: ValueError: deep inside"),
        ("import sys; sys.stdout.buffer.write(b'\\xff'); sys.exit(2)", "ended with exit code 2: \ufffd"),
    ],
)
def test_a_death_is_a_sentence(code, told):
    with pytest.raises(PpedgeError) as error:
        python(code, cause="Perhaps the file is damaged.")
    assert str(error.value) == f"Doing the thing {told} Perhaps the file is damaged." or told in error.value.message
    assert error.value.hint == "Perhaps the file is damaged."
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "code", ["raise MemoryError", "print('std::bad_alloc', flush=True); import os; os.abort()",
             "import os; os.kill(os.getpid(), 9)"],
)  # fmt: skip
def test_too_little_memory_is_not_the_files_fault(code):
    with pytest.raises(MissingError, match=r"^Doing the thing: too little memory\. Close other programs"):
        python(code, cause="Perhaps the file is damaged.")


@pytest.mark.parametrize("what", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_is_named_by_the_file_or_by_the_folder_that_has_no_room(what, tmp_path, monkeypatch):
    """Where a write fails, Python does not know the file, and other programs name none."""
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    full = {there}
    monkeypatch.setattr(
        os, "statvfs", lambda path: SimpleNamespace(f_bavail=0 if {path, *path.parents} & full else 1 << 30, f_frsize=1)
    )

    def told(words, **options):
        with pytest.raises(MissingError) as error:
            run_child([sys.executable, "-c", f"raise OSError(28, {what!r}, *{words})", *given], "Doing it", **options)
        return error.value.message

    given = [sys.executable, here / "model", there / "new/model.onnx"]
    assert told(["/a/it's b"]) == "Doing it: /a/it's b: the disk is full."
    assert told([]) == f"Doing it: {there / 'new'}: the disk is full."
    given = [str(there / "model")]
    assert told([]) == "Doing it: the disk is full."
    assert told([], cwd=there) == f"Doing it: {there}: the disk is full."
    full = {tmp_path}
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert told([]) == f"Doing it: {tmp_path}: the disk is full."


def test_too_long():
    began = time.monotonic()
    with pytest.raises(PpedgeError, match=r"^Doing the thing: no end after 1 s, stopped\."):
        python("import time; time.sleep(600)", timeout=1)
    assert time.monotonic() - began < 300  # it was stopped, not waited for


def test_children_run_side_by_side_and_each_has_its_own_end(tmp_path):
    meet = "import pathlib, sys, time; a, b = map(pathlib.Path, sys.argv[1:]); a.touch()\n" \
           "while not b.exists(): time.sleep(0.02)\nprint(a.name)"  # fmt: skip
    children = [Child([sys.executable, "-c", meet, tmp_path / a, tmp_path / b], a) for a, b in ("xy", "yx")]
    failing = Child([sys.executable, "-c", "raise ValueError('no')"], "Doing the thing")
    first, second, third, missing = run_children([*children, failing, Child(["no-such-program"], "Doing it")])
    assert (first, second) == ("x\n", "y\n")
    assert isinstance(third, PpedgeError) and "Doing the thing ended with exit code 1: ValueError: no" in str(third)
    assert isinstance(missing, MissingError)


def test_a_module_is_run_by_this_python():
    with pytest.raises(PpedgeError, match="Exporting ended with exit code 2: .*required: run, --network"):
        run_module("ppedge.convert.export", [], "Exporting")


@pytest.mark.parametrize(
    ("code", "told"),
    [(-11, "died of SIGSEGV"), (-6, "died of SIGABRT"), (139, "died of SIGSEGV"), (3, "ended with exit code 3"),
     (255, "ended with exit code 255"), (130, "died of SIGINT")],
)  # fmt: skip
def test_death(code, told):
    assert death(code) == told


def test_last_words_are_short_and_telling():
    assert last_words("") == "it said nothing"
    assert last_words("a\n\n  b  \n") == "b"
    assert last_words("Error: the cause\nlater noise") == "Error: the cause"
    assert len(last_words("Error " + "x" * 999)) == 300


@pytest.mark.parametrize(("kind", "code"), [(PpedgeError, 2), (GateError, 1), (MissingError, 3)])
def test_errors_cross_process_borders_whole(kind, code):
    error = pickle.loads(pickle.dumps(kind("What is wrong.", "What to do.")))
    assert type(error) is kind
    assert (str(error), error.hint, error.exit_code) == ("What is wrong. What to do.", "What to do.", code)


PARENT = """
import signal, sys
from ppedge.process import run_child
signal.signal(signal.SIGINT, signal.default_int_handler)
child = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
run_child([sys.executable, "-c", child, sys.argv[1]], "waiting")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_child_ends_with_its_parent(number, tmp_path):
    told = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, told], stderr=subprocess.DEVNULL)
    child = wait_for(lambda: told.is_file() and told.read_text())
    parent.send_signal(number)
    parent.wait(60)
    assert wait_for(lambda: ended(child))
