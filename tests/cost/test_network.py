"""Predicted ARM instructions of networks in memory."""

import pytest

from ppedge.cost.network import arm_pricer, converted
from ppedge.files.nb import read_nb
from ppedge.files.nb_summary import CONVOLUTIONS
from ppedge.train.task import Task
from small import make_data, tiny_recipe


@pytest.mark.slow
@pytest.mark.parametrize("task", ["det", "rec"])
def test_what_layers_save_alone_in_int8(task, tmp_path):
    recipe = tiny_recipe(task, make_data(task, tmp_path))
    net = Task(recipe).build()
    gains = arm_pricer(recipe)(net).gain
    layers = dict(net.named_sublayers())
    assert all(set(gain) == {"a53", "a76", "nb"} for gain in gains.values())
    assert set(gains) <= set(layers)
    best = max(gain["a53"] for gain in gains.values())
    assert all(gain["a53"] < best / 50 for name, gain in gains.items() if "mid_se" in name)
    if task == "det":
        assert not [name for name in gains if name.startswith("head.thresh")]  # training alone uses it
        assert gains["neck.in5_conv"]["a76"] > 0
        # In float they become a shuffle of pixels, and in int8 they would be what they are.
        assert not {"head.binarize.conv2", "head.binarize.conv3"} & set(gains)
        assert gains["head.binarize.conv1"]["a76"] < 0  # float goes by Winograd
    else:
        assert gains["head.fc"]["a53"] < 0
        # The converter makes one operator of a projection and the expansion behind it if nothing lies between.
        assert not {"backbone.blocks.0.linear_conv.conv", "backbone.blocks.1.expand_conv.conv"} & set(gains)
        assert gains["backbone.conv2.conv"]["a76"] > 0


@pytest.mark.slow
def test_what_is_counted_in_int8_is_so_in_the_file(tmp_path):
    recipe = tiny_recipe("rec", make_data("rec", tmp_path))
    with converted(Task(recipe).build(), recipe, ("backbone.conv2.conv",)) as (path, _):
        convolutions = [op for op in read_nb(path).operators if op.type in CONVOLUTIONS]
    assert sum(op.int8 for op in convolutions) == 1 < len(convolutions)
