"""PP-OCRv6's tiny and small networks: official names, the numbers of another implementation, and one form of three.

``v6_networks.json`` holds what RapidOCR 3.10.0's PyTorch port of PaddleOCR's networks gives (its class ``BaseModel``
with its ``arch_config.yaml``, 97 classes), filled by the rule of ``reference.py``, with every BatchNorm's running
statistics set to those of the input (variances biased): a few values of what it gives in training and in evaluation,
norms of some gradients of the mean square of the neck's or the logits, and the sha256 of all names and shapes.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from ppedge.models import zoo
from ppedge.models.folding import Foldable, fold
from ppedge.models.weight_parts import THRESHOLD
from ppedge.recipe.networks import Model
from reference import fill

WANTED = json.loads(Path(__file__).with_name("v6_networks.json").read_text())


def detector(size, channels, kernel, *, folded=False):
    return {
        "backbone": {"name": "PPLCNetV4", "model_size": size, "folded": folded},
        "neck": {"name": "RepLKFPN", "out_channels": channels, "dilated_kernel_size": kernel, "folded": folded},
        "head": {"name": "DBHead", "fix_nan": True},
    }


def recogniser(size, head, *, folded=False):
    return {
        "backbone": {"name": "PPLCNetV4", "model_size": size, "folded": folded},
        "head": {"name": "MultiHead", **head},
    }


TINY_HEAD = {"neck": {"name": "Reshape"}, "mid_channels": 80, "use_guide": True}
SMALL_HEAD = {"neck": {"name": "LightSVTR"}}
MODELS = {
    "v6_tiny_det": detector("tiny", 64, 5),
    "v6_small_det": detector("small", 96, 7),
    "v6_tiny_rec": recogniser("tiny", TINY_HEAD),
    "v6_small_rec": recogniser("small", SMALL_HEAD),
}
FOLDED = {
    "v6_tiny_det": detector("tiny", 64, 5, folded=True),
    "v6_small_det": detector("small", 96, 7, folded=True),
    "v6_tiny_rec": recogniser("tiny", TINY_HEAD, folded=True),
    "v6_small_rec": recogniser("small", SMALL_HEAD, folded=True),
}


def build(model, name):
    return zoo.build(Model.model_validate(model), name[-3:], 97)


def picked(values, count=24):
    values = values.numpy().ravel()
    return values[:: max(1, values.size // count) | 1][:count]


def batch_statistics(net, picture):
    """Give a network's running statistics those of a picture."""
    norms = [layer for layer in net.sublayers() if hasattr(layer, "_momentum")]
    kept = [layer._momentum for layer in norms]
    for layer in norms:
        layer._momentum = 0.0
    net.train()
    with paddle.no_grad():
        net(picture)
    for layer, momentum in zip(norms, kept, strict=True):
        layer._momentum = momentum


@pytest.fixture(scope="module", params=MODELS)
def official(request):
    """A network filled by the rule, its running statistics those of the picture, and what is wanted of it."""
    name = request.param
    net, wanted = build(MODELS[name], name), WANTED[name]
    fill(net)
    picture = np.random.RandomState(0).uniform(-1, 1, wanted["input"]).astype(np.float32)
    picture = paddle.to_tensor(picture)
    batch_statistics(net, picture)
    return name, net, picture, wanted


def test_names_and_shapes_are_official(official):
    _, net, _, wanted = official
    rows = [f"{name} {list(tensor.shape)}" for name, tensor in net.state_dict().items()]
    assert len(rows) == wanted["names"]
    assert hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest() == wanted["sorted"]


def inner(name, net):
    """Return the layer before the last: a detector's neck, a recogniser's sequence model, and its key."""
    return (net.neck, "neck") if name.endswith("det") else (net.head.ctc_encoder, "encoded")


def test_a_network_evaluates_as_the_other_implementation(official):
    name, net, picture, wanted = official
    net.eval()
    layer, key = inner(name, net)
    seen = []
    hook = layer.register_forward_post_hook(lambda layer, given, output: seen.append(output))
    with paddle.no_grad():
        found = net(picture)
    hook.remove()
    np.testing.assert_allclose(picked(seen[0]), wanted["eval"][key], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(picked(found), wanted["eval"]["values"], rtol=1e-3, atol=1e-4)
    assert float(found.std(unbiased=False)) == pytest.approx(wanted["eval"]["deviation"], rel=1e-4)


def test_a_network_trains_as_the_other_implementation(official):
    """What it gives in training, the levels that the auxiliary heads read, and gradients."""
    name, net, picture, wanted = official
    net.train()
    layer, key = inner(name, net)
    seen = {}
    hooks = [layer.register_forward_post_hook(lambda layer, given, output: seen.update(last=output))]
    if key == "neck":
        hooks.append(net.neck.top_down.register_forward_post_hook(lambda layer, given, out: seen.update(levels=out)))
    given = net(picture)
    for hook in hooks:
        hook.remove()
    np.testing.assert_allclose(picked(seen["last"], 16), wanted["train"][key], rtol=1e-3, atol=1e-3)
    found = given["maps"][:, :1] if key == "neck" else given["logits"]
    np.testing.assert_allclose(picked(found), wanted["train"]["values"], rtol=1e-3, atol=1e-3)
    for number, level in enumerate(seen.get("levels", [])[:3], start=2):
        np.testing.assert_allclose(picked(level, 16), wanted["train"][f"aux_p{number}"], rtol=1e-3, atol=1e-3)
    ((seen["last"] if key == "neck" else found) ** 2).mean().backward()
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    for parameter, norm in wanted["gradients"].items():
        assert np.linalg.norm(gradients[parameter].numpy()) == pytest.approx(norm, rel=5e-3, abs=1e-6), parameter
    net.clear_gradients()


def test_what_ships_computes_what_was_trained(official):
    name, net, picture, _ = official
    net.eval()
    with paddle.no_grad():
        trained = net(picture).numpy()
        state = net.state_dict()
        copy = build(MODELS[name], name)
        copy.set_state_dict(state)
        copy.eval()
        shipped = fold(copy)(picture).numpy()
    assert not [layer for layer in copy.sublayers() if isinstance(layer, Foldable)]
    assert trained.std() > 0.05 and np.abs(shipped - trained).max() < 2e-4


@pytest.mark.parametrize("name", FOLDED)
def test_the_reparameterised_form_ships_as_the_trained_one(name):
    """It is built without branches, and both end in the same layers."""
    trained, folded = fold(build(MODELS[name], name)), build(FOLDED[name], name)
    own = folded.state_dict()
    assert not [key for key in own if (".conv1.weight" in key and "rep_dw" in key) or ".dil_conv" in key]
    if name.endswith("det"):
        assert {"backbone.stem.stem1.conv.bias", "neck.inp_conv_dw.3.lk_origin.bias"} <= own.keys()
    assert "backbone.blocks5.1.token_mixer.rep_dw.reparam_conv.bias" in own or name.endswith("det")
    fill(folded)
    folded.eval()
    picture = paddle.to_tensor(np.random.RandomState(1).uniform(-1, 1, WANTED[name]["input"]).astype(np.float32))
    with paddle.no_grad():
        before = folded(picture).numpy()
        after = fold(folded)(picture).numpy()
    np.testing.assert_allclose(after, before, atol=2e-4)
    kept = {key: list(tensor.shape) for key, tensor in folded.state_dict().items() if not key.startswith(THRESHOLD)}
    assert kept == {
        key: list(tensor.shape) for key, tensor in trained.state_dict().items() if not key.startswith(THRESHOLD)
    }
