"""An average of the weights, and a scaled loss: what they compute, and that a resumed course has them as they were."""

import json

import numpy as np
import paddle
import pytest
from paddle import nn

from courses import BoomError, course
from ppedge.errors import PpedgeError
from ppedge.models.weights import read_pdparams, state_of, write_pdparams
from ppedge.storage import sha256
from ppedge.train.average import Average
from ppedge.train.course import BEST, LAST, METRICS
from ppedge.train.loop import fit
from ppedge.train.loss_scaling import LossScaling
from ppedge.train.task import Task
from small import tiny_recipe


class Net(nn.Layer):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.norm = nn.BatchNorm2D(3)
        self.register_buffer("steps", paddle.to_tensor([0], dtype="int64"))


def test_the_average_is_the_formula_for_weights_and_statistics():
    paddle.seed(0)
    net = Net()
    average, wanted = Average(net, 0.5), state_of(net)
    assert {"fc.weight", "norm._mean", "steps"} <= wanted.keys()
    for step in range(1, 13):
        for tensor in net.state_dict().values():
            tensor.set_value((paddle.randn(tensor.shape) * 9).astype(tensor.dtype))
        share = min(0.5, (1 + step) / (10 + step))
        now = state_of(net)
        wanted = {name: share * value + (1 - share) * now[name] for name, value in wanted.items()}
        average.update(step)
    assert share == 0.5  # the bound of the first steps has been left
    found = average.state()
    assert all(np.allclose(found[name], wanted[name], atol=1e-5) for name in wanted if name != "steps")
    assert found["steps"].dtype == np.int64 and found["steps"] == now["steps"]  # a count has no average


def test_what_has_the_average_for_a_while_has_its_own_weights_again():
    net = Net()
    average, own = Average(net, 0.9), state_of(net)
    average.values["fc.weight"].set_value(paddle.full([2, 3], 7.0))
    with pytest.raises(BoomError), average.applied():
        assert (net.fc.weight.numpy() == 7).all()
        raise BoomError
    assert all(np.array_equal(value, own[name]) for name, value in state_of(net).items())


@pytest.fixture
def recipe(cls_data, monkeypatch):
    monkeypatch.setattr(Task, "evaluate", lambda *_: {"accuracy": 0.5})  # the last evaluation is kept
    return tiny_recipe("cls", cls_data, train={"ema": 0.7, "l2": 0.01, "max_steps": 4, "checkpoint_every": 1})


def test_the_average_is_kept_and_a_resumed_course_has_the_same(recipe, tmp_path):
    fit(course(recipe, tmp_path / "whole"))
    with pytest.raises(BoomError):
        fit(course(recipe, tmp_path / "cut", die_at=3))
    fit(course(recipe, tmp_path / "cut", resume=True))
    assert sha256(tmp_path / "cut" / BEST) == sha256(tmp_path / "whole" / BEST)
    whole, cut = (read_pdparams(tmp_path / name / LAST) for name in ("whole", "cut"))
    assert all(np.array_equal(whole[name], cut[name]) for name in whole if name != "position/metrics_bytes")
    best = read_pdparams(tmp_path / "whole" / BEST)
    assert all(np.array_equal(value, whole[f"average/{name}"]) for name, value in best.items())
    assert not all(np.array_equal(value, whole[f"net/net.{name}"]) for name, value in best.items())
    assert sum("eval" in json.loads(line) for line in (tmp_path / "whole" / METRICS).read_text().splitlines()) >= 1


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda state, name: state.pop(name), "the average of .* is missing or does not fit it"),
        (lambda state, name: state.update({name: np.zeros(3, np.float32)}), "is missing or does not fit it"),
        (lambda state, name: state.update({name: state[name] * np.nan}), "the average of .* is not finite"),
    ],
)
def test_an_average_that_does_not_fit_is_a_sentence(recipe, tmp_path, damage, told):
    with pytest.raises(BoomError):
        fit(course(recipe, tmp_path, die_at=2))
    state = read_pdparams(tmp_path / LAST)
    damage(state, next(name for name in state if name.startswith("average/")))
    write_pdparams(tmp_path / LAST, state)
    with pytest.raises(PpedgeError, match=told) as error:
        fit(course(recipe, tmp_path, resume=True))
    assert error.value.message.startswith(str(tmp_path / LAST))


@pytest.fixture
def scaling_on_cpu(monkeypatch):
    """Paddle's scaler refuses the CPU, on which its arithmetic works all the same."""
    from paddle.amp import grad_scaler

    class Place:
        def is_gpu_place(self):
            return True

    class Tracer:
        _expected_place = Place()

    monkeypatch.setattr(grad_scaler, "_dygraph_tracer", Tracer)
    monkeypatch.setattr(grad_scaler.amp_global_state(), "amp_dtype", "float16")


def test_a_resumed_course_scales_its_loss_as_before(recipe, tmp_path, monkeypatch, scaling_on_cpu):
    monkeypatch.setattr("ppedge.train.loss_scaling._DOUBLES_AFTER", 2)
    fit(course(recipe, tmp_path / "whole", amp=True))
    with pytest.raises(BoomError):
        fit(course(recipe, tmp_path / "cut", amp=True, die_at=4))
    kept = read_pdparams(tmp_path / "cut" / LAST)
    assert (kept["scaling/scale"], kept["scaling/incr_count"]) == (2048, 1)  # doubled after 2 of 3 steps
    fit(course(recipe, tmp_path / "cut", amp=True, resume=True))
    whole, cut = (read_pdparams(tmp_path / name / LAST) for name in ("whole", "cut"))
    assert whole["scaling/scale"] == 4096
    assert all(np.array_equal(whole[name], cut[name]) for name in whole if name != "position/metrics_bytes")
    fit(course(recipe, tmp_path / "plain"))
    plain = read_pdparams(tmp_path / "plain" / LAST)
    assert not [name for name in plain if name.startswith("scaling/")]
    assert all(np.array_equal(value, whole[name]) for name, value in plain.items() if name.startswith("net/"))


def test_a_step_whose_gradients_overflow_is_left_out(scaling_on_cpu):
    weight = paddle.create_parameter([2], "float32", default_initializer=nn.initializer.Constant(1.0))
    optimizer = paddle.optimizer.Adam(0.1, parameters=[weight])
    scaling = LossScaling(True)
    scaling.step((weight * float("inf")).sum(), optimizer)
    assert weight.numpy().tolist() == [1, 1] and scaling.state()["scale"] == 512


@pytest.mark.parametrize("scale", [[np.nan], [-1.0], [1.0, 2.0]])
def test_a_scale_that_is_none_is_a_sentence(scaling_on_cpu, tmp_path, scale):
    scaling = LossScaling(True)
    state = {**scaling.state(), "scale": np.array(scale)}
    with pytest.raises(PpedgeError, match=r"last\.ckpt: not a checkpoint of this ppedge \(scale"):
        scaling.restore(state, tmp_path / LAST)
