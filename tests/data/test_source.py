import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ppedge.data.labelled import ClsSample, RecSample
from ppedge.data.source import label_files, measurable, model_spec, read_charset, read_samples
from ppedge.errors import PpedgeError
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, ModelSpec
from small import make_data, tiny_recipe


@pytest.fixture(scope="module")
def cls_recipe(tmp_path_factory):
    return tiny_recipe("cls", make_data("cls", tmp_path_factory.mktemp("data")))


def test_a_classifier_is_evaluated_on_every_line_both_ways(cls_recipe):
    samples, skipped = read_samples(cls_recipe, "eval")
    assert skipped == 0
    assert [(s.text, s.turned) for s in samples] == [("0", False)] * 4 + [("180", True)] * 4
    assert [s.where for s in samples[:4]] == [s.where for s in samples[4:]]
    assert {type(s) for s in samples} == {ClsSample}


def test_a_classifier_is_trained_on_plain_lines(cls_recipe):
    samples, _ = read_samples(cls_recipe, "train")
    assert len(samples) == 12
    assert {type(s) for s in samples} == {RecSample}


def test_an_even_part_of_the_samples_holds_both_directions(cls_recipe):
    samples, _ = read_samples(cls_recipe, "eval")
    for step in (2, 4):
        assert [s.text for s in samples[::step]] == ["0"] * (4 // step) + ["180"] * (4 // step)


def test_a_classifier_takes_the_crops_of_detection_labels(tmp_path):
    data = make_data("det", tmp_path)
    recipe = tiny_recipe("cls", data)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"labels": "detection"})})
    samples, _ = read_samples(recipe, "eval")
    assert all(sample.quad is not None for sample in samples)
    assert {sample.text for sample in samples} == {"0", "180"}


def region(text, left, **marks):
    return {"transcription": text, "points": [[left, 5], [left + 20, 5], [left + 20, 15], [left, 15]], **marks}


@pytest.fixture
def scene(tmp_path):
    """A function that labels one picture with regions and returns a recipe of the task over it."""
    Image.new("RGB", (80, 40)).save(tmp_path / "a.png")

    def labelled(task, *regions):
        for name in ("train.txt", "val.txt"):
            (tmp_path / name).write_text(f"a.png\t{json.dumps(regions)}\n")
        recipe = tiny_recipe(task, tmp_path)
        return recipe.model_copy(update={"data": recipe.data.model_copy(update={"labels": "detection"})})

    return labelled


@pytest.mark.parametrize("task", ["det", "rec", "cls"])
@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_region_outside_its_picture_is_refused(scene, task, split):
    with pytest.raises(PpedgeError, match=r"txt:1: region 2: it lies outside.*a\.png has 80 x 40 pixels"):
        read_samples(scene(task, region("A", 5), region("B", 80)), split)


def test_what_gives_no_line_is_told(scene):
    told = []
    recipe = scene("rec", region("A", 5), region("B", 30, difficult=True), region("待识别", 55))
    samples, skipped = read_samples(recipe, "train", say=told.append)
    assert ([s.text for s in samples], skipped) == (["A"], 0)
    assert told == ["data.train: regions that give no line: 1 marked difficult, 1 not read yet"]
    read_samples(scene("det", region("A", 5), region("B", 30, difficult=True)), "eval", say=told.append)
    assert told.pop() == "data.eval: regions that are ignored: 1 marked difficult"
    read_samples(scene("rec", region("A", 5)), "train", say=told.append)
    assert len(told) == 1, "nothing is said where nothing is left out"


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_detector_that_would_ignore_all_regions_is_told(scene, split):
    unread = [region("待识别", 5), region("TEMPORARY", 30), region("A", 55, difficult=True)]
    with pytest.raises(PpedgeError, match=rf"data\.{split}: all regions are ignored \(2 not read yet, 1 marked diff"):
        read_samples(scene("det", *unread), split)
    assert read_samples(scene("det", *unread, region("B", 55)), split)[0][0].ignore == [True, True, True, False]
    assert read_samples(scene("det"), split)[0][0].ignore == [], "a picture without text has nothing to find"


def test_other_tasks_are_evaluated_on_their_samples(cls_recipe):
    lines, _ = read_samples(cls_recipe, "train")
    recogniser = tiny_recipe("rec", cls_recipe.data.root)
    assert measurable(recogniser, lines) == lines
    assert read_samples(recogniser, "eval")[0][0].text not in ("0", "180")


def test_a_classifiers_specification_goes_through_json(cls_recipe):
    recipe = cls_recipe.model_copy(update={"cls_postprocess": ClsPostprocess(0.8)})
    spec = model_spec(recipe, None)
    assert spec == ModelSpec("cls", cls_preprocess=ClsPreprocess(), cls_postprocess=ClsPostprocess(0.8))
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    assert set(spec.to_dict()) == {"task", "cls_preprocess", "cls_postprocess"}


@pytest.mark.parametrize("score", [0.4, 1.5, np.nan])
def test_scores_that_are_no_probabilities_are_refused(score):
    with pytest.raises(ValueError, match="turn_score must be between 0.5 and 1"):
        replace(ClsPostprocess(), turn_score=score)


def test_whose_dictionary_is_held_to_the_rules_of_new_networks(tmp_path):
    dictionary = tmp_path / "dict.txt"
    dictionary.write_text("a\nb\na\n")
    new = tiny_recipe("rec", tmp_path, data={"charset": str(dictionary), "use_space_char": True})
    with pytest.raises(PpedgeError, match="'a' is on line 1 already"):
        read_charset(new)
    started = tiny_recipe("rec", tmp_path, data=new.data.model_dump(), train={"weights": "theirs.pdparams"})
    assert read_charset(started).characters == read_charset(new, exists=True).characters == ("a", "b", "a", " ")
    with pytest.raises(PpedgeError, match="'a' is on line 1 already"):
        read_charset(started, exists=False)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return make_data("det", tmp_path_factory.mktemp("scenes"))


@pytest.mark.parametrize("task", ["det", "rec", "cls"])
def test_samples_know_the_ratio_of_their_label_file(task, scenes):
    """Lines that are cut out of detection labels, too."""
    files = ["val.txt", {"file": "train.txt", "ratio": 0.25}]
    labels = {} if task == "det" else {"labels": "detection"}
    samples, _ = read_samples(tiny_recipe(task, scenes, data={"train": files, **labels}), "train")
    assert {(sample.where.split("/")[-1].split(":")[0], sample.ratio) for sample in samples} == {
        ("val.txt", 1.0), ("train.txt", 0.25),
    }  # fmt: skip


def test_label_files_with_a_ratio_are_made_and_looked_for_like_others(tmp_path):
    files = [{"file": "train.txt", "ratio": 0.5}]
    recipe = tiny_recipe(
        "rec", tmp_path / "new", data={"train": files, "synth": {"kind": "words", "train": 3, "eval": 2}}
    )
    assert len(read_samples(recipe, "train")[0]) == 3
    assert label_files(recipe, "train") == [tmp_path / "new" / "train.txt"]
