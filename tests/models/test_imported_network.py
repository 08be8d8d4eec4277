"""Networks of inference programs: the same as Paddle's run of the program, and as workable as those built here."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn
from paddle.static import InputSpec
from paddle.utils import unique_name

from ppedge.convert.export import export_float, export_quantized
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.models import zoo
from ppedge.models.folding import fold
from ppedge.models.imported.network import ImportedNetwork
from ppedge.models.published import fitting
from ppedge.models.weight_parts import without_guides
from ppedge.models.weights import load_weights, read_pdparams, state_of
from ppedge.recipe.networks import Model
from ppedge.slim import resuming
from ppedge.slim.arm.influence import Spot, influences
from ppedge.slim.arm.reduce import reduce_sites
from ppedge.slim.arm.sites import find_sites
from ppedge.slim.channels.groups import trace
from ppedge.slim.int8.pact import calibrate, quantize
from ppedge.slim.int8.rounding import output_errors
from small import MODEL, lively

SVTR = {
    "backbone": {"name": "MobileNetV1Enhance", "scale": 0.25, "last_conv_stride": [1, 2], "last_pool_type": "avg",
                 "last_pool_kernel_size": [2, 2]},
    "head": {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 16, "depth": 1, "hidden_dims": 16}},
}  # fmt: skip
NETWORKS = {
    "det": ("det", MODEL["det"], 64), "rec": ("rec", MODEL["rec"], 32), "cls": ("cls", MODEL["cls"], 48),
    "svtr": ("rec", SVTR, 48),
}  # fmt: skip


def built(task, model, classes=11):
    paddle.seed(4)
    return lively(zoo.build(Model.model_validate(model), task, {"det": 0, "rec": classes, "cls": 2}[task]))


def paddle_makes(files, x):
    with open_engine("paddle", files.model) as engine:
        return engine.run([x])[0]


def picture(height, width=96, seed=0):
    return np.random.default_rng(seed).standard_normal((1, 3, height, width), dtype=np.float32)


def run(net, x):
    net.eval()
    with paddle.no_grad():
        return net(paddle.to_tensor(x)).numpy()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The program of a small network, what it is for, its height, and the network that it was exported from."""
    known = {}

    def one(name):
        if name not in known:
            task, model, height = NETWORKS[name]
            net, prefix = fold(built(task, model)), tmp_path_factory.mktemp(name) / "net"
            known[name] = (export_float(net, prefix, task, height), task, height, net)
        return known[name]

    return one


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_program(exported, name):
    files, task, height, _ = exported(name)
    x = picture(height)
    assert np.abs(run(ImportedNetwork.read(files, task), x) - paddle_makes(files, x)).max() < 1e-6


@pytest.mark.parametrize("name", ["det", "svtr"])
def test_it_has_the_pruning_groups_of_the_network_behind_it(exported, name):
    files, task, height, net = exported(name)
    made = ImportedNetwork.read(files, task)
    if task == "det":
        net.head.thresh = nn.Identity()  # no exported network has it
    ours, theirs = (trace(one, (1, 3, height, 64)).groups for one in (made, net))
    assert sorted(group.channels for group in ours) == sorted(group.channels for group in theirs)


@pytest.mark.parametrize("name", ["det", "svtr"])
def test_least_squares_find_the_same_sites_in_it(exported, name):
    files, task, height, _ = exported(name)
    model, found = NETWORKS[name][1], []
    for build in (lambda: ImportedNetwork.read(files, task), lambda: fold(built(task, model))):
        net = build()
        net.eval()
        sites = find_sites(net, trace(build(), (1, 3, height, 64)), paddle.to_tensor(picture(height))).found
        found.append([(site.channels, len(site.readings), len(site.squeezes)) for site in sites])
    assert len(found[0]) > 10 and found[0] == found[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_that_was_paused_goes_on_to_the_same_bits(exported, name):
    files, task, height, _ = exported(name)
    net = ImportedNetwork.read(files, task)
    x, layers = paddle.to_tensor(picture(height)), [step.run for step in net._steps if isinstance(step.run, str)]
    wanted, paused = run(net, picture(height)), net.pause(x, layers[3:])
    for layer in layers[4:]:
        paused = net.pause(paused, [layer])
        with paddle.no_grad():
            assert (net(paused).numpy() == wanted).all()
    assert len(paused.found) < len(net._steps) / 2 and 0 < paused.bytes < 1e6
    with pytest.raises(ValueError, match="paused before step"):
        net.pause(paused, layers[:1])


@pytest.mark.slow
def test_slimming_goes_on_from_where_nothing_changes_any_more(exported, monkeypatch):
    files, task, height, _ = exported("det")
    pictures = [paddle.to_tensor(picture(height, seed=seed)) for seed in range(2)]
    found = []
    for most in (resuming.MOST, 0):
        monkeypatch.setattr(resuming, "MOST", most)
        teacher, student = (ImportedNetwork.read(files, task) for _ in range(2))
        for net in (teacher, student):
            net.eval()
        sites = find_sites(teacher, trace(ImportedNetwork.read(files, task), (1, 3, height, 64)), pictures[0]).found
        reports = reduce_sites(student, teacher, sites, pictures, 0.2)
        clips = {site.readings[0].layer: 2.0 for site in sites}
        found.append((
            [(one.kept, one.error) for one in reports],
            {key: value.tobytes() for key, value in state_of(student).items()},
            influences(teacher, [Spot(one.readings[0].output) for one in sites], pictures),
            output_errors(teacher, clips, pictures),
        ))  # fmt: skip
    assert any(report.cut for report in reports) and found[0] == found[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_all_of_it_is_trained(exported, name):
    files, task, height, _ = exported(name)
    net = ImportedNetwork.read(files, task)
    net.train()
    [made] = net(paddle.to_tensor(picture(height))).values()
    (made**2).mean().backward()
    still = [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.abs().max() > 0]
    # A bias before LayerNorm of the same direction, and of keys in attention, has none by its nature.
    assert not [name for name in still if name.endswith(".weight")]


@pytest.mark.parametrize("name", ["det", "svtr"])
def test_it_is_exported_and_read_again_with_the_same_names(exported, name, tmp_path):
    files, task, height, _ = exported(name)
    net = ImportedNetwork.read(files, task)
    again = ImportedNetwork.read(export_float(net, tmp_path / "again", task, height), task)
    x = picture(height)
    assert np.abs(run(again, x) - run(net, x)).max() < 1e-6
    assert [value.shape for value in state_of(again).values()] == [value.shape for value in state_of(net).values()]


def test_its_layers_are_called_after_the_programs_weights(exported):
    files, task, _, _ = exported("det")
    names = {weight.name.rpartition(".")[0] for weight in files.weights()}
    net = ImportedNetwork.read(files, task)
    assert {name for name, _ in net.named_sublayers()} <= names
    assert net.taught_at in names


def test_its_layers_become_int8(exported, tmp_path):
    files, task, height, _ = exported("det")
    net = ImportedNetwork.read(files, task)
    quantize(net)
    calibrate(net, [paddle.to_tensor(picture(height))])
    export_quantized(net, tmp_path / "int8", task, height)
    operators = InferenceModel.at(tmp_path / "int8").signature().operators
    assert {"fake_channel_wise_quantize_dequantize_abs_max", "conv2d_transpose"} <= operators


class Odd(nn.Layer):
    """Operators in forms that exporters of other versions write: shapes that are computed, numbers on the left."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 8, 3, padding=1)
        self.scale = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.7))
        self.vector = self.create_parameter([8], default_initializer=nn.initializer.Normal())
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.scale * F.swish(self.conv(x)) + self.vector.reshape([1, -1, 1, 1])
        x, y = paddle.split(F.avg_pool2d(x, 2) + F.max_pool2d(x, 2, padding=0), 2, axis=1)
        x = paddle.concat([F.relu6(x), F.leaky_relu(y)], 1)
        x = F.adaptive_avg_pool2d(x, 1) * x
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
        x = x.mean(axis=2).transpose([0, 2, 1])
        x = x.reshape([paddle.shape(x)[0], -1, 2, 4]).flatten(2)
        return F.softmax(self.fc(F.gelu(F.dropout(x, 0.1, training=self.training))), axis=2)


def saved(net, prefix, shape):
    net.eval()
    with unique_name.guard():
        paddle.jit.save(net, str(prefix), input_spec=[InputSpec(shape, "float32", name="x")])
    return InferenceModel.at(prefix)


def test_operators_in_other_forms_are_the_same_too(tmp_path):
    paddle.seed(1)
    files = saved(Odd(), tmp_path / "odd", [-1, 3, 32, -1])
    net = ImportedNetwork.read(files, "rec")
    x = picture(32)
    assert np.abs(run(net, x) - paddle_makes(files, x)).max() < 1e-6
    assert {"conv2d_0.weight", "conv2d_0.bias", "linear_0.weight"} < set(state_of(net))
    assert sum(value.size for value in state_of(net).values()) == sum(value.size for value in state_of(Odd()).values())


class Unknown(nn.Layer):
    def __init__(self, last):
        super().__init__()
        self.last, self.conv = last, nn.Conv2D(3, 1, 1)

    def forward(self, x):
        x = self.conv(x)
        if self.last == "cumsum":
            return F.sigmoid(paddle.cumsum(x, 1))
        if self.last == "pool2d":
            return F.sigmoid(F.adaptive_avg_pool2d(x, 3))
        return F.relu(x)


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ("cumsum", "has the operator cumsum which slimming does not know"),
        ("pool2d", r"has the operator pool2d that makes \[3, 3\] of any size"),
        ("relu", "ends in the operator relu, not in sigmoid"),
    ],
)
def test_what_is_not_known_is_named_and_so_is_what_can_be_done(tmp_path, last, sentence):
    files = saved(Unknown(last), tmp_path / "net", [-1, 3, 32, 32])
    with pytest.raises(PpedgeError, match=sentence) as caught:
        ImportedNetwork.read(files, "det")
    assert "convert --from-inference" in str(caught.value)


@pytest.mark.parametrize("name", ["ch_PP-OCRv3_det_student", "ch_PP-OCRv4_rec_rep"])
def test_published_networks_are_the_same(shared_data, tmp_path, name):
    path = shared_data / "weights" / f"{name}.pdparams"
    state = without_guides(read_pdparams(path))
    known = fitting(state)
    net = zoo.build(Model.model_validate(known.model), known.task, 6625)
    load_weights(net, {**state_of(net), **{key: state[key] for key in net.state_dict() if key in state}}, path)
    height = 64 if known.task == "det" else 48
    files = export_float(fold(net), tmp_path / "net", known.task, height)
    x = picture(height, 160)
    assert np.abs(run(ImportedNetwork.read(files, known.task), x) - paddle_makes(files, x)).max() < 1e-5
