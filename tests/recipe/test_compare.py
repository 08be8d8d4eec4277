"""What of two recipes differs, in words."""

import pytest

from ppedge.errors import PpedgeError
from ppedge.recipe.compare import differences, require_same
from small import tiny_recipe


def test_equal_recipes_are_the_same(tmp_path):
    recipe = tiny_recipe("det", tmp_path)
    assert differences(recipe, recipe) == []
    require_same(recipe, recipe, "here", "was written", "start anew")


def test_each_key_is_named_with_its_values(tmp_path):
    then = tiny_recipe("rec", tmp_path)
    now = tiny_recipe("rec", tmp_path, train={"epochs": 4, "workers": 3}, rec_preprocess={"height": 48})
    with pytest.raises(PpedgeError) as error:
        require_same(now, then, "last.ckpt", "was written", "start anew", without=("train.workers", "slim"))
    assert error.value.message == (
        "last.ckpt: was written with other settings: rec_preprocess.height was 32 and is 48; train.epochs was 2 and is "
        "4."
    )
    assert error.value.hint == "Go on with --set 'rec_preprocess.height=32' --set 'train.epochs=2', or start anew."


def test_a_key_that_was_not_there_cannot_be_set_back(tmp_path):
    loss = {"losses": [{"name": "DB"}, {"name": "DML", "between": ["net", "other"], "at": "maps"}]}
    now = tiny_recipe("det", tmp_path, train={"peers": {"other": {}}, **loss})
    with pytest.raises(PpedgeError, match=r"train\.peers\.other\.model was nothing and is") as error:
        require_same(now, tiny_recipe("det", tmp_path), "here", "was started", "start anew")
    assert error.value.hint == "Go on with the recipe of then, or start anew."


def test_a_section_is_left_out_whole_and_by_its_whole_name(tmp_path):
    now = tiny_recipe("det", tmp_path, seed=9, train={"epochs": 3})
    assert [d.key for d in differences(now, tiny_recipe("det", tmp_path), without=("train", "see"))] == ["seed"]
