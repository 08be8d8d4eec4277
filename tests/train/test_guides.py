"""Guides of recognisers: PaddleOCR's numbers, and the backbone that learns from its guide alone."""

import numpy as np
import paddle
import pytest

from ppedge.models import zoo
from ppedge.models.guides.nrtr import nrtr_labels
from ppedge.models.guides.sar import sar_labels
from ppedge.models.weights import state_of
from ppedge.recipe import guides, losses
from ppedge.recipe.networks import Model
from ppedge.train.losses.ctc import CTCLoss
from ppedge.train.losses.guides import NRTRLoss, SARLoss
from ppedge.train.losses.table import build_loss
from ppedge.train.trainees.base import Guide, Trainee
from reference import Reference, fill, official_state, require_same_state, without_dropout

V1_ENHANCE = {"name": "MobileNetV1Enhance", "scale": 0.5}
V3_BACKBONE = {**V1_ENHANCE, "last_conv_stride": [1, 2], "last_pool_type": "avg"}
MODELS = {
    "v2_rec": {
        "backbone": V1_ENHANCE,
        "neck": {"name": "SequenceEncoder", "hidden_size": 64},
        "head": {"name": "CTCHead", "mid_channels": 96},
    },
    "v3_rec": {"backbone": V3_BACKBONE, "head": {"name": "MultiHead"}},
    "v3_rec_pool32": {
        "backbone": {**V3_BACKBONE, "last_pool_kernel_size": [3, 2]},
        "head": {"name": "MultiHead"},
    },
    "v4_rec": {
        "backbone": {"name": "PPLCNetV3", "scale": 0.95},
        "head": {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 120, "kernel_size": [1, 3]}},
    },
}
OFFICIAL = {"SARHead": "head.sar_head.", "NRTRHead": "head."}
CTC, SAR = losses.CTC(name="CTC"), losses.SAR(name="SAR", of=["net.SARHead"])
NRTR = losses.NRTR(name="NRTR", of=["net.NRTRHead"])


def guided(name):
    """Return a network of the line with its guide, filled as PaddleOCR's was."""
    net = zoo.build(Model.model_validate(MODELS[name]), "rec", 97)
    fill(net)
    if name == "v2_rec":
        return Trainee(net, build_loss([CTC], "rec", None, ["net"], ["net"]))
    v4 = name == "v4_rec"
    section, term = (guides.NRTRHead(name="NRTRHead"), NRTR) if v4 else (guides.SARHead(name="SARHead"), SAR)
    head = zoo.build_guide(section, net, "rec", 97, "guide_")
    fill(head, {"": OFFICIAL[section.name]})
    guide = f"net.{section.name}"
    loss = build_loss([CTC, term], "rec", None, ["net"], ["net", guide])
    return Trainee(net, loss, guides={guide: Guide("net", "backbone", head, section.backbone_alone)})


def batch_of(reference):
    """Return PaddleOCR's batch as the data set gives it."""
    label, *_, length = reference.batch[: 3 if "batch/2" in reference.arrays else 2]
    filled = reference.batch[-1] if "batch/3" in reference.arrays else np.ones(len(label))
    return {
        "image": paddle.to_tensor(reference.picture), "label": paddle.to_tensor(label),
        "length": paddle.to_tensor(length), "filled": paddle.to_tensor(filled.astype(np.float32)),
    }  # fmt: skip


@pytest.fixture(scope="module", params=list(MODELS))
def step(request, shared_data):
    """One training step of a network, and what PaddleOCR says of it."""
    reference, trainee = Reference(shared_data, request.param), guided(request.param)
    batch = batch_of(reference)
    trainee.train()
    trainee.begin()
    outputs = trainee(batch)
    parts = trainee.losses(outputs, batch, 0.0)
    parts["loss"].backward()
    trainee.end()
    return reference, trainee, outputs, parts


def test_training_outputs_and_losses_are_paddleocrs(step):
    reference, _, outputs, parts = step
    wanted = reference.under("train") or {"ctc": reference["train"]}
    found = {"ctc": outputs["net"]["logits"].numpy()}
    for name, guide in (("sar", "net.SARHead"), ("gtc", "net.NRTRHead")):
        found |= {name: outputs[guide]["logits"].numpy()} if name in wanted else {}
    for name, values in found.items():
        assert np.abs(values - wanted[name]).max() < 1e-3 * np.abs(wanted[name]).max(), name
    terms = {"loss": "loss", "CTCLoss": "loss_CTC_net", "SARLoss": "loss_SAR_net.SARHead",
             "NRTRLoss": "loss_NRTR_net.NRTRHead"}  # fmt: skip
    for name, value in reference.under("loss").items():
        assert float(parts[terms[name]]) == pytest.approx(float(value), rel=1e-4), name


def test_gradients_and_running_statistics_are_paddleocrs(step):
    reference, trainee, _, _ = step
    named = dict(trainee.net.named_parameters())
    for head in trainee.heads:
        named |= {f"{OFFICIAL[type(head).__name__]}{name}": one for name, one in head.named_parameters()}
    for name, norm in reference.gradient_norms():
        # An affine's gradient is a sum over the whole map that mostly cancels out: PaddleOCR's too is rounded by 2 %.
        rounding = 5e-2 if ".lab." in name else 5e-3
        assert float(named[name].grad.norm()) == pytest.approx(norm, rel=rounding, abs=1e-6), name
    first = reference["grad/first"]
    found = named[str(reference["grad/names"][0])].grad.numpy()
    assert np.abs(found - first).max() < 1e-2 * np.abs(first).max()
    state = state_of(trainee.net)
    for name, values in reference.under("after").items():
        assert np.allclose(state[name], values, rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize(
    ("section", "network", "prefixes"),
    [
        (guides.SARHead(name="SARHead"), "v3_rec_97", ("head.sar_head.",)),
        (guides.NRTRHead(name="NRTRHead"), "v4_rec_97", ("head.before_gtc.", "head.gtc_head.")),
    ],
)
def test_names_and_shapes_of_guides_are_official(shared_data, section, network, prefixes):
    rows = [row for row in official_state(shared_data, network) if row["name"].startswith(prefixes)]
    channels = {"v3_rec_97": 512, "v4_rec_97": 480}[network]
    net = paddle.nn.Layer()
    net.backbone = paddle.nn.Layer()
    net.backbone.out_channels = channels
    head = zoo.build_guide(section, net, "rec", 97, "guide_")
    require_same_state(head, rows, {"": OFFICIAL[section.name]})


def test_the_backbone_learns_from_its_guide_alone():
    """With the guide's loss taken away nothing reaches the backbone; the network's own head learns all the same."""

    def gradients(alone):
        net = zoo.build(Model.model_validate({**MODELS["v3_rec"], "backbone": {**V3_BACKBONE, "scale": 0.125}}),
                        "rec", 5)  # fmt: skip
        guide = Guide("net", "backbone", zoo.build_guide(guides.SARHead(name="SARHead", enc_dim=8), net, "rec", 5, "g"),
                      alone)  # fmt: skip
        loss = build_loss([CTC], "rec", None, ["net"], ["net"])
        trainee = Trainee(net, loss, guides={"net.SARHead": guide})
        batch = {"image": paddle.rand([1, 3, 48, 64]), "label": paddle.to_tensor([[1, 2]]),
                 "length": paddle.to_tensor([2]), "filled": paddle.to_tensor([1.0])}  # fmt: skip
        trainee.train()
        trainee.begin()
        trainee.losses(trainee(batch), batch, 0.0)["loss"].backward()
        trainee.end()
        for layer in net.sublayers(include_self=True):
            assert not layer._forward_post_hooks and not layer._forward_pre_hooks
        return ([p.grad for p in part.parameters() if p.trainable] for part in (net.backbone, net.head))

    backbone, head = gradients(alone=True)
    assert all(grad is None for grad in backbone) and all(grad is not None for grad in head)
    backbone, _ = gradients(alone=False)
    assert all(grad is not None for grad in backbone)


def test_labels_of_guides_are_paddleocrs(shared_data):
    reference = Reference(shared_data, "losses_rec")
    label, length = (paddle.to_tensor(reference[f"rec/{name}"]) for name in ("ctc", "length"))
    assert np.array_equal(sar_labels(label, length, 12, 25).numpy(), reference["rec/sar"])
    longest = reference["rec/length"].max() + 2
    assert np.array_equal(nrtr_labels(label, length).numpy(), reference["rec/nrtr"][:, :longest])


@pytest.mark.parametrize(
    ("case", "loss"),
    [
        ("ctc", CTCLoss()),
        ("ctc_no_path", CTCLoss()),
        ("sar", SARLoss()),
        ("nrtr", NRTRLoss()),
        ("nrtr_hard_distill", NRTRLoss(smoothing=0.0, padding=True)),
    ],
)
def test_losses_and_their_gradients_are_paddleocrs(shared_data, case, loss):
    reference = Reference(shared_data, "losses_rec")
    logits = paddle.to_tensor(reference[str(reference[f"{case}/inputs"][0])], stop_gradient=False)
    batch = {"label": paddle.to_tensor(reference["rec/ctc"]), "length": paddle.to_tensor(reference["rec/length"])}
    value = loss({"logits": logits}, batch)["loss"]
    value.backward()
    assert float(value) == pytest.approx(float(reference[f"{case}/value/loss"]), rel=1e-5)
    assert np.abs(logits.grad.numpy() - reference[f"{case}/grad0"]).max() < 1e-6


def test_several_losses_are_added(shared_data):
    reference = Reference(shared_data, "losses_rec")
    batch = {"label": paddle.to_tensor(reference["rec/ctc"]), "length": paddle.to_tensor(reference["rec/length"])}
    for name, section in (("SAR", SAR), ("NRTR", losses.NRTR(name="NRTR", of=["net.NRTRHead"]))):
        case = f"multi_{name.lower()}"
        loss = build_loss([CTC, section], "rec", None, ["net"], ["net", f"net.{name}Head"])
        ctc, guide = (paddle.to_tensor(reference[str(key)]) for key in reference[f"{case}/inputs"])
        found = loss({"net": {"logits": ctc}, f"net.{name}Head": {"logits": guide}}, batch)
        assert float(found["loss"]) == pytest.approx(float(reference[f"{case}/value/loss"]), rel=1e-5)
        for told, key in ((found["loss_CTC_net"], "CTCLoss"), (found[f"loss_{name}_net.{name}Head"], f"{name}Loss")):
            assert float(told) == pytest.approx(float(reference[f"{case}/value/{key}"]), rel=1e-5)


def test_nrtr_sees_no_character_before_its_turn():
    """A later character of the label changes nothing of what is told before it."""
    net = paddle.nn.Layer()
    net.backbone = paddle.nn.Layer()
    net.backbone.out_channels = 4
    head = zoo.build_guide(guides.NRTRHead(name="NRTRHead", nrtr_dim=32), net, "rec", 7, "guide_")
    without_dropout(head)
    features, length = paddle.rand([1, 4, 1, 6]), paddle.to_tensor([4])
    one, other = (
        head(features, {"label": paddle.to_tensor([label]), "length": length})["logits"].numpy()
        for label in ([1, 2, 3, 4], [1, 2, 5, 4])
    )
    assert one.shape == (1, 5, 11)
    same = np.isclose(one, other, atol=1e-6).all(axis=2)[0]
    assert same.tolist() == [True, True, True, False, False]


def test_sar_looks_at_no_padding():
    net = paddle.nn.Layer()
    net.backbone = paddle.nn.Layer()
    net.backbone.out_channels = 4
    head = zoo.build_guide(guides.SARHead(name="SARHead", enc_dim=8, max_text_length=5), net, "rec", 7, "guide_")
    without_dropout(head)
    features = paddle.rand([1, 4, 1, 10])
    other = paddle.concat([features[..., :6], paddle.rand([1, 4, 1, 4])], axis=3)
    batch = {"label": paddle.to_tensor([[1, 2]]), "length": paddle.to_tensor([2]), "filled": paddle.to_tensor([0.5])}
    assert np.allclose(*(head(x, batch)["logits"].numpy() for x in (features, other)), atol=1e-6)
