"""SVTR's backbone: PaddleOCR's names and shapes, and the last stage that its configuration forgets."""

import numpy as np
import paddle
import pytest
from pydantic import ValidationError

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.recipe.networks import Model
from reference import official_state, require_same_state

HEAD = {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 120, "kernel_size": [1, 3]}}
SMALL = {"name": "SVTRNet", "img_size": [16, 32], "embed_dim": [4, 8, 16], "depth": [1, 2, 1], "num_heads": [2, 2, 2],
         "mixer": ["Conv", "Conv", "Global", "Global"], "out_channels": 64, "out_char_num": 4}  # fmt: skip
TEACHER = "Teacher."


def build(backbone):
    return zoo.build(Model.model_validate({"backbone": backbone, "head": HEAD}), "rec", 97)


def test_names_and_shapes_are_official_but_for_the_last_stage(shared_data):
    guide = (f"{TEACHER}head.before_gtc.", f"{TEACHER}head.gtc_head.")
    rows = [row for row in official_state(shared_data, "v4_rec_distillation_97") if row["name"].startswith(TEACHER)]
    rows = [{**row, "name": row["name"][len(TEACHER) :]} for row in rows if not row["name"].startswith(guide)]
    last = {"name": "backbone.last_conv.weight", "shape": [192, 256, 1, 1]}
    require_same_state(build({"name": "SVTRNet"}), [*rows, last])


def test_a_path_is_left_out_in_training_alone():
    paddle.seed(1)
    net = build(SMALL)
    x = paddle.rand([2, 3, 16, 32])
    one, other = net(x)["logits"], net(x)["logits"]
    assert one.shape == [2, 4, 97] and not np.array_equal(one.numpy(), other.numpy())
    paths = [layer.probability for name, layer in net.named_sublayers() if name.endswith("drop_path")]
    assert paths == pytest.approx([0, 1 / 30, 2 / 30, 0.1])
    net.eval()
    assert np.array_equal(net(x).numpy(), net(x).numpy())


def test_everything_in_it_learns():
    net = build(SMALL)
    net(paddle.rand([2, 3, 16, 32]))["logits"].square().mean().backward()
    learning = {name: parameter for name, parameter in net.backbone.named_parameters() if parameter.trainable}
    assert [name for name, parameter in learning.items() if parameter.grad is None] == []


def test_other_sizes_are_refused():
    with pytest.raises(PpedgeError, match=r"^SVTRNet is for lines of 16x32 pixels, not 16x64\."):
        build(SMALL)(paddle.rand([1, 3, 16, 64]))
    with pytest.raises(ValidationError, match="mixer has 4 entries, and depth 5 blocks"):
        build({**SMALL, "depth": [1, 2, 2]})
    with pytest.raises(ValidationError, match="embed_dim is no multiple of num_heads"):
        build({**SMALL, "num_heads": [2, 3, 2]})
