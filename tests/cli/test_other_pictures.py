"""Pictures unlike those that a run is slimmed with: said by ``slim`` and ``eval``, and kept."""

import json

import pytest
import yaml

from ppedge.data.synth import generate
from ppedge.runs import Run
from ppedge.storage import read_json
from small import recipe_dict

SAID = "warning: training and evaluation pictures come from different distributions"
SLIM = ("--prune", "arm", "--quant", "none", "--set=slim.prune.arm.samples=4", "--set=slim.prune.arm.tolerance=0",
        "--set=slim.prune.arm.distill.epochs=0", "--json")  # fmt: skip


@pytest.mark.slow
def test_other_pictures_are_told_by_slim_and_by_eval(ppedge, tmp_path):
    generate("words", tmp_path / "words", 24, 12, 1)
    generate("plates", tmp_path / "plates", 0, 12, 1)
    elsewhere = ("--set=data.root=.", "--set=data.eval=[plates/val.txt]")
    labels = (tmp_path / "plates" / "val.txt").read_text()
    (tmp_path / "plates" / "val.txt").write_text(labels.replace("images/", "plates/images/"))
    recipe = tmp_path / "recipe.yml"
    recipe.write_text(yaml.safe_dump(recipe_dict("rec", tmp_path / "words", train={"epochs": 1, "max_steps": 1})))
    assert ppedge("train", recipe, "--out", "run")[0] == 0

    code, _, err = ppedge("slim", "run", *SLIM)
    assert (code, SAID in err) == (0, False), err
    run = Run(tmp_path / "run")
    found = run.manifest("slim")["domain"]
    assert found == read_json(run.artifact("slim", "reduction.json"))["domain"]
    assert (found["calibration"], found["evaluation"], found["different"]) == (24, 12, False)

    def evaluated(*options):
        code, out, err = ppedge("eval", "run", "--json", *options)
        assert code == 0, err
        return json.loads(out)["domain"], SAID in err

    told, warned = evaluated(*elsewhere)
    assert warned
    assert told["different"]
    assert told["distance"] > told["chance"] > 0

    words = (tmp_path / "words" / "train.txt").read_text()
    (tmp_path / "train.txt").write_text(words.replace("images/", "words/images/"))
    code, _, err = ppedge("slim", "run", *SLIM, *elsewhere, "--set=data.train=[train.txt]", "--force")
    assert (code, err.count(SAID)) == (0, 1), err
    assert run.manifest("slim")["domain"]["different"]
