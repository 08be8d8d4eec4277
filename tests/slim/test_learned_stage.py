"""The slim stage with learned rounding, equalization and bias correction, down to the file for Paddle Lite."""

import shutil

import numpy as np
import pytest
import yaml

from courses import BoomError
from ppedge.convert.qdq import quantize_weight
from ppedge.convert.stage import run_convert
from ppedge.models.weights import read_pdparams
from ppedge.progress import Reporter
from ppedge.recipe.io import as_written, load_recipe
from ppedge.runs import Run
from ppedge.slim import learning
from ppedge.slim.int8.pact import without_quantizers
from ppedge.slim.network import load_float, load_quantized
from ppedge.slim.stage import run_slim
from ppedge.storage import read_json
from ppedge.train.stage import run_train
from ppedge.train.task import Task

LEARNED = ["slim.prune.method=none", "slim.quant.rounding=learned"]
FLOAT = "backbone.conv2"
QUANT = {"samples": 4, "exclude": [FLOAT], "learn": {"iterations": 12, "learning_rate": 0.1},
         "train": {"epochs": 1, "max_steps": 2, "batch_size": 2}}  # fmt: skip


@pytest.fixture(scope="module")
def trained(examples, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("learned") / "run")
    path = run.path.parent / "recipe.yml"
    path.write_text(yaml.safe_dump({**as_written(examples["rec"].recipe), "slim": {"quant": QUANT}}))
    run_train(load_recipe(path), run, device="cpu", reporter=Reporter(quiet=True))
    return run


@pytest.fixture
def copied(trained, tmp_path):
    def copy(name="run"):
        shutil.copytree(trained.path, tmp_path / name)
        return Run(tmp_path / name)

    return copy


def slim(run, *overrides, **options):
    said, reporter = [], Reporter(quiet=True)
    reporter.say = said.append
    recipe = load_recipe(run.recipe_path, overrides)
    return run_slim(recipe, run, device="cpu", reporter=reporter, **options), said


def levels(run):
    """Levels and steps of the layers in 8 bits, by layer, as whoever exports them rounds the weights of the file."""
    weights, scales = without_quantizers(read_pdparams(run.artifact("slim", "best.pdparams")))
    found = {name: weights[f"{name}.weight"] for name in scales}
    return {name: quantize_weight(value, 0 if value.ndim == 4 else 1) for name, value in found.items()}


def test_what_is_learned_is_what_the_file_for_paddle_lite_computes_with(copied, monkeypatch):
    pytest.importorskip("paddlelite")
    learned, run = {}, copied()
    learn = learning.learn_rounding

    def seen(*arguments, **options):
        found = learn(*arguments, **options)
        learned.update(found.roundings)
        return found

    monkeypatch.setattr(learning, "learn_rounding", seen)
    slim(run, *LEARNED)
    run_convert(load_recipe(run.recipe_path, ["convert.formats=[nb]", "convert.precisions=[int8]"]), run)
    data = next((run.path / "convert").glob("*.int8.nb")).read_bytes()
    start = read_pdparams(run.artifact("slim", "pruned.pdparams"))
    differ = 0
    for name, (found, _) in levels(run).items():
        assert found.tobytes() in data, name
        own, _ = quantize_weight(learned[name].weight, 0 if found.ndim == 4 else 1)
        np.testing.assert_array_equal(found, own, err_msg=name)
        nearest, _ = quantize_weight(start[f"{name}.weight"], 0 if found.ndim == 4 else 1)
        if (nearest != found).any():
            differ += 1
            assert nearest.tobytes() not in data, name
    assert differ > 3
    assert FLOAT + ".conv" not in learned


def test_what_later_steps_rebuild_is_what_was_measured(copied):
    run = copied()
    metrics, said = slim(run, *LEARNED, "slim.quant.correct_bias=true", "slim.quant.equalize=true")
    assert set(metrics) == {"float", "calibrated", "quantized"}
    recipe = load_recipe(run.recipe_path, LEARNED)
    task = Task(recipe)
    samples, _ = task.samples("eval")
    assert task.evaluate(load_quantized(run, task), samples) == metrics["quantized"]
    assert task.evaluate(load_float(run, task, "slim"), samples) == metrics["float"]
    units = read_json(run.artifact("slim", "rounding.json"))["units"]
    assert all(unit["learned"] <= unit["nearest"] for unit in units) and len(units) > 10
    clips = read_json(run.artifact("slim", "clips.json"))
    assert any(clip["start"] != clip["end"] for clip in clips.values())
    calibrating = said.index("calibrating on 4 training samples; slim.quant.samples says on how many")
    assert any(line.startswith("equalized what ") for line in said[calibrating:])
    assert any(line.startswith(f"rounding learned in {len(units)} units") for line in said)
    state = read_pdparams(run.artifact("slim", "best.pdparams"))
    for name, clip in clips.items():
        assert state[f"{name}._layer._fake_quant_input._scale"].item() == pytest.approx(clip["end"])
    # Equalization and correction are seen in the files: the one in both, the other in the quantized alone.
    files = [run.artifact("train", "best.pdparams"), run.artifact("slim", "pruned.pdparams")]
    original, equalized = map(read_pdparams, files)
    norm = "backbone.blocks.0.expand_conv.bn.weight"
    assert (original[norm] != equalized[norm]).any()
    weights, _ = without_quantizers(state)
    assert (weights["backbone.conv1.bn._mean"] != equalized["backbone.conv1.bn._mean"]).any()


def test_an_interrupted_learning_goes_on_to_the_same_bytes(copied, monkeypatch):
    whole, resumed = copied("whole"), copied("resumed")
    slim(whole, *LEARNED)
    with monkeypatch.context() as patch, pytest.raises(BoomError):
        write, written = learning.write_pdparams, []

        def dying(path, state):
            write(path, state)
            written.append(path)
            if len(written) == 5:
                raise BoomError

        patch.setattr(learning, "write_pdparams", dying)
        slim(resumed, *LEARNED)
    learned = []
    with monkeypatch.context() as patch:
        patch.setattr(learning, "write_pdparams", lambda path, state: learned.append(path))
        _, said = slim(resumed, *LEARNED, resume=True)
    assert any(line.startswith("going on with the network") for line in said)
    units = len(read_json(whole.artifact("slim", "rounding.json"))["units"])
    assert len(learned) == units - 5
    for name in ("best.pdparams", "rounding.json", "clips.json", "plan.json"):
        assert resumed.artifact("slim", name).read_bytes() == whole.artifact("slim", name).read_bytes()
    assert not list(resumed.stage("slim").glob(".*"))


def test_a_trained_network_can_be_corrected_too(copied):
    run = copied()
    metrics, _ = slim(run, "slim.prune.method=none", "slim.quant.correct_bias=true", "slim.quant.train.epochs=0")
    assert set(metrics) == {"float", "calibrated", "quantized"}
    start = read_pdparams(run.artifact("slim", "pruned.pdparams"))
    state, _ = without_quantizers(read_pdparams(run.artifact("slim", "best.pdparams")))
    assert (state["backbone.conv1.bn._mean"] != start["backbone.conv1.bn._mean"]).any()
    assert state["backbone.conv1.conv.weight"].tobytes() == start["backbone.conv1.conv.weight"].tobytes()
