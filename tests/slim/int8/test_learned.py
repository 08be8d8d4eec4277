"""Rounding that is learned, on tiny networks with lively weights."""

import numpy as np
import paddle
import pytest

from ppedge.convert.qdq import quantize_weight
from ppedge.models.network import copy_of
from ppedge.models.weights import read_pdparams, state_of, write_pdparams
from ppedge.recipe.slim import LearnedRounding
from ppedge.slim.int8 import pact
from ppedge.slim.int8.learned import Learned, learn_rounding
from ppedge.slim.int8.rounding import OUTPUT_AXIS, Reference, channel_steps, nearest_of, rounded
from ppedge.slim.int8.units import units_of

SETTINGS = LearnedRounding(iterations=30, learning_rate=0.1)


class Case:
    """A network, its copy in float, pictures, clips and units."""

    def __init__(self, example):
        self.net, self.teacher = example.build(), copy_of(example.build(), example.task.build_shipped)
        self.pictures = [example.picture(seed) for seed in range(3)]
        self.clips = pact.measure_clips(self.net, self.pictures, 100, 0.1)
        self.units = units_of(self.net, self.clips, self.pictures[0])
        self.state = state_of(self.net)

    def learn(self, units=None, settings=SETTINGS, **options):
        chosen = self.units if units is None else units
        return learn_rounding(self.net, self.teacher, chosen, self.clips, self.pictures, settings, 3, **options)

    def layer(self, name):
        return dict(self.net.named_sublayers())[name]


@pytest.fixture
def case(example):
    return Case(example)


@pytest.fixture
def rec(examples):
    return Case(examples["rec"])


def test_each_weight_takes_one_of_its_two_levels_and_whoever_rounds_again_finds_them(case):
    learned = case.learn(case.units[:3])
    moved = 0
    for name, one in learned.roundings.items():
        before, axis = case.state[f"{name}.weight"], OUTPUT_AXIS[type(case.layer(name))]
        step = channel_steps(before, axis)
        levels = np.round(one.weight / step)
        np.testing.assert_allclose(one.weight, levels * step, rtol=1e-6, atol=0)
        assert np.abs(before / step - levels).max() < 1 + 1e-4
        found, steps = quantize_weight(one.weight, axis)
        np.testing.assert_array_equal(found, levels)
        np.testing.assert_allclose(steps, step.ravel(), rtol=1e-6)
        moved += (levels != np.round(before / step)).sum()
        assert state_of(case.net)[f"{name}.weight"].tobytes() == one.weight.tobytes()
    assert moved > 0


def test_units_come_nearer_to_float_one_by_one_and_one_after_the_other(rec):
    units = rec.units[:6]
    start = nearest_of(rec.teacher, {name: rec.clips[name] for unit in units for name in unit.inside})
    learned = rec.learn(units)
    errors = np.array(list(learned.errors.values()))
    assert list(learned.errors) == [unit.name for unit in units]
    assert (errors[:, 1] <= errors[:, 0]).all()
    assert errors[:, 1].mean() < 0.9 * errors[:, 0].mean()
    assert {name: one.clip for name, one in learned.roundings.items()} != {n: one.clip for n, one in start.items()}

    def last_block(net):
        seen = []
        handle = dict(net.named_sublayers())[units[-1].name].register_forward_post_hook(
            lambda layer, inputs, output: seen.append(output.numpy())
        )
        with paddle.no_grad():
            for x in rec.pictures:
                net(x)
        handle.remove()
        return np.concatenate(seen)

    def error(roundings):
        with rounded(rec.net, roundings):
            return np.mean((last_block(rec.net) - last_block(rec.teacher)) ** 2)

    assert error(learned.roundings) < 0.9 * error(start)


def test_nothing_but_weights_is_changed_and_nothing_hangs_on_the_network(rec):
    trainable = [parameter.name for parameter in rec.net.parameters() if not parameter.stop_gradient]
    learned = rec.learn(rec.units[:2])
    after = state_of(rec.net)
    weights = {f"{name}.weight" for name in learned.roundings}
    assert {name for name, value in after.items() if value.tobytes() != rec.state[name].tobytes()} <= weights
    assert [parameter.name for parameter in rec.net.parameters() if not parameter.stop_gradient] == trainable
    assert not any("weight" in layer.__dict__ for layer in rec.net.sublayers())
    assert not any(layer._forward_pre_hooks for layer in rec.net.sublayers())
    teacher = state_of(rec.teacher)
    assert all(teacher[name].tobytes() == value.tobytes() for name, value in rec.state.items())


def test_a_learning_that_is_taken_up_ends_as_one_that_was_not_interrupted(rec, examples, tmp_path):
    units = rec.units[:3]
    whole, kept = rec.learn(units), []
    again = Case(examples["rec"])

    def keep(learned):
        write_pdparams(tmp_path / "kept.pdparams", learned.state())
        kept.append(list(learned.errors))

    again.learn(again.units[:2], keep=keep)
    assert kept == [[unit.name for unit in units[:k]] for k in (1, 2)]
    known, third = Learned.of_state(read_pdparams(tmp_path / "kept.pdparams")), Case(examples["rec"])
    found = third.learn(third.units[:3], known=known, keep=keep)
    assert kept[2:] == [[*found.errors]]
    assert found.errors == whole.errors
    assert {name: (one.weight.tobytes(), one.clip) for name, one in found.roundings.items()} == {
        name: (one.weight.tobytes(), one.clip) for name, one in whole.roundings.items()
    }


def test_where_learning_does_harm_the_nearest_levels_stay(rec):
    unit = rec.units[1]
    learned = rec.learn([unit], LearnedRounding(iterations=2, learning_rate=50.0))
    start = nearest_of(rec.teacher, {name: rec.clips[name] for name in unit.inside})
    before, after = learned.errors[unit.name]
    assert before == after
    assert all(learned.roundings[name].weight.tobytes() == one.weight.tobytes() for name, one in start.items())


def test_a_step_looks_at_few_of_a_large_batch(rec):
    """A recipe's batches are those of its training, 128 lines of a recogniser's: steps of as many take minutes."""
    unit, seen = rec.units[1], set()
    rec.pictures = [paddle.concat(rec.pictures)]
    handle = unit.layer.register_forward_pre_hook(lambda layer, inputs: seen.add(inputs[0].shape[0]))
    rec.learn([unit], LearnedRounding(iterations=2, batch_size=2))
    handle.remove()
    assert rec.pictures[0].shape[0] > max(seen) == 2


def test_a_channel_of_zeros_has_nothing_to_learn(rec):
    name = rec.units[0].inside[0]
    for net in (rec.net, rec.teacher):
        weight = dict(net.named_sublayers())[name].weight
        weight.set_value(np.concatenate([np.zeros_like(weight.numpy()[:1]), weight.numpy()[1:]]))
    learned = rec.learn(rec.units[:1])
    assert not learned.roundings[name].weight[0].any()
    assert np.isfinite(Reference(rec.teacher, rec.pictures).error(rec.clips))
