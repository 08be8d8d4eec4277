"""Choosing the layers that compute in 8 bits, on tiny networks with lively weights."""

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.weights import load_weights, state_of
from ppedge.slim.int8 import pact
from ppedge.slim.int8.precision import (
    CHOSEN,
    ERROR,
    EXCLUDED,
    METRIC,
    NO_GAIN,
    NOT_NEEDED,
    UNKNOWN,
    Trial,
    choose_precisions,
    longest,
)
from ppedge.slim.int8.rounding import fake_quantized, output_errors

CORES = ["a53", "a76"]
ANY = float("inf")


def clips_of(net, pictures):
    freeze_batch_norm(net)
    clips = pact.measure_clips(net, pictures, 100, 0.1)
    net.eval()
    return clips


def prepared(example):
    """A network in eval mode, two pictures, and the clips of all its layers."""
    net, pictures = example.build(), [example.picture(seed) for seed in range(2)]
    return net, pictures, clips_of(net, pictures)


@pytest.fixture
def ready(example):
    return prepared(example)


@pytest.fixture
def det(examples):
    """A network whose first layers count at its output; those of the other two, deep and untrained, hardly do."""
    return prepared(examples["det"])


@pytest.fixture
def rec(examples):
    return prepared(examples["rec"])


def used(net, picture):
    """Names of the layers that eval mode runs."""
    found = []
    handles = [
        layer.register_forward_post_hook(lambda layer, inputs, output, name=name: found.append(name))
        for name, layer in net.named_sublayers()
        if isinstance(layer, pact.QUANTIZED)
    ]
    net(picture)
    for handle in handles:
        handle.remove()
    return found


def fidelity(net, pictures):
    """A metric: 0 is the float network, 1 less an error as large as the output's variance."""
    with paddle.no_grad():
        wanted = [net(x).numpy() for x in pictures]

        def metric():
            errors = [((net(x).numpy() - y) ** 2).mean() for x, y in zip(pictures, wanted, strict=True)]
            return -float(np.mean(errors) / np.mean([y.var() for y in wanted]))

    return metric


def test_weights_and_outputs_are_restored_bit_for_bit(ready):
    net, pictures, clips = ready
    before, wanted = state_of(net), net(pictures[0]).numpy()
    with fake_quantized(net, clips):
        changed = [name for name, value in state_of(net).items() if not np.array_equal(value, before[name])]
        assert {name.removesuffix(".weight") for name in changed} == set(clips)
        assert np.abs(net(pictures[0]).numpy() - wanted).max() > 1e-5
    with pytest.raises(ZeroDivisionError), fake_quantized(net, clips):
        _ = 1 // 0
    after = state_of(net)
    assert all(after[name].tobytes() == value.tobytes() for name, value in before.items())
    assert net(pictures[0]).numpy().tobytes() == wanted.tobytes()


def test_one_layer_is_rounded_as_its_quantizers_will_round_it(example):
    """The first and the last layer of each kind: convolution, depthwise, transposed, linear."""
    net, picture = example.build(), example.picture()
    clips = clips_of(net, [picture])
    layers = dict(net.named_sublayers())
    kinds = {}
    for name in used(net, picture):
        kinds.setdefault((type(layers[name]), getattr(layers[name], "_groups", 1) > 1), []).append(name)
    assert len(kinds) == {"det": 3, "rec": 3, "cls": 3}[example.recipe.task]
    for name in {name for names in kinds.values() for name in (names[0], names[-1])}:
        quantized = example.task.build()
        load_weights(quantized, state_of(net), "memory")
        pact.quantize(quantized, float_names=set(layers) - {name})
        pact.calibrate(quantized, [picture])
        quantized.eval()
        with paddle.no_grad(), fake_quantized(net, {name: clips[name]}):
            np.testing.assert_allclose(net(picture).numpy(), quantized(picture).numpy(), atol=2e-6, err_msg=name)


def test_errors_are_of_the_output_and_leave_the_network_alone(ready):
    net, pictures, clips = ready
    before, advanced = state_of(net), []
    errors = output_errors(net, clips, pictures, lambda: advanced.append(1))
    assert len(advanced) == len(clips)
    running = set(used(net, pictures[0]))
    assert all((error > 0) == (name in running) for name, error in errors.items())
    after = state_of(net)
    assert all(np.array_equal(after[name], value) for name, value in before.items())
    name = next(iter(running))
    metric = fidelity(net, pictures)
    with fake_quantized(net, {name: clips[name]}):
        assert -metric() == pytest.approx(errors[name], rel=1e-3)


def test_a_layer_that_wrecks_the_output_stays_in_float(det):
    net, pictures, clips = det
    running = used(net, pictures[0])
    wrecked = running[0]  # what follows has nothing to go by then
    gains = {name: dict.fromkeys(CORES, 1000.0) for name in running}
    metric = fidelity(net, pictures)
    with fake_quantized(net, {name: clips[name] for name in running if name != wrecked}):
        allowed = -metric() * 1.01
    spoilt = {**clips, wrecked: clips[wrecked] * 1e-3}
    choice = choose_precisions(net, gains, spoilt, pictures, metric, cores=CORES, max_drop=allowed, max_error=ANY)
    reasons = {each.layer: each.reason for each in choice.layers}
    assert reasons[wrecked] == METRIC and choice.precision[wrecked] == "fp32"
    assert {name for name, reason in reasons.items() if reason == CHOSEN} == set(running) - {wrecked}
    drops = {count: choice.tried[0].metric - trial.metric for count, trial in choice.tried.items()}
    assert drops[choice.taken] <= allowed < drops[len(running)]
    assert all(trial.error == pytest.approx(drops[count], rel=1e-3) for count, trial in choice.tried.items())
    assert choice.layers[len(running) - 1].layer == wrecked  # given back first
    value = choice.to_dict()
    assert (value["before"], value["after"]) == (0, choice.tried[choice.taken].metric)
    assert value["error"] == choice.tried[choice.taken].error
    assert value["tried"][-1] == {"layers": len(running), **vars(choice.tried[len(running)])}
    assert value["gain"] == dict.fromkeys(CORES, 1000.0 * (len(running) - 1))


def test_an_output_that_would_change_too_far_is_not_even_measured(det):
    """A recogniser's strings on lines it was trained on stay the same for long: the output moves before they do."""
    net, pictures, clips = det
    names = used(net, pictures[0])
    gains = {name: dict.fromkeys(CORES, 1000.0) for name in names}
    clips = {name: clips[name] for name in names}
    order = sorted(names, key=output_errors(net, clips, pictures).__getitem__)
    with paddle.no_grad(), fake_quantized(net, {name: clips[name] for name in order[:10]}):
        ten = [net(x).numpy() for x in pictures]
    wanted = [net(x).numpy() for x in pictures]
    limit = sum(((a - b) ** 2).mean() for a, b in zip(ten, wanted, strict=True)) / sum(y.var() for y in wanted)
    asked = []

    def metric():
        asked.append(1)
        return 0.9

    options = {"cores": CORES, "max_drop": 1.0, "max_error": limit * 1.001}
    choice = choose_precisions(net, gains, clips, pictures, metric, **options)
    assert [each.layer for each in choice.layers[: len(names)]] == order
    assert 10 <= choice.taken < len(names)
    for count, trial in choice.tried.items():
        assert (trial.metric is None) == (trial.error > options["max_error"]) == (count > choice.taken)
    assert len(asked) == sum(trial.metric is not None for trial in choice.tried.values())
    assert {each.reason for each in choice.layers[choice.taken : len(names)]} == {ERROR}
    few = choose_precisions(net, gains, clips, pictures, metric, few=1, **options)
    assert few.tried[len(names)] == choice.tried[len(names)]  # all pictures judge all layers together
    assert {each.layer: each.error for each in few.layers} != {each.layer: each.error for each in choice.layers}


def test_layers_that_gain_nothing_are_excluded_or_unknown_are_not_even_tried(rec):
    net, pictures, clips = rec
    first, second, third, *others = used(net, pictures[0])
    gains = {name: dict.fromkeys(CORES, 1000.0) for name in (first, second, *others)}
    gains[second] = {"a53": 500.0, "a76": -1.0}
    choose = {"pictures": pictures, "metric": lambda: 0.5, "max_drop": 0.0, "max_error": ANY}
    choice = choose_precisions(net, gains, clips, cores=CORES, exclude=[first], **choose)
    found = {each.layer: each for each in choice.layers}
    assert [found[name].reason for name in (first, second, third)] == [EXCLUDED, NO_GAIN, UNKNOWN]
    assert [found[name].error for name in (first, second, third)] == [None] * 3
    small = {**gains, second: dict.fromkeys(CORES, 1.0)}  # less than the prediction may be off
    assert choose_precisions(net, small, clips, cores=CORES, **choose).precision[second] == "fp32"
    assert found[second].gain == gains[second] and found[third].gain == {}
    assert {name for name, p in choice.precision.items() if p == "int8"} == set(others)
    assert len(choice.precision) == len(pact.precisions(net))
    alone = choose_precisions(net, gains, clips, cores=["a53"], **choose)
    assert alone.precision[second] == "int8"


def test_layers_are_taken_by_what_they_save_for_their_error(det):
    net, pictures, clips = det
    names = used(net, pictures[0])
    clips = {name: clips[name] for name in names}
    errors = output_errors(net, clips, pictures)
    gains = {name: {"a53": 10.0 + index % 7, "a76": 5.0} for index, name in enumerate(names)}
    choice = choose_precisions(net, gains, clips, pictures, lambda: 0.0, cores=CORES, max_drop=0.0, max_error=ANY)
    expected = sorted(names, key=lambda name: -sum(gains[name].values()) / errors[name])
    assert [each.layer for each in choice.layers[: len(names)]] == expected
    assert choice.taken == len(names) and set(choice.tried) == {0, len(names)}


def test_what_a_budget_has_chosen_is_taken_whatever_it_does_and_nothing_else(rec):
    net, pictures, clips = rec
    first, second, *others = used(net, pictures[0])
    gains = {name: dict.fromkeys(CORES, 1000.0) for name in (first, second, *others)}
    asked = {"cores": CORES, "max_drop": 0.0, "max_error": 0.0}
    choice = choose_precisions(net, gains, clips, pictures, lambda: 0.0, wanted=[second], **asked)
    assert {name for name, precision in choice.precision.items() if precision == "int8"} == {second}
    assert {each.reason for each in choice.layers if each.layer in (first, *others)} == {NOT_NEEDED}
    with pytest.raises(PpedgeError, match="lost: chosen for int8 by the budget"):
        choose_precisions(net, gains, clips, pictures, lambda: 0.0, wanted=["lost"], **asked)


@pytest.mark.parametrize(
    ("limit", "count", "taken"),
    [
        (40, 40, 40),
        (99, 40, 40),
        (10, 40, 10),
        (39, 40, 39),
        (0, 40, 0),
        (0, 1, 0),
        (5, 0, 0),  # nothing to do
    ],
)
def test_as_many_as_may_be(limit, count, taken):
    asked = []

    def fits(number):
        asked.append(number)
        return number <= limit

    assert longest(fits, count) == taken
    assert len(asked) == len(set(asked)) <= 7
    assert taken == count or taken + 1 in asked  # why no more is known
    assert 0 not in asked


def test_a_metric_that_rises_is_no_drop(rec):
    net, pictures, clips = rec
    names = used(net, pictures[0])[:2]
    gains = {name: dict.fromkeys(CORES, 1000.0) for name in names}
    values = iter([0.5, 0.6])
    options = {"cores": CORES, "max_drop": 0.0, "max_error": ANY}
    choice = choose_precisions(net, gains, clips, pictures, lambda: next(values), **options)
    assert (choice.taken, choice.tried[0]) == (2, Trial(0.0, 0.5))


def test_a_float_layer_whose_name_begins_anothers_does_not_keep_it_in_float():
    class Net(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv1 = paddle.nn.Conv2D(3, 4, 1)
            self.conv10 = paddle.nn.Conv2D(4, 4, 1)

        def forward(self, x):
            return self.conv10(self.conv1(x))

    net = Net()
    pact.quantize(net, float_names=["conv1"])
    quantized = {name.partition("._fake_quant")[0] for name in net.state_dict() if "_fake_quant" in name}
    assert quantized == {"conv10._layer"}
    assert pact.left_in_float(net, {"conv1": "fp32", "conv10": "int8"}) == ["conv1"]
