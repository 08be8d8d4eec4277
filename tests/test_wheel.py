"""The wheel alone, installed with the extra `cpu` into an empty environment, takes a recipe from training to text.

The interpreter is this one, or what ``PPEDGE_TEST_PYTHON`` names.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from ppedge.errors import PpedgeError
from ppedge.process import run_child
from small import recipe_dict

PROJECT = Path(__file__).parents[1]
PYTHON = os.environ.get("PPEDGE_TEST_PYTHON", sys.executable)
NAMES = "from importlib import metadata\nfor one in metadata.distributions(): print(one.metadata['Name'].lower())"
SHORT = {"epochs": 1, "max_steps": 2, "batch_size": 4}
SLIM = {
    "prune": {"mode": "flat", "ratios": [0.5], "finetune": SHORT},
    "quant": {"samples": 4, "train": SHORT},
}


@pytest.fixture
def uv():
    found = shutil.which("uv") or shutil.which("uv", path=str(PROJECT / ".tools/uv/bin"))
    if found is None:
        pytest.skip("no uv on PATH or in .tools (`make setup` puts one there)")
    return found


@pytest.fixture
def installed(uv, wheel, tmp_path):
    """The bin folder of an environment in which nothing but the wheel was asked for."""
    run_child([uv, "venv", "--quiet", "--python", PYTHON, tmp_path / "env"], "making an environment")
    python = tmp_path / "env/bin/python"
    install = [uv, "pip", "install", "--python", python]
    try:
        run_child([*install, "--dry-run", "--refresh-package", "typer", "typer"], "asking for a package")
    except PpedgeError as error:
        pytest.skip(f"the package index is not reachable: {error}")
    run_child([*install, f"ppedge[cpu] @ {wheel.as_uri()}"], "installing the wheel")
    return python.parent


@pytest.mark.slow
def test_the_wheel_in_an_empty_environment(installed, tmp_path):
    python, work = installed / "python", tmp_path / "work"
    work.mkdir()
    alone = {"PYTHONPATH": "", "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": f"{installed}:{os.environ['PATH']}"}

    def ppedge(*arguments):
        return run_child([installed / "ppedge", *arguments], f"ppedge {arguments[0]}", env=alone, cwd=work)

    names = set(run_child([python, "-c", NAMES], "listing packages", env=alone).split())
    assert {"ppedge", "paddlepaddle", "opencv-python-headless"} <= names
    assert not names & {"paddleslim", "opencv-python", "requests"}
    assert run_child([python, "-c", "import ppedge; print(ppedge.__file__)"], "asking", env=alone).startswith(
        str(installed.parent)
    )
    opt = "paddlelite" in names  # it has no wheel for newer Pythons
    formats = ["nb", "onnx"] if opt else ["onnx"]
    recipe = recipe_dict(
        "rec",
        Path("data"),
        data={"synth": {"kind": "words", "train": 8, "eval": 2}},
        slim=SLIM,
        convert={"formats": formats, "rewrite": "none"},
    )
    (work / "tiny.yml").write_text(yaml.safe_dump(recipe))
    ppedge("train", "tiny.yml", "--set", "train.epochs=1")
    ppedge("slim")
    ppedge("convert")
    ppedge("eval", "runs/tiny_rec")
    [picture, *_] = sorted((work / "data/images").iterdir())
    for precision in ("fp32", "int8"):
        found = json.loads(ppedge("ocr", "--rec", "runs/tiny_rec", "--precision", precision, "--json", picture))
        assert [len(one["lines"]) for one in found] == [1]
    files = {path.name for path in (work / "runs/tiny_rec/convert").iterdir()}
    assert {"rec.fp32.onnx", "rec.int8.onnx"} <= files and ("rec.int8.nb" in files) is opt
    if not opt:
        with pytest.raises(PpedgeError, match="Run `ppedge doctor --fix`"):
            ppedge("convert", "--format", "nb", "--force")
