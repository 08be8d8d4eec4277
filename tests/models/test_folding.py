"""PP-LCNetV3: the form that is trained, PaddleOCR's re-parameterised one, and the one that ships are one network."""

from dataclasses import dataclass

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.backbones.pp_lcnet_v3 import PPLCNetV3Det, PPLCNetV3Rec
from ppedge.models.folding import FixedAffine, fold
from ppedge.models.rep import LearnableAffine, RepLayer
from ppedge.models.weights import load_backbone, load_weights, read_pdparams, state_of
from ppedge.recipe import networks
from ppedge.train.start import missing_threshold
from reference import Reference, fill, official_state, require_same_state
from small import lively

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

OFFICIAL = {
    "det": networks.Model.model_validate(
        {"backbone": {"name": "PPLCNetV3", "scale": 0.75}, "neck": {"name": "RSEFPN", "out_channels": 96},
         "head": {"name": "DBHead"}}
    ),
    "rec": networks.Model.model_validate(
        {"backbone": {"name": "PPLCNetV3", "scale": 0.95},
         "head": {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 120, "kernel_size": [1, 3]}}}
    ),
}  # fmt: skip
GUIDE = ("head.before_gtc.", "head.gtc_head.")


def folded(model):
    """Return the section of the re-parameterised form."""
    return model.model_copy(update={"backbone": model.backbone.model_copy(update={"folded": True})})


def run(net, *size):
    with paddle.no_grad():
        return net(paddle.to_tensor(np.random.default_rng(2).standard_normal((1, 3, *size), dtype=np.float32))).numpy()


@pytest.mark.parametrize(("model", "task", "size"), [(DET, "det", (64, 96)), (REC, "rec", (48, 96))])
def test_what_ships_computes_what_was_trained(model, task, size):
    net = lively(zoo.build(model, task, 5), seed=1)
    trained = run(net, *size)
    assert fold(net) is net and not net.training
    shipped = run(net, *size)
    assert np.abs(trained - trained.mean()).max() > 1e-2
    np.testing.assert_allclose(shipped, trained, atol=2e-5)
    left = {type(layer) for layer in net.sublayers()}
    assert not left & {RepLayer, LearnableAffine} and FixedAffine in left


def test_one_number_stays_where_it_cannot_be_folded():
    """Before a padded convolution, and between an activation and squeeze-and-excitation."""
    net = fold(lively(PPLCNetV3Det(0.1, 1), seed=1))
    places = [name for name, layer in net.named_sublayers() if isinstance(layer, FixedAffine)]
    assert [name for name in places if "dw_conv" in name] == ["blocks6.1.dw_conv.affine"]
    assert len([name for name in places if "pw_conv" in name]) == 14
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
    one = zoo.build(folded(DET), "det")
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


@dataclass
class Official:
    """What a network filled by the rule gave before and after folding, norms of its kernels, and the fixture."""

    wanted: Reference
    evaluated: np.ndarray
    shipped: np.ndarray
    norms: dict[str, float]


@pytest.fixture(scope="module", params=["v4_det_student", "v4_rec"])
def official(request, shared_data):
    task, wanted = request.param.split("_")[1], Reference(shared_data, request.param)
    net = zoo.build(OFFICIAL[task], task, 97)
    fill(net)
    state, statistics = state_of(net), wanted.under("state")
    load_weights(net, {name: statistics.get(name, value) for name, value in state.items()}, request.param)
    net.eval()
    norms = {}
    for name, layer in net.named_sublayers():
        if isinstance(layer, RepLayer):
            for part, array in layer.kernel()._asdict().items():
                norms[f"{name}.reparam_conv.{part}"] = np.linalg.norm(array)
    picture = paddle.to_tensor(wanted.picture)
    with paddle.no_grad():
        return Official(wanted, net(picture).numpy(), fold(net)(picture).numpy(), norms)


def test_a_network_evaluates_as_paddleocrs(official):
    """By rounding the detector's differ by 2e-4, in float64 too: some channels' variance is tiny."""
    key = "eval" if "eval" in official.wanted.arrays else "eval/maps"
    assert np.abs(official.evaluated - official.wanted[key]).max() < 5e-4


def test_branches_fold_into_the_kernels_of_paddleocr(official):
    """Its outputs differ by 3e-4 from those of the branches, by channels of tiny variance."""
    wanted = dict(zip(map(str, official.wanted["rep/names"]), official.wanted["rep/norms"], strict=True))
    assert official.norms == pytest.approx(wanted, rel=1e-6)
    maps = "rep/maps" in official.wanted.arrays
    shipped = official.shipped[:, :, ::2, ::2] if maps else official.shipped
    assert np.abs(shipped - official.wanted["rep/maps" if maps else "rep"]).max() < 5e-4
    assert np.abs(official.shipped - official.evaluated).max() < 5e-4


@pytest.mark.parametrize("classes", [97, 6625])
def test_a_recognisers_names_and_shapes_are_official(classes, shared_data):
    """The detector's are held by test_detectors.py."""
    rows = [row for row in official_state(shared_data, f"v4_rec_{classes}") if not row["name"].startswith(GUIDE)]
    for row in rows:
        if row["name"].startswith("head.ctc_head."):
            row.pop("l2", None)  # CTC's own decay is a key of the training schedule
    require_same_state(zoo.build(OFFICIAL["rec"], "rec", classes), rows)


@pytest.mark.parametrize(("task", "size"), [("det", (32, 64)), ("rec", (48, 160))])
def test_official_reparameterised_weights_load_and_ship(task, size, shared_data):
    net = zoo.build(folded(OFFICIAL[task]), task, 6625)
    state = read_pdparams(shared_data / "weights" / f"ch_PP-OCRv4_{task}_rep.pdparams")
    load_weights(net, state, task, missing_threshold(net, state))
    net.eval()
    before = run(net, *size)
    assert np.abs(run(fold(net), *size) - before).max() < 1e-4
