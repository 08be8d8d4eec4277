"""The recipe's form: its number, keys that mean nothing for a task, and hints in dictionaries and unions."""

from copy import deepcopy
from typing import get_args

import pytest
import yaml

from ppedge.errors import PpedgeError
from ppedge.recipe import losses
from ppedge.recipe.base import foreign_keys
from ppedge.recipe.io import as_written, known_keys, load_recipe, save
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import case_shapes, count_size, exported_shape, trace_shape
from ppedge.train.losses.table import BUILDERS
from small import recipe_dict, tiny_recipe

OTHERS = {
    "det": {"rec_preprocess": {"height": 48}, "metric": "strict", "cls_postprocess": {}, "data.charset": "en_number",
            "train.flat_start": 0.1, "train.rec_augment": {}, "model.backbone.small_stride": [1, 2, 2, 2],
            "validate.gates.min_string_agreement": 0.9},
    "rec": {"det_preprocess": {"limit_side": 640}, "train.det_augment": {}, "slim.prune.arm.neck_width": 16,
            "model.backbone.disable_se": False, "validate.gates.min_box_agreement": 0.9, "cls_preprocess": {}},
    "cls": {"det_postprocess": {}, "rec_preprocess": {}, "data.max_text_length": 9, "train.flat_start": 0.0},
}  # fmt: skip


def written(tmp_path, task, **changes):
    """A recipe's file, with changes by their dotted keys."""
    value = deepcopy(recipe_dict(task, tmp_path))
    for key, new in changes.items():
        *parents, last = key.split(".")
        inner = value
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = new
    path = tmp_path / "r.yml"
    path.write_text(yaml.safe_dump(value, sort_keys=False))
    return path


def refused(path, *overrides):
    with pytest.raises(PpedgeError) as error:
        load_recipe(path, overrides)
    return str(error.value).replace(str(path), "r.yml")


@pytest.mark.parametrize(("task", "key"), [(task, key) for task, keys in OTHERS.items() for key in keys])
def test_a_key_of_another_task_is_an_error_that_says_so(tmp_path, task, key):
    told = refused(written(tmp_path, task, **{key: OTHERS[task][key]}))
    assert f"{key} means nothing for the task {task}: it is for " in told and told.startswith("r.yml:"), told
    given = yaml.safe_dump(OTHERS[task][key], default_flow_style=True).replace("\n...", "").strip()
    told = refused(written(tmp_path, task), f"{key}={given}")
    assert told.startswith(f"--set {key}=") and "means nothing" in told, told


@pytest.mark.parametrize("task", ["det", "rec", "cls"])
def test_what_is_kept_has_the_keys_of_its_task_and_no_others(tmp_path, task):
    recipe = tiny_recipe(task, tmp_path)
    save(recipe, tmp_path / "kept.yml")
    kept = yaml.safe_load((tmp_path / "kept.yml").read_text())
    assert kept["schema"] == 2 and kept == as_written(recipe)
    again = load_recipe(tmp_path / "kept.yml")
    assert again == recipe
    assert [*foreign_keys(again, task, given=True)] == []
    assert {"data.charset" in map(".".join, (p for p, _ in foreign_keys(recipe, task, given=False)))} == {task != "rec"}


@pytest.mark.parametrize(
    ("task", "old", "new"),
    [
        ("det", {"shrink_loss": "bce"}, [losses.DB(name="DB", main="bce")]),
        ("det", {"shrink_loss": "dice"}, []),
        ("rec", {"ignore_case": True}, [losses.CTC(name="CTC", ignore_case=True)]),
        ("rec", {"ignore_case": False, "shrink_loss": "bce"}, []),
    ],
)
def test_schema_1_said_losses_by_two_keys(tmp_path, task, old, new):
    path = written(tmp_path, task, **{f"train.{key}": value for key, value in old.items()})
    assert load_recipe(path).train.losses == new
    path.write_text("schema: 2\n" + path.read_text())
    told = refused(path)
    assert f"unknown key train.{next(iter(old))}" in told and "Write train.losses: [{name: " in told


def test_a_recipe_of_the_future_is_refused(tmp_path):
    assert refused(written(tmp_path, "det", schema=3)) == (
        "r.yml: the recipe is of schema 3, and this ppedge knows 2. Update ppedge."
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train.losses": [{"name": "DB", "mian": "bce"}]}, "unknown key train.losses.0.mian. Did you mean main?"),
        ({"train.losses": [{"name": "XX"}]}, "train.losses.0: Input tag 'XX' found using 'name' does not match"),
        ({"train.losses": [{"name": "CTC"}]}, "train.losses[0]: CTC is for the task rec"),
        ({"train.peers": {"twin": {"frozn": True}}}, "unknown key train.peers.twin.frozn. Did you mean frozen?"),
        (
            {"train.peers": {"twin": {"model": {"backbon": {}}}}},
            "unknown key train.peers.twin.model.backbon (2 more after it). Did you mean backbone?",
        ),
        ({"train.peers": {"twin": {"model": "other"}}}, "train.peers.twin.model: Input should be 'same', not 'other'"),
        ({"train.peers": {"b": {}}}, "train.peers.b: no term of train.losses compares it with another network"),
        ({"train.peers": {"net": {}}}, "train.peers: net is the network that ships"),
        (
            {"train.losses": [{"name": "DML", "between": ["net", "twin"], "at": "maps"}]},
            "train.losses[0]: DML names twin, which is none of net",
        ),
        (
            {"train.losses": [{"name": "Dilated", "form": "teacher"}]},
            "unknown key train.losses.0.form (1 more after it). Did you mean from?",
        ),
        (
            {"train.losses": [{"name": "Dilated", "from": "teacher"}]},
            "train.losses[0]: Dilated names teacher, which is none of net",
        ),
        (
            {"train.peers": {"b": {"batch_statistics": True}}, "train.losses": [{"name": "Dilated", "from": "b"}]},
            "train.peers.b.batch_statistics: is for a frozen peer",
        ),
        (
            {"train.peers": {"b": {"part": "Teacher"}}, "train.losses": [{"name": "Dilated", "from": "b"}]},
            "train.peers.b.part: is a part of a file that weights names, and none is named",
        ),
        (
            {"train.peers": {"b": {}}, "train.losses": [{"name": "DML", "between": ["net", "b"], "at": "logits"}]},
            "train.losses[0]: DML reads logits, and a det network gives maps",
        ),
    ],
)
def test_mistakes_in_lists_and_dictionaries_are_told_where_they_are(tmp_path, changes, told):
    assert told in refused(written(tmp_path, "det", **changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train.guides": [{"name": "LinearGuide"}]}, "train.guides: no term of train.losses names net.LinearGuide"),
        (
            {"train.guides": [{"name": "LinearGuide"}], "train.flat_start": 0.1},
            "train.flat_start: has a guide of its own",
        ),
        (
            {"train.losses": [{"name": "CTC"}, {"name": "Center"}], "train.flat_start": 0.1},
            "train.flat_start: is for fresh weights, and goes with no term that rests on trained ones, such as Center",
        ),
        (
            {"train.guides": [{"name": "SARHead"}], "train.losses": [{"name": "CTC", "of": ["net", "net.SARHead"]}]},
            "train.losses[0]: CTC is of net.SARHead, which learns from SAR",
        ),
        (
            {"train.guides": [{"name": "SARHead"}], "train.losses": [{"name": "SAR", "of": ["net", "net.SARHead"]}]},
            "train.losses[0]: SAR is of guides, and net is none",
        ),
        ({"train.losses": [{"name": "SAR"}]}, "the key train.losses.0.of is missing"),
    ],
)
def test_guides_that_teach_nothing_are_told(tmp_path, changes, told):
    assert told in refused(written(tmp_path, "rec", **changes))


def test_a_guide_of_another_task_is_told(tmp_path):
    told = refused(written(tmp_path, "det", **{"train.guides": [{"name": "LinearGuide"}]}))
    assert "train.guides: LinearGuide reads a row at the backbone of a rec network" in told


@pytest.mark.parametrize(
    ("loc", "some"),
    [
        (("train", "losses", 0, "DB"), {"main", "alpha", "at"}),
        (("train", "losses", 0), {"main", "between", "ignore_case"}),
        (("train", "peers", "anything"), {"model", "weights", "frozen"}),
        (("train", "peers", "anything", "model", "Model", "neck", "DBFPN"), {"out_channels"}),
        (("model", "Model", "backbone"), {"scale", "small_stride"}),
        (("validate", "gates"), {"max_difference"}),
        (("det_preprocess",), {"limit_side"}),
        ((), {"schema", "validate", "train"}),
    ],
)
def test_known_keys_go_through_every_container(loc, some):
    assert some <= set(known_keys(Recipe, loc))


def test_every_loss_of_the_recipe_has_a_builder_and_no_other():
    assert set(BUILDERS) == set(get_args(get_args(losses.Loss)[0]))


def test_sizes_come_from_the_recipe(tmp_path):
    """FLOPs of a recogniser that is 48 high are counted at 48."""
    high = tiny_recipe("rec", tmp_path, rec_preprocess={"height": 48})
    assert (trace_shape(high), count_size(high)) == ((1, 3, 48, 64), (48, 320))
    assert trace_shape(tiny_recipe("det", tmp_path)) == (1, 3, 64, 64)
    wide = tiny_recipe("cls", tmp_path, cls_preprocess={"height": 80, "width": 160})
    assert (trace_shape(wide), count_size(wide)) == ((1, 3, 80, 160), (80, 160))
    assert exported_shape("rec", 48, free_batch=True) == (-1, 3, 48, -1)
    assert exported_shape("rec", 48) == (1, 3, 48, -1) and exported_shape("det", 0) == (-1, 3, -1, -1)
    assert all(shape[2] == 48 for shape in case_shapes("rec", 48))
