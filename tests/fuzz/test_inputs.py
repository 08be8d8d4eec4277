"""What the campaign draws is what it is meant to be: damaged in form or in meaning, and else whole."""

import io
import json
import pickle
from copy import deepcopy

import numpy as np
import pytest
import yaml
from PIL import Image

from fuzz import trees
from fuzz.contract import ACCEPTED, find_target
from fuzz.drawing import draw
from fuzz.pickles import altered_pickle, deep, instructions, memo_bomb, odd_state
from fuzz.targets import bundles, campaign_targets, pictures
from fuzz.trees import altered, json_text, yaml_text
from fuzz.worker import Limits, run_input
from ppedge.bundle.manifest import read_manifest

TREE = {"name": "x", "train": {"epochs": 2, "parts": [1, [2, 3], {"a": None}]}}


def test_a_tree_is_altered_and_the_original_stays():
    before = deepcopy(TREE)
    drawn = draw(altered(TREE), "tree", 0, 60)
    assert before == TREE
    assert sum(repr(value) != repr(TREE) for value in drawn) > 45
    assert sum(isinstance(value, dict) and value.get("name") == "x" for value in drawn) > 15


def test_values_that_no_library_writes_stand_in_the_text():
    for number, raw in enumerate(trees._RAW_JSON):
        assert json_text({"a": trees._MARK.format(number)}) == f'{{"a": {raw}}}'.encode()
    for number, raw in enumerate(trees._RAW_YAML):
        assert yaml_text({"a": trees._MARK.format(number)}) == f"a: {raw}\n".encode()


def test_a_tree_that_is_not_altered_reads_back():
    assert json.loads(json_text(TREE)) == TREE == yaml.safe_load(yaml_text(TREE))


def test_pickles_are_altered_by_whole_instructions():
    original = pickle.dumps({"w": np.ones(3, np.float32)}, protocol=4)
    assert b"".join(instructions(original)) == original
    drawn = draw(altered_pickle([original]), "pickle", 0, 60)
    assert sum(data.startswith(original[:2]) for data in drawn) > 30
    tables = [pickle.loads(data) for data in draw(odd_state({"w": np.ones(3)}), "state", 0, 20)]
    assert all(isinstance(table, dict) for table in tables)


def test_bombs_unfold():
    arrays = pickle.loads(memo_bomb(1000, 50)).values()
    assert [array.nbytes for array in arrays] == [1000] * 50
    assert pickle.loads(deep(50, b"", b"\x85")) and pickle.loads(deep(3, b"", b"\x85", b"}%sK\x01s")) == {
        ((((),),),): 1
    }
    data = pictures._bomb(20_000, 1)
    assert len(data) < 60_000
    with pytest.raises(Image.DecompressionBombError, match="400000000 pixels"):
        Image.open(io.BytesIO(data))


@pytest.mark.parametrize("name", campaign_targets())
def test_what_the_mutations_start_from_is_accepted(name, tmp_path):
    """Else they would damage what is refused as it is."""
    target = find_target(name)
    outcome = run_input(target, target.whole(), tmp_path / "input", Limits(memory=1 << 32))
    assert outcome.kind == ACCEPTED, outcome


def test_a_seal_that_is_made_anew_holds(tmp_path):
    files = bundles._resealed({**bundles._original(), "bundle/golden/01/golden.json": b"{}"})
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/manifest.json").write_bytes(files["bundle/manifest.json"])
    entry = read_manifest(tmp_path / "bundle")["golden"][0]["files"]
    assert next(file["bytes"] for file in entry if file["file"].endswith("golden.json")) == 2
