"""PP-LCNetV3: the form that is trained, PaddleOCR's re-parameterised one, and the one that ships are one network."""

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.backbones.pp_lcnet_v3 import PPLCNetV3Det, PPLCNetV3Rec
from ppedge.models.folding import FixedAffine, fold
from ppedge.models.network import Network
from ppedge.models.rep import LearnableAffine, RepLayer
from ppedge.models.weights import load_backbone, load_weights, read_pdparams, state_of
from ppedge.recipe import networks
from reference import Reference, fill, official_state, require_same_state

DET = networks.Model.model_validate(
    {
        "backbone": {"name": "PPLCNetV3", "scale": 0.1, "conv_kxk_num": 2},
        "neck": {"name": "DBFPN", "out_channels": 8},
        "head": {"name": "DBHead"},
    }
)
REC = networks.Model.model_validate(
    {
        "backbone": {"name": "PPLCNetV3", "scale": 0.1, "conv_kxk_num": 1},
        "neck": {"name": "SequenceEncoder", "hidden_size": 8},
        "head": {"name": "CTCHead"},
    }
)


def lively(net):
    """Set weights and statistics of which none is like another; return the network in eval mode."""
    rng = np.random.default_rng(1)
    for name, tensor in net.state_dict().items():
        if name.endswith("_variance"):
            tensor.set_value(rng.uniform(0.5, 2.0, tensor.shape).astype(np.float32))
        elif tensor.ndim == 1:
            tensor.set_value((tensor.numpy() + rng.normal(0, 0.2, tensor.shape)).astype(np.float32))
    net.eval()
    return net


def run(net, *size):
    with paddle.no_grad():
        return net(paddle.to_tensor(np.random.default_rng(2).standard_normal((1, 3, *size), dtype=np.float32))).numpy()


@pytest.mark.parametrize(("model", "task", "size"), [(DET, "det", (64, 96)), (REC, "rec", (48, 96))])
def test_what_ships_computes_what_was_trained(model, task, size):
    net = lively(zoo.build(model, task, 5))
    trained = run(net, *size)
    assert fold(net) is net and not net.training
    shipped = run(net, *size)
    assert np.abs(trained - trained.mean()).max() > 1e-2
    np.testing.assert_allclose(shipped, trained, atol=2e-5)
    left = {type(layer) for layer in net.sublayers()}
    assert not left & {RepLayer, LearnableAffine} and FixedAffine in left


def test_one_number_stays_where_it_cannot_be_folded():
    """Before a padded convolution, and between an activation and squeeze-and-excitation."""
    net = fold(lively(PPLCNetV3Det(0.1, 1)))
    places = [name for name, layer in net.named_sublayers() if isinstance(layer, FixedAffine)]
    assert [name for name in places if "dw_affine" in name] == ["blocks6.1.dw_affine"]
    assert len([name for name in places if "pw_affine" in name]) == 14
    numbers = {name for name in net.state_dict() if "affine" in name}
    assert numbers == {f"{name}.{part}" for name in places for part in ("scale", "bias")}
    assert not numbers & {name for name, _ in net.named_parameters()}, "they are constants, and kept with the weights"


def test_a_folded_network_keeps_its_mode_and_has_names_of_its_own():
    net = zoo.build(DET, "det")
    names = [parameter.name for parameter in fold(net).parameters()]
    assert net.training and len(set(names)) == len(names)
    assert names == [parameter.name for parameter in fold(zoo.build(DET, "det")).parameters()]


def test_a_network_without_branches_stays_as_it_is(det_model):
    net = zoo.build(det_model, "det")
    before = state_of(net)
    after = state_of(fold(net))
    assert list(before) == list(after) and all(np.array_equal(before[name], after[name]) for name in before)


def test_weights_of_the_other_form_are_one_sentence():
    branches = zoo.build(DET, "det")
    one = zoo.build(DET.model_copy(update={"backbone": DET.backbone.model_copy(update={"folded": True})}), "det")
    with pytest.raises(PpedgeError, match="^w: the weights are re-parameterised, .* has branches") as error:
        load_weights(branches, state_of(one), "w")
    assert "model.backbone.folded to true" in error.value.hint
    with pytest.raises(PpedgeError, match="those of branches, and the network is re-parameterised") as error:
        load_backbone(one, state_of(branches), "w")
    assert "model.backbone.folded to false" in error.value.hint


def test_a_row_has_40_columns_in_training_and_one_of_8_pixels_afterwards():
    """As PaddleOCR has it: in training lines of every height fit."""
    net = PPLCNetV3Rec(0.1, 1)
    for height in (32, 48, 64):
        assert net(paddle.rand([2, 3, height, 96])).shape == [2, net.out_channels, 1, 40]
    net.eval()
    assert net(paddle.rand([2, 3, 48, 160])).shape == [2, net.out_channels, 1, 20]


@pytest.fixture(scope="module", params=["det", "rec"])
def official(request, shared_data):
    """A backbone filled by the rule, and its fixture."""
    name = {"det": "v4_det_student", "rec": "v4_rec"}[request.param]
    net = Network(PPLCNetV3Det() if request.param == "det" else PPLCNetV3Rec(), None, paddle.nn.Identity())
    fixture = Reference(shared_data, name)
    fill(net)
    state, statistics = net.state_dict(), fixture.under("state")
    for key in state.keys() & statistics.keys():
        state[key].set_value(statistics[key])
    net.eval()
    return net, fixture


def test_names_and_shapes_are_the_official_ones(official, shared_data):
    net, _ = official
    name = "v4_det_student" if isinstance(net.backbone, PPLCNetV3Det) else "v4_rec_6625"
    rows = official_state(shared_data, name)
    require_same_state(net, [row for row in rows if row["name"].startswith("backbone.")])


def test_branches_fold_into_the_kernels_of_paddleocr(official):
    net, fixture = official
    norms = {}
    for name, layer in net.named_sublayers():
        if isinstance(layer, RepLayer):
            for part, array in layer.kernel()._asdict().items():
                norms[f"{name}.reparam_conv.{part}"] = np.linalg.norm(array)
    wanted = dict(zip(map(str, fixture["rep/names"]), fixture["rep/norms"], strict=True))
    assert norms == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("backbone", "file"),
    [(PPLCNetV3Det, "ch_PP-OCRv4_det_rep.pdparams"), (PPLCNetV3Rec, "ch_PP-OCRv4_rec_rep.pdparams")],
)
def test_official_reparameterised_weights_load_and_ship(backbone, file, shared_data):
    net = Network(backbone(folded=True), None, paddle.nn.Identity())
    state = read_pdparams(shared_data / "weights" / file)
    left_out = load_backbone(net, state, file)
    assert not any(name.startswith("backbone.") for name in left_out)
    net.eval()
    picture = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 3, 48, 160), dtype=np.float32))
    if backbone is PPLCNetV3Det:
        picture = picture[:, :, :32, :]
    with paddle.no_grad():
        before, after = (paddle.utils.flatten(each(picture)) for each in (net, fold(net)))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other.numpy(), one.numpy(), atol=1e-4 * float(one.abs().max()))
