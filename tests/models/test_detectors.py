"""Detectors of PP-OCRv2, v3 and v4: the names of official weights, and the numbers that PaddleOCR itself has."""

from dataclasses import dataclass

import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.freezing import freeze_batch_norm
from ppedge.models.heads.db import MapHead
from ppedge.models.heads.pf_local import PFHeadLocal
from ppedge.models.network import Network
from ppedge.models.weights import load_backbone, load_weights
from ppedge.recipe import networks
from ppedge.train.losses.db import DBLoss
from reference import Reference, drawn, fill, official_state, require_same_state

STUDENT = {"name": "MobileNetV3", "model_name": "large", "scale": 0.5, "disable_se": True}
NETWORKS = {
    "v2_det_student": {"backbone": STUDENT, "neck": {"name": "DBFPN", "out_channels": 96}},
    "v2_det_teacher": {"backbone": {"name": "ResNet", "layers": 18}, "neck": {"name": "DBFPN", "out_channels": 256}},
    "v3_det_student": {"backbone": STUDENT, "neck": {"name": "RSEFPN", "out_channels": 96, "shortcut": True}},
    "v3_det_teacher": {
        "backbone": {"name": "ResNet_vd", "layers": 50},
        "neck": {"name": "LKPAN", "out_channels": 256},
        "head": {"name": "DBHead", "kernel_list": [7, 2, 2]},
    },
    "v4_det_student": {"backbone": {"name": "PPLCNetV3"}, "neck": {"name": "RSEFPN", "out_channels": 96}},
    "v4_det_teacher": {
        "backbone": {"name": "PPHGNet_small"},
        "neck": {"name": "LKPAN", "out_channels": 256, "intracl": True},
        "head": {"name": "PFHeadLocal", "mode": "large"},
    },
}
TERMS = {"loss": "loss", "loss_shrink_maps": "loss_shrink", "loss_threshold_maps": "loss_threshold",
         "loss_binary_maps": "loss_binary", "loss_cbn": "loss_cbn"}  # fmt: skip
# On another processor than the fixtures' these two differ by 2e-4, the others by 3e-5: ResNet50 has 12 samples a
# channel at 1/32, and v4's student adds up the branches of each layer.
SLACK = {"v3_det_teacher": 10.0, "v4_det_student": 10.0}


def model(name: str) -> networks.Model:
    return networks.Model.model_validate({"head": {"name": "DBHead"}, **NETWORKS[name]})


@dataclass
class Met:
    """A network filled by the fixtures' rule, what it gave, and the fixture."""

    net: Network
    wanted: Reference
    evaluated: np.ndarray
    maps: np.ndarray
    slack: float
    losses: dict[str, float]


@pytest.fixture(scope="module", params=NETWORKS)
def met(request, shared_data) -> Met:
    """One evaluation and one training step of a network."""
    wanted = Reference(shared_data, request.param)
    net = zoo.build(model(request.param), "det")
    rows = official_state(shared_data, request.param)
    require_same_state(net, rows)
    assert list(net.state_dict()) == [row["name"] for row in rows]
    fill(net)
    picture = paddle.to_tensor(wanted.picture)
    state = net.state_dict()
    for name, value in wanted.under("state").items():
        state[name].set_value(value)
    net.eval()
    with paddle.no_grad():
        evaluated = net(picture).numpy()
    for name in wanted.under("state"):
        state[name].set_value(drawn(name, tuple(state[name].shape)))
    net.train()
    given = net(picture)
    keys = ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask")
    batch = dict(zip(keys, map(paddle.to_tensor, wanted.batch), strict=True))
    losses = DBLoss(main="dice")(given, batch)
    losses["loss"].backward()
    values = {name: float(value) for name, value in losses.items()}
    return Met(net, wanted, evaluated, given["maps"].numpy(), SLACK.get(request.param, 1.0), values)


def test_a_detector_evaluates_as_paddleocrs(met):
    assert np.abs(met.evaluated - met.wanted["eval/maps"]).max() < 5e-5 * met.slack


def test_a_detector_trains_as_paddleocrs(met):
    """Maps in training, every term of the loss, gradients, and running statistics after one step."""
    maps = met.maps[:, :, ::2, ::2] - met.wanted["train/maps"]
    assert np.abs(maps[:, :2]).max() < 5e-5 * met.slack
    assert np.abs(maps[:, 2]).max() < 4e-4 * met.slack, "k = 50 amplifies"
    for official, name in TERMS.items():
        assert met.losses.get(name, 0.0) == pytest.approx(met.wanted[f"loss/{official}"].item(), rel=2e-5)
    parameters = dict(met.net.named_parameters())
    for name, norm in met.wanted.gradient_norms():
        gradient = parameters[name].grad  # None of an activation's affine that PaddleOCR has and does not use
        found = 0.0 if gradient is None else np.linalg.norm(gradient.numpy())
        # Rounding: computed in float64, those of v4's student are within 1e-4.
        assert found == pytest.approx(norm, rel=8e-3, abs=3e-4), name
    state = met.net.state_dict()
    for name, value in met.wanted.under("after").items():
        np.testing.assert_allclose(state[name].numpy(), value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layers", [18, 34, 50])
def test_resnet_vd_gives_four_levels(layers):
    part = {"backbone": {"name": "ResNet_vd", "layers": layers}, "neck": {"name": "DBFPN"}, "head": {"name": "DBHead"}}
    net = zoo.build(networks.Model.model_validate(part), "det")
    net.eval()
    with paddle.no_grad():
        features = net.backbone(paddle.rand([1, 3, 64, 96]))
    widths = [256, 512, 1024, 2048] if layers == 50 else [64, 128, 256, 512]
    assert net.backbone.out_channels == widths
    assert [f.shape for f in features] == [
        [1, c, 64 // s, 96 // s] for c, s in zip(widths, (4, 8, 16, 32), strict=True)
    ]


def test_the_other_resnet_is_refused_by_name():
    """PaddleOCR's files call two networks ResNet; only one of them was meant until June 2022."""
    net = zoo.build(model("v2_det_teacher"), "det")
    before = net.head.binarize.conv1.weight.numpy()
    whole = {"backbone.conv._conv.weight": np.zeros((64, 3, 7, 7), np.float32)}
    with pytest.raises(PpedgeError, match=r"^f\.pdparams: .*first convolution is 7x7; ResNet_vd"):
        load_weights(net, whole, "f.pdparams")
    with pytest.raises(PpedgeError, match="first convolution is 7x7"):
        load_backbone(net, {"conv1_weights": whole["backbone.conv._conv.weight"]}, "f.pdparams")
    assert np.array_equal(before, net.head.binarize.conv1.weight.numpy())


@pytest.mark.parametrize(("keys", "linear"), [({}, True), ({"mode": "lite"}, False), ({"intracl": True}, False)])
def test_lkpan_says_rightly_whether_it_is_linear(keys, linear):
    section = {"backbone": STUDENT, "neck": {"name": "LKPAN", "out_channels": 32, **keys},
               "head": {"name": "DBHead"}}  # fmt: skip
    paddle.seed(1)
    net = zoo.build(networks.Model.model_validate(section), "det")
    net.eval()
    sizes = zip(net.backbone.out_channels, (16, 8, 4, 2), strict=True)
    pairs = [(paddle.randn([1, c, s, s]), paddle.randn([1, c, s, s])) for c, s in sizes]
    with paddle.no_grad():
        parts = [net.neck([pair[side] for pair in pairs]) for side in (0, 1)]
        whole = net.neck([a + b for a, b in pairs])
    assert net.linear_neck is linear
    assert np.allclose(whole.numpy(), (parts[0] + parts[1]).numpy(), atol=1e-4) is linear


def test_rsefpn_without_shortcut_gives_what_is_weighed_alone():
    """Weights of hard sigmoid(0) = 0.5: with the shortcut each of the two convolutions gives three times as much."""
    paddle.seed(2)
    given = {}
    for shortcut in (True, False):
        section = {"backbone": STUDENT, "neck": {"name": "RSEFPN", "shortcut": shortcut}, "head": {"name": "DBHead"}}
        net = zoo.build(networks.Model.model_validate(section), "det")
        for name, parameter in net.neck.named_parameters():
            parameter.set_value(paddle.zeros_like(parameter) if ".se_block." in name else paddle.ones_like(parameter))
        sizes = zip(net.backbone.out_channels, (16, 8, 4, 2), strict=True)
        given[shortcut] = net.neck([paddle.ones([1, c, s, s]) for c, s in sizes]).numpy()
    np.testing.assert_allclose(given[True], 9 * given[False], rtol=1e-5)


def test_the_lite_lkpan_has_paddleocrs_parts():
    section = {"backbone": STUDENT, "neck": {"name": "LKPAN", "mode": "lite"}, "head": {"name": "DBHead"}}
    neck = zoo.build(networks.Model.model_validate(section), "det").neck.state_dict()
    assert neck["inp_conv.0.conv1.weight"].shape == [256, 1, 9, 9]
    assert neck["inp_conv.0.conv3.weight"].shape == neck["inp_conv.0.conv_end.weight"].shape[:1] + [1024, 1, 1]
    assert neck["pan_lat_conv.3.conv2.weight"].shape == [256, 64, 1, 1]
    assert neck["pan_lat_conv.3.bn1.weight"].shape == [64]
    assert "pan_lat_conv.3.conv_end.weight" not in neck, "only where the number of channels changes"


@pytest.mark.parametrize(("mode", "width"), [("large", 8), ("small", 4)])
def test_the_refined_map_ships_as_the_mean_of_both(mode, width):
    """In training the refined map is the first of the maps, and the binary one is that of the map it is made of."""
    paddle.seed(3)
    head = PFHeadLocal(32, mode=mode)
    assert head.cbn_layer.last_3.conv.weight.shape == [width, 9, 3, 3]
    freeze_batch_norm(head)
    x = paddle.randn([2, 32, 4, 6])
    given = head(x)
    refined, threshold, binary = given["maps"].numpy().transpose(1, 0, 2, 3)
    assert np.array_equal(given["cbn_maps"].numpy()[:, 0], binary)
    first = head.binarize(x).numpy()[:, 0]
    np.testing.assert_allclose(binary, 1 / (1 + np.exp(-50 * (first - threshold))), atol=1e-5)
    head.eval()
    np.testing.assert_allclose(head(x).numpy()[:, 0], (first + refined) / 2, atol=1e-6)


def test_fix_nan_puts_zero_for_no_number_in_training_alone(monkeypatch):
    """ReLU makes 0 of it by itself on CPUs, so that it is left out here."""
    monkeypatch.setattr("ppedge.models.heads.db.F.relu", lambda x: x)
    paddle.seed(4)
    x = paddle.randn([1, 16, 4, 4])
    x[0, 0, 0, 0] = float("nan")
    for fix_nan in (False, True):
        head = MapHead(16, fix_nan=fix_nan)
        assert bool(paddle.isnan(head(x)).any()) is not fix_nan, "BatchNorm spreads one over all pixels"
        head.eval()
        assert bool(paddle.isnan(head(x)).any())
