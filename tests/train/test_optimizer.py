"""The learning rate of each step, and what Adam does with factors and L2 decay of single parameters."""

from itertools import pairwise

import numpy as np
import paddle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paddle import ParamAttr, nn
from paddle.regularizer import L2Decay
from pydantic import ValidationError

from ppedge.models.heads.ctc import CTCHead
from ppedge.recipe.train import Schedule
from ppedge.train.optimizer import SLOWEST, USUAL, build_optimizer, learning_rate, small_steps


def rate(step, total, warmup, peak=1.0, **schedule):
    """With one step an epoch, so that the warm-up is counted in steps."""
    return learning_rate(step, total, 1, Schedule(learning_rate=peak, warmup_epochs=warmup, **schedule))


@pytest.mark.parametrize(
    ("step", "total", "warmup", "wanted"),
    [
        (0, 10, 0, 1.0),  # no warm-up: the peak at once
        (0, 10, 5, 0.2),  # never 0: a step with rate 0 would be lost
        (4, 10, 5, 1.0),  # the warm-up's last step
        (5, 10, 5, 1.0),  # the cosine's first
        (10, 10, 5, 0.0),
        (5, 10, 0, 0.5),
        (0, 1, 0, 1.0),  # a single step
        (2, 3, 5, 0.6),  # ends within the warm-up
        (3, 3, 3, 1.0),  # warm-up all along: no division by 0
        (99, 10, 0, 0.0),  # after the end it does not rise again
    ],
)
def test_cosine(step, total, warmup, wanted):
    assert rate(step, total, warmup) == pytest.approx(wanted)
    assert rate(step, total, warmup, 3e-4) == pytest.approx(3e-4 * wanted)


@given(total=st.integers(1, 50), warmup=st.integers(0, 60))
def test_a_cosine_rises_then_falls_and_stays_positive(total, warmup):
    rates = [rate(step, total, warmup) for step in range(total)]
    top = min(warmup, total)
    assert all(a < b for a, b in pairwise(rates[:top]))
    assert all(a >= b for a, b in pairwise(rates[top:]))
    assert all(0 < one <= 1 for one in rates)


def test_constant_stays_after_the_warm_up():
    rates = [rate(step, 6, 2, 0.5, decay={"name": "constant"}) for step in range(6)]
    assert rates == [0.25, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_piecewise_counts_epochs_from_the_start_of_the_course():
    schedule = Schedule(
        learning_rate=1e-3, warmup_epochs=0.5, decay={"name": "piecewise", "epochs": [2, 3.5], "factors": [0.1, 0.01]}
    )
    rates = [learning_rate(step, 40, 4, schedule) for step in range(16)]
    assert rates == pytest.approx([5e-4] + [1e-3] * 7 + [1e-4] * 6 + [1e-5] * 2)


@pytest.mark.parametrize(
    ("decay", "told"),
    [
        ({"name": "piecewise", "epochs": [2, 3], "factors": [0.1]}, "2 epochs and 1 factors: each epoch needs one"),
        ({"name": "piecewise", "epochs": [3, 2], "factors": [0.1, 0.2]}, "epochs must ascend"),
        ({"name": "piecewise", "epochs": [], "factors": []}, "at least 1 item"),
        ({"name": "linear"}, "does not match any of the expected tags"),
    ],
)
def test_a_decay_that_cannot_be(decay, told):
    with pytest.raises(ValidationError, match=told):
        Schedule(decay=decay)


class Net(nn.Layer):
    """A parameter of each kind: general L2, none, a learning-rate factor, and a recogniser's head."""

    def __init__(self):
        super().__init__()

        def weights(**options):
            attribute = ParamAttr(initializer=nn.initializer.Normal(), **options)
            return self.create_parameter([3, 4], attr=attribute)

        self.plain, self.frozen = weights(), weights()
        self.undecayed = weights(regularizer=L2Decay(0.0))
        self.slow = weights(learning_rate=0.1)
        self.head = CTCHead(3, 4)
        self.frozen.stop_gradient = True


def own(name, general, of_head):
    """Return L2 decay and learning-rate factor of a parameter of `Net`."""
    l2 = {"undecayed": 0.0, "head.fc.weight": of_head, "head.fc.bias": of_head}.get(name, general)
    return l2, 0.1 if name == "slow" else 1.0


def adam(start, gradients, rates, l2, factor):
    """Adam (Kingma and Ba, ICLR 2015) in float64 with L2 decay in the gradient, as NumPy has it."""
    value, first, second = start.astype(np.float64), 0.0, 0.0
    for step, (gradient, one) in enumerate(zip(gradients, rates, strict=True), start=1):
        whole = gradient + l2 * value
        first, second = 0.9 * first + 0.1 * whole, 0.999 * second + 0.001 * whole**2
        size = one * factor * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        value = value - size * first / (np.sqrt(second) + 1e-8 * np.sqrt(1 - 0.999**step))
    return value


@pytest.mark.parametrize("head_l2", [None, 0.03])
def test_adam_honours_what_a_parameter_has_of_its_own(head_l2):
    paddle.seed(0)
    net = Net()
    start = {name: one.numpy() for name, one in net.named_parameters()}
    optimizer = build_optimizer(net, Schedule(l2=0.2, head_l2=head_l2))
    rng, rates = np.random.default_rng(1), [0.01, 0.02, 0.005, 0.01]
    drawn = {name: 0.1 * rng.standard_normal((len(rates), *value.shape)) for name, value in start.items()}
    for step, one in enumerate(rates):
        optimizer.set_lr(one)
        sum((p * paddle.to_tensor(drawn[name][step].astype("float32"))).sum()
            for name, p in net.named_parameters()).backward()  # fmt: skip
        optimizer.step()
        optimizer.clear_grad()
    assert len(start) == 6
    for name, value in net.named_parameters():
        found = value.numpy()
        if name == "frozen":
            assert np.array_equal(found, start[name])
            continue
        wanted = adam(start[name], drawn[name], rates, *own(name, 0.2, 0.2 if head_l2 is None else head_l2))
        np.testing.assert_allclose(found, wanted, atol=2e-6, err_msg=name)


def test_layers_with_small_weights_take_small_steps():
    """Relative to their weights no layer moves further than one of usual size does."""
    net = Net()
    sizes = {"plain": 0.01, "slow": 0.25, "undecayed": 0.0, "head.fc.weight": 1.0}
    signs = np.where(np.random.default_rng(0).random((3, 4)) < 0.5, -1, 1).astype(np.float32)
    for name, one in net.named_parameters():
        if name in sizes:
            one.set_value(np.resize(sizes[name] * USUAL * signs, one.shape))
    start = {name: one.numpy() for name, one in net.named_parameters()}
    with small_steps(net):
        optimizer = build_optimizer(net, Schedule(learning_rate=1e-3))
        sum(one.sum() for one in net.parameters()).backward()
        optimizer.step()
    moved = {name: float(abs(one.numpy() - start[name]).max()) for name, one in net.named_parameters()}
    wanted = {"plain": 0.01, "slow": 0.1 * 0.25, "undecayed": SLOWEST, "head.fc.weight": 1.0, "head.fc.bias": 1.0}
    assert {name: moved[name] for name in wanted} == pytest.approx({n: 1e-3 * f for n, f in wanted.items()}, rel=0.01)
    assert moved["frozen"] == 0
    factors = {name: one.optimize_attr["learning_rate"] for name, one in net.named_parameters()}
    assert factors == {name: 0.1 if name == "slow" else 1.0 for name in factors}  # only for a while
