"""Faults put into one stage of the shipped road at a time, and what blame says of them."""

import dataclasses
import json

import numpy as np
import pytest

from ppedge.errors import PpedgeError
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess
from ppedge.validate.blame import Road, blame
from ppedge.validate.spec_changes import changes

DET = ModelSpec("det", det_preprocess=DetPreprocess(limit_side=32), det_postprocess=DbPostprocess())
REC = ModelSpec("rec", rec_preprocess=RecPreprocess(min_width=32), characters=("a", "b"))
CLS = ModelSpec("cls", cls_preprocess=ClsPreprocess(height=16, width=64), cls_postprocess=ClsPostprocess())
SWAPPED = {"mean": (0.406, 0.456, 0.485)}


class Bright:
    """A detector whose probability is that of a pixel being bright and blue; counts its runs."""

    name = "bright"

    def __init__(self, gain=1.0):
        self.gain, self.runs = gain, 0

    def run(self, inputs):
        self.runs += 1
        blue = inputs[0][:, :1] * self.gain
        return [1 / (1 + np.exp(-8 * (blue - 1.0)))]


class Reader:
    """A recogniser that says a where a column is bright and b where it is dark, with a blank between two."""

    name = "reader"

    def __init__(self, bias=0.0):
        self.bias = bias

    def run(self, inputs):
        column = inputs[0].mean(axis=(1, 2))[:, ::4] + self.bias
        result = np.full((*column.shape, 3), 0.05, np.float32)
        result[..., 1] += column > 0
        result[..., 2] += column <= 0
        result[:, 1::2, 0] += 2
        return [result]


@pytest.fixture(scope="module")
def pages():
    """Pictures with three lines: one clear, one faint, one so faint that a swapped mean decides over it."""
    pages = []
    for shift in (0, 4):
        page = np.zeros((64, 96, 3), np.uint8)
        for top, level in ((4, 255), (24, 185), (44, 171)):
            page[top : top + 10, 8 + shift : 80 + shift] = level
        pages.append(page)
    return pages


def det(pages, pre=None, post=None, engine=None):
    shipped = dataclasses.replace(
        DET,
        det_preprocess=dataclasses.replace(DET.det_preprocess, **(pre or {})),
        det_postprocess=dataclasses.replace(DET.det_postprocess, **(post or {})),
    )
    return blame(Road(DET, Bright()), Road(shipped, engine or Bright()), pages)


def blamed(found):
    return [stage.stage for stage in found.stages if stage.blamed]


def test_roads_that_are_the_same(pages):
    found = det(pages)
    assert found.disagreement == 0 and blamed(found) == []
    assert found.verdict == "the boxes agree on 2 pictures"
    assert [stage.explained for stage in found.stages] == [0, 0, 0]


@pytest.mark.parametrize(
    ("fault", "stage", "told"),
    [
        ({"pre": SWAPPED}, "preprocess", "pre-processing (100% of it, det_preprocess.mean is [0.406, 0.456, 0.485]"),
        ({"pre": {"limit_type": "max"}}, "preprocess", "det_preprocess.limit_type is max instead of min"),
        (
            {"post": {"box_thresh": 0.3, "thresh": 0.2}},
            "postprocess",
            "post-processing (100% of it, det_postprocess.thresh is 0.2 instead of 0.3, det_postprocess.box_thresh",
        ),
        ({"engine": Bright(1.25)}, "network", "the network (100% of it, outputs differ by up to"),
    ],
)
def test_one_fault_is_named_and_nothing_else(pages, fault, stage, told):
    found = det(pages, **fault)
    assert found.disagreement > 0
    assert blamed(found) == [stage]
    assert told in found.verdict
    by_name = {one.stage: one for one in found.stages}
    assert by_name[stage].explained == pytest.approx(1)
    assert by_name[stage].alone == found.disagreement and by_name[stage].left == 0
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["verdict"] == found.verdict


def test_two_faults_share_the_blame(pages):
    found = det(pages, pre=SWAPPED, post={"box_thresh": 0.3, "thresh": 0.2})
    assert blamed(found) == ["preprocess", "postprocess"]
    assert sum(stage.explained for stage in found.stages) == pytest.approx(1)
    assert found.stages[1].difference["identical"]


def test_a_changed_key_that_changes_no_box_is_told_all_the_same(pages):
    found = det(pages, pre={"max_side": 3000})
    assert found.disagreement == 0
    assert (
        found.verdict
        == "the boxes agree on 2 pictures, though the shipped specification changes det_preprocess.max_side"
    )


@pytest.mark.parametrize(("pre", "runs"), [({}, 1), (SWAPPED, 2)])
def test_engines_run_no_more_often_than_they_must(pages, pre, runs):
    engine = Bright()
    det(pages, pre=pre, engine=engine)
    assert engine.runs == runs * len(pages)


@pytest.mark.parametrize(
    ("change", "engine", "stage", "told"),
    [
        ({"rec_preprocess": dataclasses.replace(REC.rec_preprocess, mean=0.9)}, Reader(), "preprocess", "mean is 0.9"),
        ({"characters": ("a", "c")}, Reader(), "postprocess", "characters[1] is c instead of b"),
        ({}, Reader(bias=-0.5), "network", "outputs differ by up to 1"),
    ],
)
def test_a_recogniser(change, engine, stage, told):
    crops = [np.full((32, 64, 3), level, np.uint8) for level in (0, 160, 255)]
    for crop in crops:
        crop[:, :32] = 0
    found = blame(Road(REC, Reader()), Road(dataclasses.replace(REC, **change), engine), crops)
    assert found.disagreement > 0
    assert blamed(found) == [stage]
    assert told in found.verdict and "texts differ on 3 crops" in found.verdict


class Direction:
    """A classifier for which a line is upside down if it is bright."""

    name = "direction"

    def run(self, inputs):
        bright = (inputs[0].mean(axis=(1, 2, 3)) > 0).astype(np.float32)
        return [np.stack([1 - bright, bright], axis=1)]


def test_a_classifier():
    crops = [np.full((16, 64, 3), level, np.uint8) for level in (0, 160, 255)]
    found = blame(Road(CLS, Direction()), Road(CLS, Direction()), crops)
    assert found.verdict == "the directions agree on 3 crops"
    shipped = dataclasses.replace(CLS, cls_preprocess=dataclasses.replace(CLS.cls_preprocess, mean=0.9))
    found = blame(Road(CLS, Direction()), Road(shipped, Direction()), crops)
    assert blamed(found) == ["preprocess"]
    assert "33.3% of the directions differ on 3 crops" in found.verdict
    assert "cls_preprocess.mean is 0.9 instead of 0.5" in found.verdict


def test_a_turn_score_that_is_changed_is_told():
    shipped = dataclasses.replace(CLS, cls_postprocess=ClsPostprocess(0.6))
    (change,) = changes(CLS, shipped)
    assert (change.stage, change.key, change.shipped) == ("postprocess", "cls_postprocess.turn_score", 0.6)


def test_character_sets_of_different_length():
    (change,) = changes(REC, dataclasses.replace(REC, characters=("a", "b", "c")))
    assert (change.key, change.reference, change.shipped) == ("characters", "2 characters", "3 characters")


def test_roads_of_different_tasks(pages):
    with pytest.raises(PpedgeError, match="has the task 'rec', the recipe 'det'"):
        blame(Road(DET, Bright()), Road(REC, Reader()), pages)
    with pytest.raises(PpedgeError, match="no pictures"):
        blame(Road(DET, Bright()), Road(DET, Bright()), [])
