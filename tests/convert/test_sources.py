"""Which networks of a run are converted, and what is refused before anything is written."""

import pytest
import yaml

from ppedge.convert.sources import imported_source, require_convertible, sources_of
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.recipe.io import load_recipe
from ppedge.runs import Run
from small import recipe_dict


@pytest.fixture
def run(tmp_path):
    """A run that was trained, of which nobody will read the weights."""
    made = Run(tmp_path / "run")
    with made.writing("train") as folder:
        (folder / "recipe.yml").write_text(yaml.safe_dump(recipe_dict("rec", tmp_path)))
        made.write_manifest(folder, "train", outputs=["recipe.yml"])
    return made


def slimmed(run, quant):
    with run.writing("slim", force=True) as folder:
        run.write_manifest(folder, "slim", outputs=[], parent="train", quant=quant)


@pytest.mark.parametrize("formats", [[], ["--format", "nb"], ["--format", "onnx"]])
def test_int8_alone_of_a_run_without_a_quantized_network_is_refused(run, ppedge_here, formats):
    ask = ["convert", run.path, "--precision", "int8", *formats]
    code, out, err = ppedge_here(*ask)
    assert (code, out) == (2, "") and err == (
        f"ppedge: {run.path}: has no quantized network, of which int8 files are made. "
        f"Run `ppedge slim {run.path} --quant pact` first, or ask for --precision fp32.\n"
    )
    assert not run.done("convert") and not run.partial("convert").exists()
    slimmed(run, "none")
    assert f"`ppedge slim {run.path} --quant pact --force`" in ppedge_here(*ask)[2]
    assert not run.done("convert")


def test_beside_other_precisions_int8_is_left_out_with_a_note(run):
    said = []
    recipe = load_recipe(run.recipe_path, ["convert.precisions=[fp32,int8]"])
    assert [one.precisions for one in sources_of(recipe, run, "train", said.append)] == [("fp32",)]
    assert said == ["int8 is left out: the run has no quantized network (`ppedge slim --quant pact`)"]


def test_int8_alone_is_made_of_a_quantized_network(run):
    slimmed(run, "pact")
    recipe = load_recipe(run.recipe_path, ["convert.precisions=[int8]"])
    assert ("int8",) in [one.precisions for one in sources_of(recipe, run, "slim", pytest.fail)]


@pytest.mark.parametrize("suite", [False, True])
def test_a_whole_run_that_would_make_no_network_in_8_bits_is_refused_before_it_trains(
    tmp_path, ppedge_here, monkeypatch, suite
):
    """A whole suite is refused for one of its recipes; with other settings there is what to convert."""
    recipe = tmp_path / "tiny.yml"
    recipe.write_text(yaml.safe_dump(recipe_dict("rec", tmp_path, convert={"precisions": ["int8"]})))
    whole = tmp_path / "suite.yml"
    whole.write_text(yaml.safe_dump({"name": "two", "recipes": ["tiny.yml", "tiny.yml"]}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ppedge.cli.run._side_by_side", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr("ppedge.stages.go_on", lambda *_, **__: pytest.fail("it began"))
    given = ("run", whole if suite else recipe, "--set", "slim.quant.method=none")
    code, out, err = ppedge_here(*given)
    assert (code, out) == (2, "") and err == (
        f"ppedge: {recipe}: convert.precisions has no float one, and with slim.quant.method none no network in 8 bits "
        "is made. Set slim.quant.method to pact or arm, or add fp32 to convert.precisions.\n"
    )
    for others in ([], ["slim.quant.method=none", "convert.precisions=[int8,fp16]"]):
        require_convertible(load_recipe(recipe, others), recipe)


def test_int8_alone_of_a_float_model_that_is_brought_in_is_refused(run, monkeypatch):
    monkeypatch.setattr("ppedge.convert.sources.require_runnable_nb", lambda model: None)
    monkeypatch.setattr("ppedge.convert.imported.is_quantized", lambda model: False)
    recipe = load_recipe(run.recipe_path, ["convert.precisions=[int8]"])
    with pytest.raises(PpedgeError, match="a float network, of which no int8 file can be made"):
        imported_source(recipe, InferenceModel.at(run.path / "model"), pytest.fail)
