"""The page that shows data, and the figures on it."""

import re

import numpy as np
import pytest
import yaml
from test_convert_labels import picture

from ppedge.data.dataset import dataset_of
from ppedge.data.formats import read_labels
from ppedge.data.show import TIMES, _given
from ppedge.data.source import read_samples
from ppedge.data.statistics import statistics_of
from ppedge.ocr.charset import Charset
from small import make_data, recipe_dict, tiny_recipe


@pytest.fixture(scope="module", params=["det", "rec", "cls"])
def any_data(request, tmp_path_factory):
    return request.param, make_data(request.param, tmp_path_factory.mktemp("data"))


@pytest.fixture
def labelled(tmp_path):
    """Two pictures with three regions, one of them ignored, and a bad line."""
    picture(tmp_path / "a.png", 90, 60)
    picture(tmp_path / "b.png", 200, 100)
    square = "[[10, 10], [50, 10], [50, 30], [10, 30]]"
    region = '{{"transcription": "{}", "points": ' + square + "}}"
    (tmp_path / "labels.txt").write_text(
        f"a.png\t[{region.format('A<b>')}, {region.format('###')}]\nb.png\t[{region.format('BBB')}]\ngone.png\t[]\n"
    )
    return tmp_path


def test_statistics_are_counted(labelled):
    samples = read_labels(labelled / "labels.txt", labelled, "detection").samples
    found = statistics_of(samples, Charset("AB"), 32)
    assert (found.pictures, found.samples, found.regions, found.ignored) == (2, 2, 3, 1)
    assert found.spreads["width of a picture, px"] == (90, 117.5, 145, 172.5, 200)
    assert found.spreads["height of a line, px"] == (20, 20, 20, 20, 20)
    assert found.spreads["width of a line 32 px high, px"] == (64,) * 5
    assert found.spreads["regions in a picture"][-1] == 2
    assert found.lengths == {3: 1, 4: 1}
    assert found.characters == {"B": 3, "<": 1, ">": 1, "A": 1, "b": 1}
    assert found.unknown == {"<": 1, ">": 1, "b": 1}


def test_the_page_of_a_label_file(labelled, ppedge_here, monkeypatch):
    monkeypatch.chdir(labelled)
    code, out, err = ppedge_here("data", "show", "labels.txt", "--limit", "1")
    assert code == 0 and "data.html: labels.txt 2 labels" in out + err
    page = (labelled / "data.html").read_text()
    assert page.count("<img") == 1 and "labels.txt:1: A&lt;b&gt;" in page and "<b>" not in page
    assert "3 regions, 1 of them ignored; 1 bad lines are left out" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)  # it opens without network
    code, _, err = ppedge_here("data", "show", "labels.txt")
    assert code == 2 and "data.html: is there already" in err
    assert ppedge_here("data", "show", "labels.txt", "--limit", "1", "--force")[0] == 0
    assert (labelled / "data.html").read_text() == page


@pytest.mark.parametrize(("argument", "told"), [("none.txt", "no such label file"), ("empty.txt", "no usable label")])
def test_what_cannot_be_shown_is_a_sentence(labelled, ppedge_here, monkeypatch, argument, told):
    monkeypatch.chdir(labelled)
    (labelled / "empty.txt").write_text("\n")
    code, _, err = ppedge_here("data", "show", argument)
    assert code == 2 and told in err and not (labelled / "data.html").exists()


def test_the_page_of_a_recipe_shows_what_training_is_given(any_data, tmp_path, ppedge_here):
    task, data = any_data
    (tmp_path / "tiny.yml").write_text(yaml.safe_dump(recipe_dict(task, data)))
    code, _, err = ppedge_here("data", "show", tmp_path / "tiny.yml", "--out", tmp_path / "page.html", "--limit", "2")
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    assert page.count("<h2") == 2 and "data.train" in page and "data.eval" in page
    assert page.count("<img") == 2 + 2 + 2 * TIMES
    assert page.count("epoch 2</figcaption>") + page.count("epoch 2: ") / 2 == 2


def test_characters_that_nothing_teaches_are_told(tmp_path, ppedge_here):
    rec_data = make_data("rec", tmp_path)
    lines = (rec_data / "val.txt").read_text().splitlines()
    name = lines[0].partition("\t")[0]
    train = (rec_data / "train.txt").read_text().replace("7", "8")
    (tmp_path / "train.txt").write_text(train)
    (tmp_path / "val.txt").write_text(f"{name}\t77\n{name}\tßß\n")
    files = {"train": [str(tmp_path / "train.txt")], "eval": [str(tmp_path / "val.txt")]}
    recipe = recipe_dict("rec", rec_data, data={"root": str(rec_data), **files})
    (tmp_path / "tiny.yml").write_text(yaml.safe_dump(recipe))
    code, _, err = ppedge_here("data", "show", tmp_path / "tiny.yml", "--out", tmp_path / "page.html", "--limit", "0")
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    assert "Characters that no text of data.train has: &#x27;7&#x27; 2." in page
    assert "Characters that data.charset lacks" in page and "&#x27;ß&#x27; 2" in page


def test_targets_are_drawn_where_they_are(tmp_path):
    recipe = tiny_recipe("det", make_data("det", tmp_path))
    dataset = dataset_of(recipe, read_samples(recipe, "train")[0], None)
    item = next(dataset[0, k] for k in range(len(dataset)) if dataset[0, k]["shrink_map"].any())
    image, _ = _given(dataset, item)
    plain, _ = _given(dataset, {**item, "shrink_map": np.zeros_like(item["shrink_map"])})
    changed = (image != plain).any(axis=2)
    assert changed.any() and not changed[item["shrink_map"] == 0].any()
