"""The layer table: a disturbed layer of the quantized network comes first, whatever its place in the network."""

import math

import numpy as np
import paddle
import pytest
import yaml

from ppedge.models.weights import state_of, write_pdparams
from ppedge.recipe.io import load_recipe
from ppedge.runs import Run
from ppedge.slim.int8.pact import calibrate, quantize
from ppedge.slim.network import PLAN, PRUNED
from ppedge.slim.plan import Plan
from ppedge.train.course import BEST
from ppedge.train.task import Task
from ppedge.validate.explain import LAYER_SAMPLES, layer_lines, layer_table
from ppedge.validate.layers import layer_table as compare_layers
from ppedge.validate.layers import main
from small import make_data, recipe_dict

SHAPE = {"det": (1, 3, 64, 96), "rec": (1, 3, 32, 128)}
EXCLUDED = {"det": "backbone.conv.", "rec": "backbone.conv1."}


@pytest.fixture(scope="module", params=["det", "rec"])
def pair(request, tmp_path_factory):
    """A recipe's file, its task, inputs, and networks of the same weights: float and quantized."""
    data = make_data(request.param, tmp_path_factory.mktemp("data"))
    path = data / "recipe.yml"
    slim = {"quant": {"exclude": [EXCLUDED[request.param]]}}
    path.write_text(yaml.safe_dump(recipe_dict(request.param, data, slim=slim)))
    task = Task(load_recipe(path))
    random = np.random.default_rng(0)
    inputs = [random.standard_normal(SHAPE[request.param], dtype=np.float32) for _ in range(2)]
    plain, quantized = task.build(), task.build()
    quantize(quantized, exclude=[EXCLUDED[request.param]])
    calibrate(quantized, [paddle.to_tensor(x) for x in inputs])
    quantized.eval()
    return path, plain, quantized, inputs


@pytest.fixture(scope="module")
def table(pair):
    _, plain, quantized, inputs = pair
    return compare_layers(plain, quantized, inputs)


def names_of(table, **wanted):
    return [row["layer"] for row in table if all(row[key] == value for key, value in wanted.items())]


def test_every_layer_that_runs_has_a_row(pair, table):
    _, plain, _, _ = pair
    kinds = (paddle.nn.Conv2D, paddle.nn.Conv2DTranspose, paddle.nn.Linear, paddle.nn.LSTM)
    layers = {name for name, layer in plain.named_sublayers() if isinstance(layer, kinds)}
    in_training = {name for name in layers if name.startswith("head.thresh.")}  # a detector's other head
    assert {row["layer"] for row in table} == layers - in_training
    own = [row["own_snr_db"] if row["own_snr_db"] is not None else math.inf for row in table]
    assert own == sorted(own)
    assert "depthwise Conv2D" in {row["operator"] for row in table}


def test_layers_that_stay_in_float_have_no_error_of_their_own(table):
    floats = [row for row in table if not row["quantized"]]
    assert {row["layer"].partition(".")[0] for row in floats} >= {"backbone"}
    assert all(row["own_snr_db"] is None and row["own_cosine"] == pytest.approx(1) for row in floats)
    assert all(row["input_scale"] is None and row["input_clipped"] == 0 for row in floats)
    (first,) = [row for row in floats if row["layer"].startswith(tuple(EXCLUDED.values()))]
    assert first["accumulated_snr_db"] is None  # nothing before it is quantized


def test_quantized_layers_have_the_error_of_eight_bits(table):
    quantized = [row for row in table if row["quantized"]]
    assert len(quantized) > 20
    assert 25 < np.median([row["own_snr_db"] for row in quantized]) < 60
    assert np.median([row["accumulated_snr_db"] - row["own_snr_db"] for row in quantized]) < 0
    # The scales were taken from these very inputs, by a quantized network that differs a little.
    assert all(row["input_scale"] == pytest.approx(row["input_max"], rel=0.2, abs=0.02) for row in quantized)


@pytest.mark.parametrize("place", [1, -1])
def test_weights_off_by_a_tenth_come_first(pair, table, place):
    """20 dB where no bias adds to the signal; layers after it suffer, but not by their own fault."""
    _, plain, quantized, inputs = pair
    candidates = [row["layer"] for row in table if row["quantized"] and row["own_snr_db"] > 25]
    name = candidates[place]
    weight = dict(quantized.named_sublayers())[name]._layer.weight
    before = weight.numpy()
    weight.set_value(before * 1.1)
    try:
        disturbed = compare_layers(plain, quantized, inputs, plain)
    finally:
        weight.set_value(before)
    assert disturbed[0]["layer"] == name
    assert 15 < disturbed[0]["own_snr_db"] < 27
    was = {row["layer"]: row["own_snr_db"] for row in table}
    assert all(row["own_snr_db"] == was[row["layer"]] for row in disturbed[1:])


@pytest.fixture
def run(pair, tmp_path):
    """A run whose slim stage left the networks of ``pair``, one layer's input scale an eighth of what it should be."""
    path, plain, quantized, _ = pair
    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.recipe_path.write_bytes(path.read_bytes())
    state = state_of(quantized)
    name = [key for key in state if key.endswith("._fake_quant_input._scale")][5]
    state[name] = state[name] / 8
    with run.writing("slim") as folder:
        Plan("none", {}, {}).save(folder / PLAN)
        write_pdparams(folder / BEST, state)
        write_pdparams(folder / PRUNED, state_of(plain))
        settings = load_recipe(path).slim.model_dump(mode="json")
        run.write_manifest(folder, "slim", outputs=[PLAN, BEST, PRUNED], quant="pact", settings=settings)
    return run, name.removesuffix("._layer._fake_quant_input._scale")


@pytest.mark.slow  # a process that imports Paddle
@pytest.mark.parametrize("pair", ["det"], indirect=True)
def test_the_table_of_a_run_names_the_layer_whose_scale_is_wrong(run):
    run, name = run
    recipe, told = load_recipe(run.recipe_path), []
    samples, _ = Task(recipe).samples("eval")
    table = layer_table(recipe, run, samples[: LAYER_SAMPLES[recipe.task]], told.append)
    worst = table[0]
    assert worst["layer"] == name
    assert worst["own_snr_db"] < 20 and worst["input_max"] > 4 * worst["input_scale"] and worst["input_clipped"] > 0
    assert {row["weight_change_db"] for row in table} == {None}  # training changed nothing
    lines = layer_lines(table)
    assert len(lines) == 12 and name in lines[1] and "of it beyond" in lines[1]
    assert len(told) == 1


@pytest.mark.parametrize("pair", ["det"], indirect=True)
def test_what_the_child_refuses(run, tmp_path, capsys):
    run, _ = run
    given, out = tmp_path / "x.npz", tmp_path / "out.json"
    given.write_bytes(b"no zip")
    with pytest.raises(SystemExit) as ended:
        main([str(run.path), str(given), str(out)])
    assert ended.value.code == 2 and "x.npz: no inputs for the layer table" in capsys.readouterr().err
    np.savez(given, np.zeros(SHAPE["det"], np.float32))
    with run.writing("slim", force=True) as folder:
        run.write_manifest(folder, "slim", outputs=[], quant="none")
    with pytest.raises(SystemExit) as ended:
        main([str(run.path), str(given), str(out)])
    assert ended.value.code == 2 and "has no quantized network. Run `ppedge slim" in capsys.readouterr().err
    assert not out.exists()


def test_no_table_no_lines():
    assert layer_lines([]) == []
