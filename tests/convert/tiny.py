"""Run as a program, ``tiny.py FOLDER det-float rec-quantized ...``: exports tiny networks, as convert's child does."""

import sys
from pathlib import Path

from ppedge.convert import export
from ppedge.storage import write_json

import paddle  # isort: skip - export's import of zlib must come first
import paddle.nn.functional as F  # isort: skip
from paddle import nn  # isort: skip
from paddle.utils import unique_name  # isort: skip


def conv(inputs, outputs, size, **options):
    block = nn.Conv2D(inputs, outputs, size, padding=size // 2, bias_attr=False, **options)
    return nn.Sequential(block, nn.BatchNorm2D(outputs))


class Backbone(nn.Layer):
    def __init__(self, stride):
        super().__init__()
        self.first = conv(3, 16, 3, stride=stride)
        self.depthwise = conv(16, 16, 3, stride=stride, groups=16)
        self.pointwise = conv(16, 16, 1)

    def forward(self, x):
        return F.hardswish(self.pointwise(F.hardswish(self.depthwise(F.hardswish(self.first(x))))))


class Detector(nn.Layer):
    """With a head that only training uses, as DB's threshold head."""

    def __init__(self):
        super().__init__()
        self.backbone = Backbone(2)
        self.up = nn.Conv2DTranspose(16, 8, 2, stride=2)
        self.norm = nn.BatchNorm2D(8)
        self.shrink = nn.Conv2DTranspose(8, 1, 2, stride=2)
        self.threshold = nn.Conv2DTranspose(8, 1, 2, stride=2)

    def forward(self, x):
        x = F.relu(self.norm(self.up(self.backbone(x))))
        return (self.shrink(x), self.threshold(x)) if self.training else F.sigmoid(self.shrink(x))


class Recognizer(nn.Layer):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone((2, 1))
        self.lstm = nn.LSTM(16, 8, num_layers=2, direction="bidirectional")
        self.fc = nn.Linear(16, 11)

    def forward(self, x):
        x = F.max_pool2d(self.backbone(x), (8, 1), (8, 1)).squeeze(2).transpose([0, 2, 1])
        return F.softmax(self.fc(self.lstm(x)[0]), axis=2)


def build(task):
    paddle.seed(1)
    with unique_name.guard():
        return Detector() if task == "det" else Recognizer()


def export_tiny(task, kind, prefix):
    net = build(task)
    if kind in ("float", "batched"):  # of a recogniser: one line at a time, any number of lines
        cases = export.reference_cases(net, task)
        if (task, kind) == ("rec", "float"):
            cases = [(x[:1], y[:1]) for x, y in cases]
        export.save_cases(prefix.with_suffix(".npz"), cases)
        export.export_float(net, prefix, task, free_batch=kind == "batched")
        return
    from ppedge.models.weights import load_weights, state_of
    from ppedge.slim.int8.pact import calibrate, quantize, without_quantizers

    quantize(net, exclude=["backbone.pointwise"] if kind.endswith("mixed") else [])
    calibrate(net, [paddle.randn([2, 3, 32, 64]) for _ in range(2)])
    if kind.startswith("un"):  # the float network with the same weights
        export.save_cases(prefix.with_suffix(".npz"), export.reference_cases(net, task))
        same = build(task)
        weights, scales = without_quantizers(state_of(net))
        load_weights(same, weights, "the quantized network")
        write_json(prefix.with_suffix(".json"), export.quantizers(same, scales, task))
        export.export_float(same, prefix, task, free_batch=True)
        return
    export.export_quantized(net, prefix, task)
    prefix.with_suffix(".weights").write_text("\n".join(export.float_weights(net)))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        with unique_name.guard():  # the same names whatever was exported before
            export_tiny(*name.split("-"), folder / name)
