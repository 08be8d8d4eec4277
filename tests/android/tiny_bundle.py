"""Run as a program, ``tiny_bundle.py FOLDER``: a bundle of tiny networks that run in Paddle Lite, on an emulated core.

The detector's map is the picture's brightness. There are two recognisers: PP-OCRv3's, SVTR over lines 48 pixels high,
narrow; and an LSTM over lines 32 pixels high. All weights but the detector's are fresh. Golden outputs are Paddle's.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import yaml

from ppedge.bundle import golden, manifest
from ppedge.convert import export
from ppedge.convert.lite import to_nb
from ppedge.models import zoo
from ppedge.ocr.pipeline import Classifier, Detector, Recognizer
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess
from ppedge.recipe.io import make_recipe

import paddle  # isort: skip - export's import of zlib must come first
import paddle.nn.functional as F  # isort: skip
from paddle import nn  # isort: skip

RECIPE = Path(__file__).parents[2] / "recipes/ppocrv3_rec_en.yml"
CHARACTERS = {"svtr": tuple("0123456789abcdefghijkl"), "crnn": tuple("mnopqrstuvwxyz")}
SPECS = {
    "det": ModelSpec(
        "det", det_preprocess=DetPreprocess(limit_side=160, limit_type="max"), det_postprocess=DbPostprocess()
    ),
    "svtr": ModelSpec("rec", rec_preprocess=RecPreprocess(height=48, min_width=96), characters=CHARACTERS["svtr"]),
    "crnn": ModelSpec("rec", rec_preprocess=RecPreprocess(height=32, min_width=96), characters=CHARACTERS["crnn"]),
    "cls": ModelSpec("cls", cls_preprocess=ClsPreprocess(48, 96), cls_postprocess=ClsPostprocess()),
}
CHAIN = [{"stage": "convert", "run": "tiny", "manifest_sha256": "c" * 64, "recipe_sha256": "e" * 64}]


class Brightness(nn.Layer):
    """The map is the mean of a pixel's colours, as a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 1, 3, padding=1)
        self.conv.weight.set_value(np.full((1, 3, 3, 3), 0.4, np.float32))

    def forward(self, x):
        return F.sigmoid(self.conv(x))


class Direction(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 8, 3, stride=2, padding=1)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return F.softmax(self.fc(F.adaptive_avg_pool2d(F.relu(self.conv(x)), 1).flatten(1)))


class Eager:
    """A network as an engine: what Paddle computes."""

    name = "paddle"

    def __init__(self, net):
        self.net = net

    def run(self, inputs):
        return [self.net(paddle.to_tensor(inputs[0])).numpy()]


class Columns(nn.Layer):
    """What is left of a CRNN: convolutions, an LSTM over columns of four pixels, CTC's classes."""

    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2D(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2D(8, 8, 3, stride=2, padding=1), nn.ReLU()
        )
        self.lstm = nn.LSTM(8, 16, direction="bidirectional")
        self.fc = nn.Linear(32, len(CHARACTERS["crnn"]) + 1)
        self.fc.weight.set_value(self.fc.weight * 60)

    def forward(self, x):
        columns = self.convs(x).mean(2).transpose([0, 2, 1])
        return F.softmax(self.fc(self.lstm(columns)[0]), axis=2)


def svtr():
    value = yaml.safe_load(RECIPE.read_text())
    value["model"]["backbone"]["scale"] = 0.125
    value["model"]["head"]["neck"] |= {"dims": 16, "depth": 1, "hidden_dims": 16}
    classes = len(CHARACTERS["svtr"]) + 1
    net = zoo.build(make_recipe(value, RECIPE).model, "rec", classes)
    (last,) = (weight for weight in net.parameters() if weight.ndim == 2 and weight.shape[1] == classes)
    last.set_value(last * 60)  # so that the steps of a line are different characters, and surely so
    return net


def draw(size, bars):
    """Dark, with bars of bright noise: lines of text, to this detector."""
    rng = np.random.default_rng(0)
    image = np.full((*size, 3), 20, np.uint8)
    for top, bottom, left, right in bars:
        noise = rng.integers(150, 256, (bottom - top, (right - left) // 4, 3), np.uint8)
        image[top:bottom, left:right] = cv2.resize(noise, (right - left, bottom - top))
    return image


def write(folder):
    folder.mkdir(parents=True)
    paddle.seed(3)
    nets = {"det": Brightness(), "svtr": svtr(), "crnn": Columns(), "cls": Direction()}
    models, engines = {}, {}
    for name, net in nets.items():
        spec, prefix = SPECS[name], folder.parent / f"{name}-float"
        recognizer = name if spec.task == "rec" else ""
        export.export_float(net, prefix, spec.task, spec.rec_preprocess.height if recognizer else 48)
        to_nb(prefix, folder / manifest.model_file(spec.task, recognizer), "fp32")
        if recognizer:
            manifest.write_charset(folder, spec.characters, recognizer)
        models[name] = manifest.model_entry(
            folder, spec.task, spec.to_dict(), precision="fp32", chain=CHAIN, recognizer=recognizer
        )
        engines[name] = Eager(net)
    recognizers = {name: models.pop(name) for name in CHARACTERS}
    detector = Detector(engines["det"], SPECS["det"])
    readers = {name: Recognizer(engines[name], SPECS[name], batch_size=1) for name in recognizers}
    classifier = Classifier(engines["cls"], SPECS["cls"], batch_size=1)
    picture = draw((96, 160), [(10, 26, 10, 150), (40, 56, 20, 90), (70, 84, 60, 155)])
    case = golden.write_golden(folder, "01", "drawn", picture, detector, readers, classifier)
    engine = {"name": "paddle", "version": paddle.__version__}
    manifest.write_manifest(folder, "tiny", models, recognizers, [case], engine)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
