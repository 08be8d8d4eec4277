"""The pictures on which rewritten networks are tried, and the names that reports give to what rewriting made."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from ppedge.convert.inputs import picture_inputs
from ppedge.convert.rewrites import Rewriting
from ppedge.convert.sources import Source
from ppedge.convert.stage import _rewrite
from ppedge.data.source import declared_spec
from ppedge.errors import PpedgeError
from ppedge.files.naming import with_origins
from small import make_data, tiny_recipe


@pytest.mark.parametrize(("task", "shape"), [("det", (96, 96)), ("rec", (32, 128)), ("cls", (48, 192))])
def test_pictures_of_the_data_are_taken(task, shape, tmp_path):
    recipe = tiny_recipe(task, make_data(task, tmp_path))
    inputs = picture_inputs(recipe, declared_spec(recipe))
    assert len(inputs) == 2
    for x in inputs:
        assert (x.dtype, x.shape[:2]) == (np.float32, (1, 3)) and x.std() > 0
        assert all(0 < side <= most for side, most in zip(x.shape[2:], shape, strict=True))


def test_a_large_picture_is_tried_small(tmp_path):
    recipe = tiny_recipe("det", make_data("det", tmp_path), det_preprocess={"limit_side": 2000, "limit_type": "min"})
    assert all(max(x.shape) <= 480 for x in picture_inputs(recipe, declared_spec(recipe)))


@pytest.mark.parametrize("broken", ["missing", "damaged"])
def test_no_pictures_are_no_reason_not_to_convert(broken, tmp_path):
    recipe = tiny_recipe("det", make_data("det", tmp_path))
    labels = tmp_path / "det" / "val.txt"
    if broken == "missing":
        labels.unlink()
    else:
        for line in labels.read_text().splitlines():
            (tmp_path / "det" / line.split("\t")[0]).write_bytes(b"no picture")
    assert picture_inputs(recipe, declared_spec(recipe)) == []


def test_a_child_that_dies_leaves_what_it_did_not_end_as_it_was(tmp_path):
    recipe = tiny_recipe("det", tmp_path)
    rewriting = Rewriting(recipe, tmp_path, [])
    for name in ("one", "two"):
        rewriting.add(tmp_path / "net", name, f"net {name}", "nb", "fp32", layers={"conv2d_0.w_0": "head.conv"})
    done = [{"where": where} for where in ("conv2d_0.w_0", "conv2d_1.w_0")]
    step = {"name": "gate", "changes": done, "difference": 0, "instructions": {}, "refused": ""}

    def die(children):
        report = {"note": "", "before": {}, "passes": [step], "origins": {"a": "b"}}
        (tmp_path / "one.json").write_text(json.dumps(report))
        (tmp_path / "one.pdmodel").touch()
        (tmp_path / "two.pdmodel").touch()
        return [PpedgeError("it died of SIGABRT") for _ in children]

    told = []
    found = rewriting.run(SimpleNamespace(run_children=die), told.append)
    assert found["one"]["origins"] == {"a": "b"} and (tmp_path / "one.pdmodel").exists()
    assert [one["layer"] for one in found["one"]["passes"][0]["changes"]] == ["head.conv", "conv2d_1.w_0"]
    assert told[-1] == "  net two for nb: not rewritten: it died of SIGABRT" and not (tmp_path / "two.pdmodel").exists()


def test_the_network_before_slimming_is_told_apart_from_the_slimmed_one(tmp_path):
    recipe = tiny_recipe("det", make_data("det", tmp_path))
    sources = [Source("float", "slim", ("fp32",)), Source("float", "train", ("fp32",), baseline=True)]
    forks = SimpleNamespace(run_children=lambda children: [PpedgeError("it died") for _ in children])
    told = []
    _rewrite(recipe, declared_spec(recipe), sources, tmp_path, tmp_path, forks, told.append)
    of_nb = [line for line in told if " for nb: " in line]
    assert [line.split(" for ")[0].strip() for line in of_nb] == ["det.fp32", "baseline/det.fp32"]


def test_weights_that_stand_for_others_have_their_layers_names():
    layers = {"conv2d_0.w_0": "head.conv"}
    origins = {"conv2d_0.w_0.sub_pixel": "conv2d_0.w_0", "up.w_0.sub_pixel": "up.w_0"}
    made = {"conv2d_0.w_0.sub_pixel": "head.conv", "up.w_0.sub_pixel": "up.w_0"}
    assert with_origins(layers, origins) == {**layers, **made}
