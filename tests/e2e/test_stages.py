"""The stages from Python: the example of their page, and what is wrong as an error."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ppedge import stages
from ppedge.errors import PpedgeError
from ppedge.recipe.io import load_recipe
from ppedge.runs import Run
from small import make_data, recipe_dict

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.slow
def test_the_pages_example_goes_the_whole_road(tmp_path):
    pytest.importorskip("paddle", reason="training needs Paddle")
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "stages" in code]
    recipe = recipe_dict("rec", make_data("rec", tmp_path), convert={"formats": ["onnx"]})
    (tmp_path / "recipe.yml").write_text(yaml.safe_dump(recipe))
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = Run(tmp_path / "runs" / "tiny_rec")
    assert all(run.done(stage) for stage in ("train", "slim", "convert", "validate"))
    assert run.manifest("slim")["prune"] == "fpgm" and load_recipe(run.recipe_path).train.epochs == 1
    assert done.stdout.startswith("runs/tiny_rec/report.html {") and (run.path / "report.html").is_file()


@pytest.mark.parametrize("call", [stages.slim, stages.convert, stages.validate, stages.report])
def test_a_folder_that_is_no_run_is_a_sentence(tmp_path, call):
    with pytest.raises(PpedgeError, match="not a run"):
        call(tmp_path)


def test_a_stage_out_of_order_is_a_sentence(tmp_path):
    (tmp_path / "recipe.yml").write_text(yaml.safe_dump(recipe_dict("rec", tmp_path)))
    with pytest.raises(PpedgeError, match="Run `ppedge train"):
        stages.convert(str(tmp_path))
    with pytest.raises(PpedgeError, match="no such key|unknown|not a key"):
        stages.train(tmp_path / "recipe.yml", changes=["train.epoch=1"])
