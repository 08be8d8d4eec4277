"""Whatever goes wrong while batches are prepared ends the training in a sentence; nothing waits for ever."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from ppedge.data.labelled import RecSample
from ppedge.errors import MissingError, PpedgeError
from ppedge.train import loader
from ppedge.train.loader import load
from small import recipe_dict

BATCHES = [[(0, 2 * step), (0, 2 * step + 1)] for step in range(3)]
BAD = 3


class StubbornError(Exception):
    """One that cannot be unpickled."""

    def __init__(self, one, two):
        super().__init__(f"{one}\n{two}")


class Lines:
    """A data set whose sample `BAD` does something."""

    def __init__(self, act=lambda: None):
        self.samples = [RecSample(Path(f"{index}.png"), "a", f"train.txt:{index + 1}") for index in range(6)]
        self.act = act

    def __getitem__(self, key):
        if key[1] == BAD:
            self.act()
        return {"image": np.full((2, 3), key[1], np.float32), "label": np.array(key[1])}


def stack(items, new=np.empty):
    """The images in an array that is given, as the large ones are; the labels in one that is not."""
    images = new((len(items), 2, 3), np.float32)
    images[:] = [item["image"] for item in items]
    return {"image": images, "label": np.array([item["label"] for item in items])}


def throw(error):
    raise error


@pytest.fixture(params=[0, 1, 2, 5], ids="workers {}".format)
def workers(request):
    yield request.param
    assert multiprocessing.active_children() == []


def test_batches_come_in_order(workers):
    batches = list(load(Lines(), BATCHES, stack, workers))
    assert [batch["label"].tolist() for batch in batches] == [[0, 1], [2, 3], [4, 5]]
    assert [batch["image"].shape for batch in batches] == [[2, 2, 3]] * 3
    assert str(batches[0]["image"].dtype) == "paddle.float32"
    assert [batch["image"].numpy()[:, 0, 0].tolist() for batch in batches] == [[0, 1], [2, 3], [4, 5]]


def test_batches_larger_than_the_shared_memory_come_too(monkeypatch):
    monkeypatch.setattr(loader, "_SHARED_BYTES", 40)  # an image has 24
    batches = list(load(Lines(), BATCHES, stack, 2))
    assert [batch["image"].numpy()[:, 1, 2].tolist() for batch in batches] == [[0, 1], [2, 3], [4, 5]]


def test_whoever_stops_early_leaves_no_process(workers):
    loaded = load(Lines(), BATCHES, stack, workers)
    next(loaded)
    loaded.close()


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (PpedgeError("3.png: gone.", "Look for it."), PpedgeError, r"^3\.png: gone\. Look for it\.$"),
        (MissingError("No space."), MissingError, r"^No space\.$"),
        (ValueError("too odd"), PpedgeError, r"^train\.txt:4: 3\.png: cannot be prepared .*ValueError: too odd"),
        (StubbornError("one", "two"), PpedgeError, r"^train\.txt:4: 3\.png: .*StubbornError: two"),
        (MemoryError(), MissingError, r"^train\.txt:4: 3\.png: not enough memory"),
        (OSError(28, "No space left on device"), PpedgeError, r"^train\.txt:4: 3\.png: .*No space left"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_any_error_names_the_picture(workers, error, kind, message):
    loaded = load(Lines(lambda: throw(error)), BATCHES, stack, workers)
    assert next(loaded)["label"].tolist() == [0, 1]
    with pytest.raises(kind, match=message) as raised:
        next(loaded)
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)


def test_an_error_in_collating_names_the_last_picture(workers):
    def collate(items, new):
        return throw(ValueError("odd sizes")) if items[0]["label"] == 2 else stack(items, new)

    with pytest.raises(PpedgeError, match=r"train\.txt:4: 3\.png: .*odd sizes"):
        list(load(Lines(), BATCHES, collate, workers))


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "died of SIGKILL"),
        (lambda: signal.raise_signal(signal.SIGBUS), "died of SIGBUS"),
        (lambda: os._exit(7), "ended with exit code 7"),
    ],
    ids=["SIGKILL", "SIGBUS", "exit"],
)
@pytest.mark.parametrize("count", [1, 3])
def test_the_death_of_a_process_names_the_picture(count, act, told):
    """A signal is raised in the thread that prepares: one to the process may go to a thread of some library's pool."""
    loaded = load(Lines(act), BATCHES, stack, count)
    assert next(loaded)["label"].tolist() == [0, 1]
    with pytest.raises(MissingError, match=rf"{told} at train\.txt:4: 3\.png\. Lower train\.workers"):
        next(loaded)
    assert multiprocessing.active_children() == []


def test_no_process_is_a_sentence(monkeypatch):
    def start(process):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(loader._FORK.Process, "start", start)
    with pytest.raises(MissingError, match="No process for preparing batches: Resource temporarily"):
        next(load(Lines(), BATCHES, stack, 2))


ON_A_SMALL_MACHINE = """
import resource, sys
import numpy as np
from test_loader import Lines, load, stack
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
def large(items, new):
    array = new((20 << 20,), np.uint8)
    array[:] = 1
    return {**stack(items, new), "large": array}
print(sum(int(batch["large"].numpy().sum()) for batch in load(Lines(), [[(0, 0)]] * 4, large, 2)) >> 20)
"""


def run_here(script, *before):
    """Run a script in a Python that finds this file, and heeds Ctrl-C even if a shell has the tests ignore it."""
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path])
    command = [*before, sys.executable, "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": paths},
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # fmt: skip


def test_batches_need_no_file():
    """Not one byte may be written to a file, and shared memory by name is files."""
    out, err = run_here(ON_A_SMALL_MACHINE).communicate(timeout=120)
    assert out == "80\n", err


def test_batches_need_no_shared_memory():
    before = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=4k tmpfs /dev/shm && exec "$0" "$@"']
    if not shutil.which("unshare") or subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the kernel does not let us mount another /dev/shm")
    out, err = run_here(ON_A_SMALL_MACHINE, *before).communicate(timeout=120)
    assert out == "80\n", err


STUCK = """
import time
from ppedge.train.stopping import stop_requests
from test_loader import BATCHES, Lines, load, stack
with stop_requests():
    loaded = load(Lines(lambda: time.sleep(1000)), BATCHES, stack, WORKERS)
    next(loaded)
    print("waiting", flush=True)
    next(loaded)
"""


@pytest.mark.parametrize("count", [0, 2])
def test_a_second_ctrl_c_ends_even_a_wait_for_a_picture(count):
    process = run_here(STUCK.replace("WORKERS", str(count)))
    assert process.stdout.readline() == "waiting\n"
    for _ in range(100):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.1)
            break
        except subprocess.TimeoutExpired:
            continue
    _, err = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in err


@pytest.mark.parametrize("count", [0, 2])
def test_a_picture_that_spoils_during_training_is_named(rec_data, tmp_path, monkeypatch, ppedge_here, count):
    """Checked as good, then cut off: as one that somebody else is writing."""
    root = tmp_path / "data"
    shutil.copytree(rec_data, root)
    recipe = tmp_path / "tiny.yml"
    recipe.write_text(yaml.safe_dump(recipe_dict("rec", root, train={"workers": count})))
    monkeypatch.setattr("ppedge.data.check.unreadable", lambda path: None)
    spoilt = root / (root / "train.txt").read_text(encoding="utf-8").split("\t")[0]
    spoilt.write_bytes(spoilt.read_bytes()[:-1])
    code, _, err = ppedge_here("train", recipe, "--out", tmp_path / "run", "--device", "cpu")
    assert code == 2
    assert err.splitlines()[-1].startswith(f"ppedge: {spoilt}: the picture is damaged")
    assert not (tmp_path / "run/train").exists()
