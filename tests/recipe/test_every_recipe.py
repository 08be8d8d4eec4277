"""Every recipe of a network: made tiny, it trains two steps, goes on after a kill with the same bytes, and exports."""

from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml

from courses import BoomError, course
from ppedge.arm import lite
from ppedge.convert.export import export_float
from ppedge.convert.lite import to_nb
from ppedge.engines import open_engine
from ppedge.errors import MissingError
from ppedge.models.backbones import pphgnet, resnet_vd
from ppedge.models.weights import read_pdparams
from ppedge.recipe.io import load_recipe, make_recipe
from ppedge.recipe.networks import Imported
from ppedge.recipe.sizes import line_height
from ppedge.storage import sha256
from ppedge.train.course import BEST, LAST
from ppedge.train.loop import fit
from ppedge.train.task import Task
from reference import fill
from small import make_data

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.yml"))
TINY = {
    "MobileNetV3": {"scale": 0.35},
    "MobileNetV1Enhance": {"scale": 0.125},
    "PPLCNetV3": {"scale": 0.25, "conv_kxk_num": 1},
    "PPLCNetV4": {"model_size": "tiny"},
    "ResNet_vd": {"layers": 18},
    "ResNet": {"layers": 18},
    "SVTRNet": {"img_size": [48, 128], "embed_dim": [4, 8, 16], "depth": [1, 1, 1], "num_heads": [2, 2, 2],
                "mixer": ["Conv", "Conv", "Global"], "out_channels": 16, "out_char_num": 8},
    "DBFPN": {"out_channels": 16},
    "RSEFPN": {"out_channels": 16},
    "RepLKFPN": {"out_channels": 16, "dilated_kernel_size": 5},
    "LKPAN": {"out_channels": 16},
    "SequenceEncoder": {"hidden_size": 8},
    "SVTR": {"dims": 8, "depth": 1, "hidden_dims": 8},
    "LightSVTR": {"dims": 8, "depth": 1},
    "SARHead": {"enc_dim": 8},
    "NRTRHead": {"nrtr_dim": 32},
    "Center": {"start": "random"},
}  # fmt: skip
"""Keys that make parts small, by the name of the part."""
TRAIN = {"epochs": 1, "max_steps": 2, "batch_size": 2, "workers": 0, "checkpoint_every": 1, "warmup_epochs": 0,
         "eval_every": 1, "weights": None, "backbone_weights": None, "amp": False}  # fmt: skip
SIZES = {"det": {"det_preprocess": {"limit_side": 64, "limit_type": "max"}},
         "rec": {"rec_preprocess": {"min_width": 128, "max_width": 128}}, "cls": {}}  # fmt: skip


def networks_recipes():
    for path in RECIPES:
        if "recipes:" not in path.read_text() and not isinstance(load_recipe(path).model, Imported):
            yield path


def networks_that_ship():
    """Yield a recipe for each network that ships, made small: a student's and its distillation's are one."""
    return {model_of(path): path for path in networks_recipes()}.values()


def trainings():
    """Yield a recipe for each way of training, of those of one network and the same help the first of PaddleOCR's."""
    found = {}
    for path in sorted(networks_recipes(), key=lambda path: not path.stem.startswith("ppocrv")):
        recipe = load_recipe(path)
        help_of = (recipe.train.peers, recipe.train.guides, recipe.train.losses, recipe.train.flat_start)
        found.setdefault(str((model_of(path), help_of)), path)
    return found.values()


def model_of(path):
    """Return a recipe's network, made small, as a text."""
    return str(make_recipe(shrunk(yaml.safe_load(path.read_text())), path).model)


def shrunk(value):
    """Return a recipe's keys with every part that it names made small."""
    if isinstance(value, list):
        return [shrunk(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: shrunk(one) for key, one in value.items()} | TINY.get(str(value.get("name")), {})


def tiny(path, data):
    """Return a recipe, made small, over a few pictures."""
    value = shrunk(yaml.safe_load(path.read_text()))
    task = value["task"]
    own = {key: one for key, one in value["data"].items() if key == "max_text_length"}
    value["data"] = {"root": str(data[task]), "train": ["train.txt"], "eval": ["val.txt"], **own}
    value["train"] |= TRAIN
    if "max_width" in value["train"]:
        value["train"]["max_width"] = 128
    if "det_augment" in value["train"]:
        value["train"]["det_augment"] |= {"crop": 64}
    for peer in value["train"].get("peers", {}).values():
        peer |= {"weights": None, "backbone_weights": None}
    for section, keys in SIZES[task].items():
        value[section] = value.get(section, {}) | keys
    return make_recipe(value, path)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return {task: make_data(task, tmp_path_factory.mktemp("published")) for task in ("det", "rec", "cls")}


@pytest.fixture(autouse=True)
def narrow_teachers(monkeypatch):
    """PP-HGNet and ResNet have no key for their widths."""
    monkeypatch.setattr(resnet_vd, "WIDTHS", (8, 16, 32, 64))
    monkeypatch.setattr(pphgnet, "STEM", (8, 8, 16))
    monkeypatch.setattr(pphgnet, "STAGES", ((16, 8, 16, 1), (16, 8, 16, 1), (16, 8, 16, 2), (16, 8, 16, 1)))


@pytest.mark.parametrize("path", trainings(), ids=lambda path: path.stem)
def test_a_recipe_trains_and_goes_on_after_a_kill_with_the_same_bytes(path, data, tmp_path):
    recipe = tiny(path, data)
    assert fit(course(recipe, tmp_path / "whole", evaluated=1)).steps == 2
    with pytest.raises(BoomError):
        fit(course(recipe, tmp_path / "cut", die_at=2, evaluated=1))
    fit(course(recipe, tmp_path / "cut", evaluated=1, resume=True))
    kept = [read_pdparams(tmp_path / folder / LAST) for folder in ("whole", "cut")]
    assert kept[0].keys() == kept[1].keys()
    differing = [name for name in kept[0] if not np.array_equal(kept[0][name], kept[1][name])]
    assert set(differing) <= {"position/metrics_bytes"}
    assert sha256(tmp_path / "cut" / BEST) == sha256(tmp_path / "whole" / BEST)


@pytest.mark.slow
@pytest.mark.parametrize("path", networks_that_ship(), ids=lambda path: path.stem)
def test_what_a_recipe_trains_exports(path, data, tmp_path):
    recipe = tiny(path, data)
    exported = export_float(Task(recipe).build_shipped(), tmp_path / "m", recipe.task, line_height(recipe))
    assert exported.model.stat().st_size and exported.params.stat().st_size


def with_effect(net, shape):
    """Give a network weights and running statistics by which what it says depends on the picture."""
    fill(net)
    for layer in net.sublayers():
        if hasattr(layer, "_momentum"):
            layer._momentum = 0.0  # all of a batch's statistics at once
    net.train()
    net(picture_of(shape))
    net.eval()
    return net


def picture_of(shape, seed=0):
    return paddle.to_tensor(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "ppocrv3_det_student",
        "ppocrv3_rec",
        "ppocrv4_det_student",
        "ppocrv4_rec",
        "ppocrv6_det_tiny",
        "ppocrv6_rec_tiny",
    ],
)
def test_what_a_recipe_trains_says_the_same_on_arm(name, data, tmp_path):
    """In Paddle Lite's own runtime, of several pictures and sizes."""
    try:
        lite.registered()
    except MissingError as error:
        pytest.skip(str(error))
    recipe = tiny(RECIPES[0].with_name(f"{name}.yml"), data)
    height = line_height(recipe) if recipe.task == "rec" else 96
    net = with_effect(Task(recipe).build_shipped(), (2, 3, height, 128))
    exported = export_float(net, tmp_path / "m", recipe.task, line_height(recipe))
    nb = to_nb(exported.model.with_suffix(""), tmp_path / "m.nb", "fp32")
    pictures = [picture_of((1, 3, height, width), seed) for width, seed in ((128, 1), (128, 2), (192, 3))]
    expected = [net(picture).numpy() for picture in pictures]
    assert np.abs(expected[0] - expected[1]).max() > 0.1
    with open_engine("arm-paddlelite", nb.path, cpu="cortex-a53") as engine:
        for picture, here in zip(pictures, expected, strict=True):
            [there] = engine.run([picture.numpy()])
            # Rounding of such weights is 4e-4: both are as far from the same network in float64.
            assert there.shape == here.shape and np.abs(there - here).max() < 1e-3
