"""Sites on tiny networks in which half of the channels are copies of the others: they go, and nothing is lost."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from ppedge.models.layers import SEModule
from ppedge.models.weights import load_weights, state_of
from ppedge.slim.arm.reduce import kept_groups, reduce_sites, site_errors
from ppedge.slim.arm.sites import find_sites
from ppedge.slim.channels.groups import trace
from ppedge.slim.plan import Plan, apply_plan

WIDE, KEPT = 8, 4
READERS = {
    "1x1": lambda: nn.Conv2D(WIDE, 5, 1),
    "strided": lambda: nn.Sequential(nn.Conv2D(WIDE, 5, 3, 2, padding=1), nn.BatchNorm2D(5)),
    "bare": lambda: nn.Conv2D(WIDE, 5, (5, 3), padding=[2, 1], bias_attr=False),
    "transposed": lambda: nn.Conv2DTranspose(WIDE, 5, 2, stride=2),
    "dense": lambda: nn.Conv2D(2 * WIDE + 3, 5, 3, padding=1),
    "two": lambda: nn.Conv2D(WIDE, 5, 3, padding=1),
    "residual": lambda: nn.Sequential(nn.Conv2D(WIDE, 5, 1, bias_attr=False), nn.BatchNorm2D(5)),
    "stream": lambda: nn.Conv2D(WIDE, 5, 1),
    "filtered": lambda: nn.Conv2D(WIDE, 5, 1),
    "row": lambda: nn.Conv2D(WIDE, 5, 3, padding=1),
}


class Tiny(nn.Layer):
    """Channels are made, bent, and read in one of several ways."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.make = nn.Sequential(nn.Conv2D(3, WIDE, 3, padding=1), nn.BatchNorm2D(WIDE))
        self.read = READERS[kind]()
        self.beside = nn.Conv2D(3, 5, 1)
        self.other = nn.Conv2D(WIDE, WIDE, 1)
        self.filter = nn.Conv2D(WIDE, WIDE, 3, padding=1, groups=WIDE)
        self.weigh = SEModule(WIDE)
        self.last = nn.Conv2D(10 if kind == "two" else 5, 2, 1)

    def forward(self, x):
        """Run the network."""
        y = F.hardswish(self.make(x))
        if self.kind == "filtered":
            y = self.filter(y)
            y = y + self.weigh(y)
        if self.kind == "dense":
            y = paddle.concat([y, x, y], axis=1)
        if self.kind == "stream":
            y = y + F.relu(self.other(y))
        z = self.read(y)
        if self.kind == "residual":
            z = self.beside(x) + z
        if self.kind == "two":
            z = paddle.concat([z, F.relu(self.other(y)[:, :5])], axis=1)
        return self.last(z)


class Mlp(nn.Layer):
    """The same on tokens."""

    def __init__(self):
        super().__init__()
        self.make, self.read = nn.Linear(3, WIDE), nn.Linear(WIDE, 5)
        self.norm, self.last = nn.LayerNorm(3), nn.Linear(5, 2)

    def forward(self, x):
        """Run the network."""
        tokens = self.norm(x.reshape([0, 3, -1]).transpose([0, 2, 1]))
        y = self.make(tokens)
        return self.last(F.relu(self.read(y * F.sigmoid(y))))


def build(kind):
    paddle.seed(4)
    net = Mlp() if kind == "linear" else Tiny(kind)
    net.eval()
    return net


def with_copies(kind):
    """A network whose channels from 4 on are those before once more."""
    net, rng = build(kind), np.random.default_rng(2)
    for name, tensor in net.state_dict().items():
        value = tensor.numpy()
        if "_variance" not in name:
            value = value + rng.normal(0, 0.3, value.shape).astype(np.float32)
        if name in ("make.weight", "make.0.weight"):
            value *= 3  # or the channels would be nearly linear in the three inputs
        outputs = 1 if value.ndim == 2 else 0
        copied = name.startswith(("make", "filter", "weigh.conv2")) or (name.startswith("other") and kind == "stream")
        if copied and value.shape[outputs] == WIDE:
            value = np.moveaxis(value, outputs, 0)
            value[KEPT:] = value[:KEPT]
            value = np.moveaxis(value, 0, outputs)
        if kind == "filtered" and name == "weigh.conv1.weight":
            value[:, KEPT:] = 0  # what a mean over the picture misses is made up for on average only
        tensor.set_value(np.ascontiguousarray(value))
    return net


def pictures(kind, count=3):
    rng = np.random.default_rng(1)
    shape = (4, 3, 1, 200) if kind == "row" else (2, 3, 32, 40)
    return [paddle.to_tensor(rng.standard_normal(shape, dtype=np.float32)) for _ in range(count)]


def outputs(net, inputs):
    with paddle.no_grad():
        return np.concatenate([net(x).numpy() for x in inputs])


@pytest.mark.parametrize("kind", [*READERS, "linear"])
def test_copies_go_with_no_error_and_the_plan_rebuilds_what_is_left(kind, tmp_path):
    inputs, teacher, student = pictures(kind), with_copies(kind), with_copies(kind)
    traced = trace(build(kind), inputs[0].shape)
    sites = find_sites(teacher, traced, inputs[0], streams=kind == "stream").found
    (site,) = [site for site in sites if site.name in ("make", "make.0")]
    levels = site_errors(teacher, [site], inputs, multiple=1)[site.name]
    assert len(levels[KEPT]) == len(site.readings)
    nothing, something = sum(levels[KEPT]), sum(levels[KEPT - 1])
    assert nothing < 2e-4 and 10 * nothing < something
    (report,) = reduce_sites(student, teacher, [site], inputs, something / 2, multiple=1)
    assert len(report.kept) == KEPT and report.error < 2e-4
    assert sorted(channel % KEPT for channel in report.kept) == list(range(KEPT))
    wanted = outputs(teacher, inputs)
    np.testing.assert_allclose(outputs(student, inputs), wanted, atol=0.01 * np.abs(wanted).max())
    state = state_of(student)
    plan = Plan.from_groups("test", kept_groups([report]), {name: value.shape for name, value in state.items()})
    plan.save(tmp_path / "plan.json")
    rebuilt = build(kind)
    apply_plan(rebuilt, Plan.load(tmp_path / "plan.json"))
    load_weights(rebuilt, {name: plan.select(name, value) for name, value in state.items()}, "here")
    np.testing.assert_allclose(outputs(rebuilt, inputs), outputs(student, inputs), atol=1e-4 * np.abs(wanted).max())


def test_a_sum_is_fitted_so_that_a_reader_mends_what_came_before():
    inputs, teacher, student = pictures("residual"), with_copies("residual"), with_copies("residual")
    sites = find_sites(teacher, trace(build("residual"), inputs[0].shape), inputs[0]).found
    (site,) = [site for site in sites if site.name == "make.0"]
    assert site.readings[0].total == "last:input" and site.readings[0].norm == "read.1"
    student.beside.bias.set_value(student.beside.bias + 3)  # what another part of the network has spoilt
    reduce_sites(student, teacher, [site], inputs, 1e-3, multiple=1)
    wanted = outputs(teacher, inputs)
    np.testing.assert_allclose(outputs(student, inputs), wanted, atol=0.01 * np.abs(wanted).max())


class Left(nn.Layer):
    """Groups of channels that are no sites, each for another reason."""

    def __init__(self):
        super().__init__()
        self.twice, self.stream, self.pooled = (nn.Conv2D(3, 8, 1) for _ in range(3))
        self.again, self.block, self.fc = nn.Conv2D(8, 4, 1), nn.Conv2D(8, 8, 1), nn.Conv2D(8, 4, 1)
        self.after = nn.Conv2D(8, 4, 1)
        self.odd, self.spread = nn.Conv2D(3, 8, 1), nn.Conv2DTranspose(8, 4, 3, stride=1, padding=1)

    def forward(self, x):
        """Run the network."""
        y = self.twice(x)
        z = self.stream(x)
        z = z + F.relu(self.block(z))
        means = self.fc(F.adaptive_avg_pool2d(self.pooled(x), 1))
        return self.again(y) + self.again(F.relu(y)) + self.after(z) + means + self.spread(self.odd(x))


def test_what_is_no_site_says_why():
    net = Left()
    net.eval()
    x = pictures("1x1")[0]
    found = find_sites(net, trace(Left(), x.shape), x)
    assert found.found == ()
    assert found.left == {
        "twice": "again, which reads it, runs 2 times",
        "stream": "its channels are a residual stream",
        "pooled": "means over the picture alone are read of it",
        "odd": "spread, which reads it, cannot be refitted",
    }
    assert set(found.pinned) == {"again", "after", "fc", "spread"}
    traced = trace(Left(), x.shape)
    assert [site.name for site in find_sites(net, traced, x, streams=True).found] == ["stream"]
    assert find_sites(net, traced, x, streams=True, taken=["after"]).found == ()
