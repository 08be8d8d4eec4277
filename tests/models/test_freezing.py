"""Networks that teach and do not learn."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from ppedge.models import zoo
from ppedge.models.freezing import freeze
from ppedge.models.weights import state_of
from ppedge.recipe.networks import Model
from small import MODEL

SVTR = {"backbone": {"name": "MobileNetV1Enhance", "scale": 0.125}, "neck": None,
        "head": {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 8, "depth": 1, "hidden_dims": 8}}}  # fmt: skip


def taught(net, x):
    """What a network gives in training, as it would be in use."""
    given = net(x)
    return given["maps"][:, :1].numpy() if "maps" in given else F.softmax(given["logits"], axis=-1).numpy()


@pytest.mark.parametrize(
    ("task", "model", "size"),
    [("det", MODEL["det"], (64, 64)), ("rec", MODEL["rec"], (32, 64)), ("rec", SVTR, (32, 64))],
    ids=["det", "rec", "dropout"],
)
def test_a_frozen_network_says_in_training_what_it_says_in_use(task, model, size):
    paddle.seed(1)
    net, x = zoo.build(Model.model_validate(model), task, 7), paddle.rand([2, 3, *size])
    net(x)  # running statistics that are those of no batch
    net.eval()
    with paddle.no_grad():
        wanted = net(x).numpy()
    net.train()
    assert abs(taught(net, x) - wanted).max() > 1e-4
    freeze(net, batch_statistics=False)
    before = state_of(net)
    net.eval()
    with paddle.no_grad():
        wanted = net(x).numpy()
    net.train()
    np.testing.assert_allclose(taught(net, x), wanted, atol=1e-6)
    assert all(np.array_equal(value, before[name]) for name, value in state_of(net).items())
    assert all(parameter.stop_gradient for parameter in net.parameters())


def test_one_with_batch_statistics_moves_its_running_ones():
    net = zoo.build(Model.model_validate(MODEL["det"]), "det")
    freeze(net, batch_statistics=True)
    before = state_of(net)
    net(paddle.rand([2, 3, 64, 64]))
    moved = {name for name, value in state_of(net).items() if not np.array_equal(value, before[name])}
    assert moved == {name for name in before if name.endswith(("._mean", "._variance"))}
