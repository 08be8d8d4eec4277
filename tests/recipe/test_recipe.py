from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppedge.errors import PpedgeError
from ppedge.recipe.io import load, load_recipe, save
from ppedge.recipe.road import Recipe, Suite

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yml"))
BASE = """\
name: base
task: det
data:
  train: [train.txt]
model:
  backbone: {name: MobileNetV3}
  neck: {name: DBFPN, out_channels: 24}
  head: {name: DBHead}
det_preprocess: {limit_side: 640}
train:
  epochs: 8
  det_augment: {scale: [0.7, 1.4]}
slim:
  prune:
    finetune: {epochs: 2}
    ratios: [0.25, 0.5]
validate:
  gates: {max_difference: 1.0e-3}
"""


def sentence(tmp_path, old="", new="", overrides=()):
    """The error's sentence for a recipe with one mistake, paths shortened."""
    assert old in BASE
    path = tmp_path / "r.yml"
    path.write_text(BASE.replace(old, new, 1) if old else BASE)
    with pytest.raises(PpedgeError) as error:
        load(path, overrides)
    text = str(error.value)
    assert "\n" not in text
    return text.replace(str(path), "r.yml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_recipe_that_is_shipped_loads(path):
    loaded = load(path)
    if isinstance(loaded, Suite):
        parts = [load_recipe(part) for part in loaded.recipes]
        assert len({part.name for part in parts}) == len(parts)
    else:
        assert loaded.name == path.stem


@pytest.mark.parametrize(
    "text",
    [
        "Global: {use_gpu: true}\nArchitecture: {model_type: det, Backbone: {name: MobileNetV3}}\nTrain: {}\n",
        "Global: {model_name: PP-OCRv4_mobile_rec}\nPostProcess: {name: CTCLabelDecode}\n",
    ],
)
def test_a_configuration_of_paddleocr_is_recognised(tmp_path, text):
    path = tmp_path / "theirs.yml"
    path.write_text(text)
    with pytest.raises(PpedgeError, match=r"theirs\.yml: a configuration of PaddleOCR, not a recipe.*from-paddleocr"):
        load(path)


@pytest.mark.parametrize("path", [p for p in RECIPES if "recipes:" not in p.read_text()], ids=lambda path: path.name)
def test_a_saved_recipe_reads_back_equal(path, tmp_path):
    recipe = load_recipe(path, ["validate.gates.max_difference=1e-5", "seed=3"])
    save(recipe, tmp_path / "again.yml")
    assert load_recipe(tmp_path / "again.yml") == recipe
    first = (tmp_path / "again.yml").read_bytes()
    save(load_recipe(tmp_path / "again.yml"), tmp_path / "again.yml")
    assert (tmp_path / "again.yml").read_bytes() == first


def test_there_are_recipes():
    assert len(RECIPES) >= 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # An unknown key: file, line, path, nearest known one.
        ("epochs: 8", "epoch: 8", "r.yml:11: unknown key train.epoch. Did you mean epochs?"),
        ("out_channels", "out_channel", "r.yml:7: unknown key model.neck.out_channel. Did you mean out_channels?"),
        ("limit_side", "limit_sides", "r.yml:9: unknown key det_preprocess.limit_sides. Did you mean limit_side?"),
        ("{epochs: 2}", "{epohs: 2}", "r.yml:15: unknown key slim.prune.finetune.epohs. Did you mean epochs?"),
        ("max_difference", "max_diff", "r.yml:18: unknown key validate.gates.max_diff. Did you mean max_difference?"),
        ("validate:", "validation:", "r.yml:17: unknown key validation. Did you mean validate?"),
        ("epochs: 8", "zzz: 8", "r.yml:11: unknown key train.zzz. Known here: epochs, max_steps, "),
        # A key of another member of a union is unknown in this one.
        ("out_channels", "hidden_size", "r.yml:7: unknown key model.neck.hidden_size. Known here: name, out_channels."),
        # Values.
        ("DBFPN", "DBFNP", "r.yml:7: model.neck: Input tag 'DBFNP'"),
        ("epochs: 8", "epochs: many", "r.yml:11: train.epochs: Input should be a valid integer"),
        ("epochs: 8", "epochs: 8.5", "r.yml:11: train.epochs: "),
        ("epochs: 8", "epochs: -1", "r.yml:11: train.epochs: Input should be greater than or equal to 0, not -1."),
        ("epochs: 8", "l2: .inf", "r.yml:11: train.l2: Input should be a finite number, not inf."),
        ("[0.25, 0.5]", "[0.25, x]", "r.yml:16: slim.prune.ratios.1: Input should be a valid number"),
        ("[0.25, 0.5]", "[0.25, 2]", "r.yml:16: slim.prune.ratios.1: Input should be less than 1, not 2."),
        ("[train.txt]", "train.txt", "r.yml:4: data.train: Input should be a valid list, not 'train.txt'."),
        ("[train.txt]", "[3]", "r.yml:4: data.train.0: Input is not a valid path"),
        ("[train.txt]", "[{file: a, ratio: 2}]", "r.yml:4: data.train.0.ratio: Input should be less than"),
        ("[train.txt]", "[{file: a, ratios: 1}]", "r.yml:4: unknown key data.train.0.ratios. Did you mean ratio?"),
        ("[train.txt]", "[{ratio: 1}]", "r.yml:4: the key data.train.0.file is missing."),
        ("[0.7, 1.4]", "[0.7]", "r.yml:12: the key train.det_augment.scale.1 is missing."),
        ("name: base", "name: a/b", "r.yml:1: name: String should match pattern"),
        ("name: base", "name: 5", "r.yml:1: name: Input should be a valid string, not 5."),
        ("task: det", "task: dir", "r.yml:2: task: Input should be 'det', 'rec' or 'cls', not 'dir'."),
        ("task: det", "task: cls", "r.yml: model: a cls network needs no neck and head ClsHead."),
        ("task: det", "task: rec", "r.yml: model: a rec network needs neck SequenceEncoder and head CTCHead"),
        ("task: det\n", "", "r.yml: the key task is missing."),
        ("{limit_side: 640}", "640", "r.yml:9: det_preprocess: "),
        # Two mistakes: the first is told, the other counted.
        ("epochs: 8", "epoch: 8\n  batchsize: 2", "r.yml:11: unknown key train.epoch (1 more after it). Did you"),
        # YAML.
        ("epochs: 8", "epochs: 8\n  epochs: 9", "r.yml:12: the key train.epochs is there already (r.yml:11)."),
        ("epochs: 8", "epochs: [8", "r.yml:12: not YAML: "),
        # An inference model: its own keys, and none of the stages that it has not.
        ("model:", "model:\n  inference: m", "r.yml:7: unknown key model.backbone (2 more after it). Known"),
        ("{name: MobileNetV3}", "3", "r.yml:6: model.backbone: "),
        ("data:", "\tdata:", "r.yml:3: not YAML: "),
        ("data:", "? [a, b]\n: c\ndata:", "r.yml:3: not YAML: "),
        ("slim:", "slim: &a {prune: *a}\nslimm:", "unknown key"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence_with_its_place(tmp_path, old, new, told):
    assert told in sentence(tmp_path, old, new)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train.epoch=3", "--set train.epoch=3: unknown key train.epoch. Did you mean epochs?"),
        ("train.epochs=x", "--set train.epochs=x: train.epochs: Input should be a valid integer"),
        ("model.neck.hidden_size=3", "--set model.neck.hidden_size=3: unknown key model.neck.hidden_size."),
        ("x.y=1", "--set x.y=1: unknown key x."),
        ("train.epochs", "--set train.epochs: not of the form key=value. For example: --set train.epochs=2"),
        ("=3", "--set =3: not of the form key=value."),
        (".train=3", "--set .train=3: not of the form key=value."),
        ("train.=3", "--set train.=3: not of the form key=value."),
        ("train.epochs.x=3", "--set train.epochs.x=3: epochs holds a value, not keys."),
        ("train.epochs=[", "--set train.epochs=[: the value is not YAML."),
    ],
)
def test_a_mistake_in_an_override(tmp_path, override, told):
    assert told in sentence(tmp_path, overrides=[override])


def test_overrides_win_the_last_most(tmp_path):
    path = tmp_path / "r.yml"
    path.write_text(BASE)
    recipe = load_recipe(
        path,
        [
            "train.epochs=3",
            "train.epochs=4",
            "slim.quant.train.learning_rate=1e-6",
            "data.root=/a b=c",
            "data.eval=[x.txt]",
        ],
    )
    assert recipe.train.epochs == 4
    assert recipe.slim.quant.train.learning_rate == 1e-6
    assert recipe.slim.prune.finetune.epochs == 2
    assert recipe.data.root == Path("/a b=c")
    assert recipe.data.eval == [Path("x.txt")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a recipe: it holds no keys."),
        (b"- a\n", "not a recipe: it holds no keys."),
        (b"just words", "not a recipe: it holds no keys."),
        (b"name: \xff\xfe", "not UTF-8 text"),
        (b"name: \x00", "not YAML"),
        (b"--- a\n--- b\n", "not YAML"),
        (b"!!python/object/apply:os.system ['false']", "not YAML"),
    ],
)
def test_files_that_are_no_recipe(tmp_path, content, told):
    path = tmp_path / "r.yml"
    path.write_bytes(content)
    with pytest.raises(PpedgeError, match=r"^\S*r\.yml(:\d+)?: ") as error:
        load(path)
    assert told in str(error.value)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(PpedgeError, match=r"none\.yml: no such recipe\. `ppedge recipe list` names"):
        load(tmp_path / "none.yml")
    with pytest.raises(PpedgeError, match="a folder, not a recipe"):
        load(tmp_path)


def test_a_suite(tmp_path):
    path = tmp_path / "s.yml"
    path.write_text("name: both\nrecipes: [a.yml, sub/b.yml]\n")
    suite = load(path)
    assert isinstance(suite, Suite)
    assert suite.recipes == [tmp_path / "a.yml", tmp_path / "sub/b.yml"]
    with pytest.raises(PpedgeError, match=r"s\.yml: a suite of recipes; this command takes one"):
        load_recipe(path)
    path.write_text("name: both\nrecipes: [a.yml]\nrecipe: x\n")
    with pytest.raises(PpedgeError, match=r"s\.yml:3: unknown key recipe\. Did you mean recipes\?"):
        load(path)


def test_recipes_cannot_be_changed(tmp_path):
    path = tmp_path / "r.yml"
    path.write_text(BASE)
    with pytest.raises(ValueError, match="frozen"):
        load_recipe(path).seed = 3


def test_the_schema_describes_every_key():
    """Editors show these; `extra: forbid` makes them complete."""
    schema = Recipe.model_json_schema(by_alias=True)
    for name, section in schema["$defs"].items():
        assert section["additionalProperties"] is False, name
    assert "validate" in schema["properties"]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["name", "epochs", "train", "x"]), inner),
    max_leaves=5,
)


# On a busy machine drawing an example may take seconds.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*Recipe.model_fields, "validate", "recipes"]), values))
def test_whatever_stands_in_a_file_ends_in_a_recipe_or_a_sentence(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_text(yaml.safe_dump(value))
    try:
        load(path)
    except PpedgeError as error:
        assert "any.yml" in str(error)


IMPORTED = "name: theirs\ntask: det\ndata: {}\nmodel: {inference: models/det}\n"


def test_an_inference_model_has_no_stages_of_training(tmp_path):
    path = tmp_path / "r.yml"
    path.write_text(IMPORTED)
    recipe = load_recipe(path)
    assert recipe.stages == ("convert", "validate")
    save(recipe, tmp_path / "again.yml")  # with all sections
    assert load_recipe(tmp_path / "again.yml") == recipe
    for override, told in (
        ("slim.prune.method=none", "slim: a network that comes as an inference model has no such stage"),
        ("model.inferense=x", "unknown key model.inferense. Did you mean inference?"),
        ("model=3", "model: must hold a network's parts, or the key inference, not 3"),
    ):
        with pytest.raises(PpedgeError, match=told):
            load_recipe(path, [override])
    path.write_text(BASE)
    assert load_recipe(path).stages == ("train", "slim", "convert", "validate")
