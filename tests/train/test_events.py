"""Event files for TensorBoard: what they hold is what metrics.jsonl holds."""

import json
import struct
import sys

import pytest
import yaml

from ppedge.errors import Interrupted
from ppedge.progress import Reporter
from ppedge.runs import Run
from ppedge.train import loop
from ppedge.train.stage import run_train
from small import make_data, recipe_dict, tiny_recipe


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data("rec", tmp_path_factory.mktemp("data"))


def events_of(folder):
    """Return the scalars (name, step) -> value as TensorBoard shows them: without what a later file purges."""
    pb = pytest.importorskip("tensorboardX.proto.event_pb2", reason="tensorboardX is not installed")
    found = {}
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime_ns):
        whole, at = path.read_bytes(), 0
        while at < len(whole):
            (length,) = struct.unpack_from("<Q", whole, at)
            event = pb.Event.FromString(whole[at + 12 : at + 12 + length])
            at += 16 + length
            if event.session_log.status == pb.SessionLog.START and event.HasField("session_log"):
                found = {key: value for key, value in found.items() if key[1] < event.step}
            found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
    return found


def logged(path):
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    return {
        (f"{'eval' if 'eval' in entry else 'train'}/{name}", entry["step"]): value
        for entry in entries
        for name, value in entry.get("eval", entry).items()
        if name != "step"
    }


def test_they_hold_what_the_log_holds_and_go_on_after_an_interruption(data, tmp_path, monkeypatch):
    recipe, run = tiny_recipe("rec", data), Run(tmp_path / "run")
    events_of(tmp_path)
    steps = loop._Fit._log_step

    def stopping(self, *arguments):
        steps(self, *arguments)
        if self.position.step == 3:  # one after the checkpoint
            raise Interrupted("killed", "")

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(loop._Fit, "_log_step", stopping)
        run_train(recipe, run, device="cpu", tensorboard=True, reporter=Reporter(quiet=True))
    assert ("train/loss", 3) in events_of(run.path / "tensorboard")
    run_train(recipe, run, device="cpu", resume=True, tensorboard=True, reporter=Reporter(quiet=True))
    shown, expected = events_of(run.path / "tensorboard"), logged(run.stage("train") / "metrics.jsonl")
    assert {"train/loss", "train/lr", "eval/exact"} <= {name for name, _ in shown}
    assert shown == pytest.approx(expected, rel=1e-6)
    files = len(list((run.path / "tensorboard").iterdir()))
    run_train(recipe, run, device="cpu", force=True, tensorboard=True, reporter=Reporter(quiet=True))
    assert shown.keys() == events_of(run.path / "tensorboard").keys()
    assert len(list((run.path / "tensorboard").iterdir())) == files + 1


def test_without_the_package_the_command_says_how_to_get_it(data, tmp_path, monkeypatch, ppedge_here):
    recipe = tmp_path / "tiny.yml"
    recipe.write_text(yaml.safe_dump(recipe_dict("rec", data)))
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    code, _, err = ppedge_here("train", recipe, "--out", tmp_path / "run", "--device", "cpu", "--tensorboard")
    assert code == 3
    assert "--tensorboard needs the package tensorboardX" in err
    assert 'pip install "ppedge[tensorboard]"' in err
    assert not (tmp_path / "run").exists()
