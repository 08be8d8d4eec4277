"""PP-OCRv2's and v3's recognisers: PaddleOCR's names, shapes and numbers."""

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.weight_parts import GUIDES
from ppedge.models.weights import load_weights, state_of
from ppedge.recipe.networks import Model
from reference import Reference, fill, official_state, require_same_state

V2 = {
    "backbone": {"name": "MobileNetV1Enhance", "scale": 0.5},
    "neck": {"name": "SequenceEncoder", "hidden_size": 64},
    "head": {"name": "CTCHead", "mid_channels": 96},
}
V3 = {
    "backbone": {
        "name": "MobileNetV1Enhance", "scale": 0.5, "last_conv_stride": [1, 2], "last_pool_type": "avg",
    },
    "head": {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 64, "depth": 2, "hidden_dims": 120}},
}  # fmt: skip
V3_POOL32 = {**V3, "backbone": {**V3["backbone"], "last_pool_kernel_size": [3, 2]}}


def build(model, classes=97):
    return zoo.build(Model.model_validate(model), "rec", classes)


@pytest.mark.parametrize("classes", [97, 6625])
@pytest.mark.parametrize(("name", "model"), [("v2_rec", V2), ("v3_rec", V3)])
def test_names_shapes_and_decay_are_official(shared_data, name, model, classes):
    rows = [
        row for row in official_state(shared_data, f"{name}_{classes}") if not row["name"].startswith(tuple(GUIDES))
    ]
    for row in rows:
        if row["name"].startswith("head.") and ".fc" in row["name"]:
            row.pop("l2", None)  # CTC's own decay is a key of the training schedule
    require_same_state(build(model, classes), rows)


@pytest.mark.parametrize(("name", "model"), [("v2_rec", V2), ("v3_rec", V3), ("v3_rec_pool32", V3_POOL32)])
def test_probabilities_are_paddleocrs(shared_data, name, model):
    reference, net = Reference(shared_data, name), build(model)
    fill(net)
    state = state_of(net) | reference.under("state")
    load_weights(net, {key: state[key] for key in net.state_dict()}, name)
    net.eval()
    with paddle.no_grad():
        found = net(paddle.to_tensor(reference.picture)).numpy()
    # Rounding in v3, whose logits are as large as 20: computed in float64, the network differs by 4e-5 from PaddleOCR.
    assert np.abs(found - reference["eval"]).max() < (1e-5 if name == "v2_rec" else 2e-4)


def test_a_line_of_another_height_is_refused_in_a_sentence():
    net = build(V3, 5)
    net.eval()
    with pytest.raises(PpedgeError, match="^model: the recogniser's features are 2 pixels high"):
        net(paddle.zeros([1, 3, 64, 64]))
