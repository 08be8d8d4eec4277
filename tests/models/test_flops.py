import paddle
from paddle import nn

from ppedge.models import zoo
from ppedge.models.flops import count_flops


class Toy(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 8, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2D(8, 8, 5, padding=2, groups=8)
        self.up = nn.Conv2DTranspose(8, 4, 2, stride=2)
        self.lstm = nn.LSTM(4, 6, num_layers=2, direction="bidirectional")
        self.fc = nn.Linear(12, 5)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        y = self.up(self.depthwise(self.conv(x)))
        return self.fc(self.lstm(y.mean(axis=2).transpose([0, 2, 1]))[0])


def test_counts_by_hand():
    # Input 2x3x16x20: conv to 8x10, transposed conv back to 16x20, 20 columns for LSTM and Linear.
    assert count_flops(Toy(), (2, 3, 16, 20)) == {
        "conv": 2 * 8 * 10 * 8 * 3 * 9,
        "depthwise": 2 * 8 * 10 * 8 * 25,
        "up": 2 * 8 * 10 * 8 * 4 * 4,
        "lstm": 2 * 20 * 2 * (4 * 6 * (4 + 6) + 4 * 6 * (12 + 6)),
        "fc": 2 * 20 * 12 * 5,
    }


def test_network_is_left_as_it_was():
    net = Toy()
    net.train()
    net.conv.eval()
    count_flops(net, (1, 3, 8, 8))
    assert net.training
    assert not net.conv.training
    calls = []
    net.fc.register_forward_post_hook(lambda *_: calls.append(1))
    net(paddle.zeros([1, 3, 8, 8]))
    assert calls == [1]
    assert not any(layer._forward_post_hooks for name, layer in net.named_sublayers() if name != "fc")


def test_detector_is_counted_as_a_phone_runs_it(det_model):
    counts = count_flops(zoo.build(det_model, "det"), (1, 3, 64, 96))
    assert not any(name.startswith("head.thresh") for name in counts)
    assert counts["head.binarize.conv1"] == 16 * 24 * 24 * 96 * 9
    assert counts["backbone.conv.conv"] == 32 * 48 * 8 * 27
