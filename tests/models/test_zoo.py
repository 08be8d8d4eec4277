import hashlib
import json

import cv2
import numpy as np
import paddle
import pytest

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.backbones import mobilenet_v3
from ppedge.models.weights import load_backbone, load_weights, read_pdparams, state_of
from ppedge.ocr.preprocess import prepare_det
from ppedge.ocr.spec import DetPreprocess
from ppedge.recipe import networks

DET = "ch_ppocr_mobile_v2.0_det_train.pdparams"
REC = "en_number_mobile_v2.0_rec_train.pdparams"
IMAGENET = "MobileNetV3_large_x0_5_pretrained.pdparams"


@pytest.mark.parametrize(("task", "file", "classes"), [("det", DET, 0), ("rec", REC, 97)])
def test_names_and_shapes_are_those_of_official_weights(shared_data, det_model, rec_model, task, file, classes):
    net = zoo.build(det_model if task == "det" else rec_model, task, classes)
    official = read_pdparams(shared_data / "weights" / file)
    assert {k: v.shape for k, v in state_of(net).items()} == {k: v.shape for k, v in official.items()}
    load_weights(net, official, file)
    loaded = state_of(net)
    assert all(np.array_equal(loaded[k], official[k]) for k in official)


def test_imagenet_weights_fill_the_backbone_and_the_rest_is_named(shared_data, det_model):
    state = read_pdparams(shared_data / "weights" / IMAGENET)
    net = zoo.build(det_model, "det")
    head = net.head.binarize.conv1.weight.numpy()
    left_out = load_backbone(net, state, IMAGENET)
    assert left_out
    assert all(".mid_se." in name for name in left_out)
    assert np.array_equal(state_of(net)["backbone.conv.conv.weight"], state["backbone.conv.conv.weight"])
    assert np.array_equal(net.head.binarize.conv1.weight.numpy(), head)
    section = det_model.model_dump()
    section["backbone"]["disable_se"] = False
    with_se = zoo.build(networks.Model.model_validate(section), "det")
    assert load_backbone(with_se, state, IMAGENET) == []


@pytest.mark.parametrize(
    ("file", "neck"),
    [(DET, "DBFPN"), ("ch_PP-OCRv2_det_student.pdparams", "DBFPN"), ("ch_PP-OCRv3_det_student.pdparams", "RSEFPN")],
)
def test_official_detector_finds_the_text_of_a_receipt(shared_data, det_model, file, neck):
    """In the middle of nearly every labelled quad the probability is high, and outside all quads it is low.

    The published files of v2 and v3 lack the threshold head, which serves training alone.
    """
    net = zoo.build(networks.Model.model_validate({**det_model.model_dump(), "neck": {"name": neck}}), "det")
    fresh = () if file == DET else [name for name in net.state_dict() if name.startswith("head.thresh.")]
    load_weights(net, read_pdparams(shared_data / "weights" / file), file, fresh)
    net.eval()
    line = (shared_data / "data/receipts/val.txt").read_text().splitlines()[0]
    name, labels = line.split("\t")
    quads = [np.array(entry["points"]) for entry in json.loads(labels)]
    picture = cv2.imread(str(shared_data / "data/receipts" / name))
    x = prepare_det(picture, DetPreprocess())
    height, width = x.shape[2:]
    with paddle.no_grad():
        probability = net(paddle.to_tensor(x)).numpy()[0, 0]
    scale = np.array([width / picture.shape[1], height / picture.shape[0]])
    centres = np.int32([quad.mean(axis=0) * scale for quad in quads])
    found = [probability[y - 2 : y + 3, x - 8 : x + 9].max() > 0.6 for x, y in centres]
    background = np.ones((height, width), np.uint8)
    for quad in quads:
        cv2.fillPoly(background, [np.int32(quad * scale)], 0)
    assert np.mean(found) > 0.9
    assert probability[background == 1].mean() < 0.02


def test_official_recogniser_reads_a_line(shared_data, rec_model):
    net = zoo.build(rec_model, "rec", 97)
    load_weights(net, read_pdparams(shared_data / "weights" / REC), REC)
    net.eval()
    # The first line of the first receipt of val.txt: "UNIHAKKA INTERNATIONAL SDN BHD" at these corners.
    picture = cv2.imread(str(shared_data / "data/receipts/images/284.jpg"))[312:327, 334:579]
    crop = cv2.resize(picture, (round(picture.shape[1] * 32 / picture.shape[0]), 32))
    x = ((crop / 255.0 - 0.5) / 0.5).transpose(2, 0, 1)[None].astype(np.float32)
    with paddle.no_grad():
        best = net(paddle.to_tensor(x)).numpy()[0].argmax(axis=1)
    ascii_order = "0123456789" + "".join(map(chr, range(58, 127))) + "".join(map(chr, range(33, 48))) + "  "
    text = "".join(ascii_order[b - 1] for a, b in zip([0, *best], best, strict=False) if b and a != b)
    assert text.replace(" ", "").upper() == "UNIHAKKAINTERNATIONALSDNBHD"


def test_detector_shapes_in_both_modes(det_model):
    net = zoo.build(det_model, "det")
    x = paddle.zeros([2, 3, 64, 96])
    maps = net(x)["maps"]
    assert maps.shape == [2, 3, 64, 96]
    assert maps.numpy().min() >= 0
    assert maps.numpy().max() <= 1
    net.eval()
    assert net(x).shape == [2, 1, 64, 96]


def test_binary_map_is_the_step_between_the_other_two(det_model):
    paddle.seed(1)
    maps = zoo.build(det_model, "det")(paddle.rand([1, 3, 64, 64]))["maps"].numpy()
    shrink, threshold, binary = maps[0]
    assert np.allclose(binary, 1 / (1 + np.exp(-50.0 * (shrink - threshold))), atol=1e-5)


def test_recogniser_shapes_in_both_modes(rec_model):
    net = zoo.build(rec_model, "rec", 11)
    x = paddle.rand([2, 3, 32, 64])
    assert net(x)["logits"].shape == [2, 16, 11]
    net.eval()
    probabilities = net(x)
    assert probabilities.shape == [2, 16, 11]
    assert np.allclose(probabilities.numpy().sum(axis=2), 1, atol=1e-5)


@pytest.mark.parametrize(("model_name", "widths"), [("large", [16, 24, 56, 480]), ("small", [8, 16, 24, 288])])
def test_detector_backbone_gives_four_levels(model_name, widths):
    net = mobilenet_v3.MobileNetV3Det(model_name, 0.5, disable_se=False)
    features = net(paddle.zeros([1, 3, 64, 64]))
    assert net.out_channels == widths
    assert [f.shape for f in features] == [[1, c, s, s] for c, s in zip(widths, (16, 8, 4, 2), strict=True)]


@pytest.mark.parametrize(("model_name", "channels"), [("large", 480), ("small", 288)])
def test_recogniser_backbone_ends_in_one_row(model_name, channels):
    strides = {"large": {"large_stride": (1, 2, 2, 2)}, "small": {"small_stride": (1, 2, 2, 2)}}[model_name]
    net = mobilenet_v3.MobileNetV3Rec(model_name, 0.5, **strides)
    assert net(paddle.zeros([1, 3, 32, 64])).shape == [1, channels, 1, 16]


@pytest.mark.parametrize(("value", "expected"), [(8.0, 8), (1.0, 8), (12.0, 16), (11.9, 16), (36.0, 40), (92.0, 96)])
def test_make_divisible(value, expected):
    assert mobilenet_v3.make_divisible(value) == expected


@pytest.mark.parametrize(("raw", "weight"), [(-3.0, 0.0), (-2.0, 0.1), (0.0, 0.5), (1.0, 0.7), (2.75, 1.0)])
def test_squeeze_and_excitation_has_the_slope_of_official_weights(raw, weight):
    module = mobilenet_v3.SEModule(8)
    module.conv2.weight.set_value(np.zeros((8, 2, 1, 1), np.float32))
    module.conv2.bias.set_value(np.full(8, raw, np.float32))
    assert np.allclose(module(paddle.ones([1, 8, 2, 2])).numpy(), weight, atol=1e-6)


@pytest.mark.parametrize(("stride", "channels", "shortcut"), [(1, 8, True), ((1, 1), 8, False), (1, 16, False)])
def test_shortcut(stride, channels, shortcut):
    unit = mobilenet_v3.ResidualUnit(8, 16, channels, 3, stride, "relu", se=False)
    unit.linear_conv.conv.weight.set_value(np.zeros((channels, 16, 1, 1), np.float32))
    unit.eval()
    assert float(unit(paddle.ones([1, 8, 4, 4])).mean()) == pytest.approx(1.0 if shortcut else 0.0)


def digest(net) -> str:
    return hashlib.sha256(b"".join(v.tobytes() for v in state_of(net).values())).hexdigest()


def test_building_is_repeatable(rec_model):
    nets = []
    for _ in range(2):
        paddle.seed(7)
        nets.append(zoo.build(rec_model, "rec", 11))
        paddle.nn.Linear(2, 2)  # moves Paddle's own counters
    assert [p.name for p in nets[0].parameters()] == [p.name for p in nets[1].parameters()]
    assert nets[0].parameters()[0].name == "conv2d_0.w_0"
    assert digest(nets[0]) == digest(nets[1])


def test_the_classifier_has_the_names_and_shapes_of_official_weights(cls_model):
    """Of ch_ppocr_mobile_v2.0_cls: how many they are, how large, and those at both ends."""
    state = state_of(zoo.build(cls_model, "cls", 2))
    assert len(state) == 213 and sum(value.size for value in state.values()) == 133_628
    assert {name.split(".")[0] for name in state} == {"backbone", "head"}
    assert state["backbone.conv1.conv.weight"].shape == (8, 3, 3, 3)
    assert state["backbone.blocks.10.mid_se.conv1.weight"].shape == (50, 200, 1, 1)
    assert state["backbone.conv2.conv.weight"].shape == (200, 32, 1, 1)
    assert (state["head.fc.weight"].shape, state["head.fc.bias"].shape) == ((200, 2), (2,))


def test_a_classifier_gives_probabilities_of_two_directions(cls_model):
    net = zoo.build(cls_model, "cls", 2)
    x = paddle.randn([3, 3, 48, 192])
    assert net.backbone(x).shape == [3, 200, 1, 48]
    net.train()
    assert net(x)["logits"].shape == [3, 2]
    net.eval()
    probabilities = net(x).numpy()
    assert probabilities.shape == (3, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(("task", "classes"), [("rec", 0), ("rec", 11), ("det", 0), ("cls", 2)])
def test_parts_that_do_not_fit_are_an_error(det_model, rec_model, task, classes):
    wrong = rec_model if task == "det" or classes == 0 else det_model
    with pytest.raises(PpedgeError):
        zoo.build(wrong, task, classes)


def test_a_line_of_the_wrong_height_is_an_error(rec_model):
    net = zoo.build(rec_model, "rec", 11)
    with pytest.raises(PpedgeError, match="2 pixels high"):
        net(paddle.zeros([1, 3, 64, 64]))
