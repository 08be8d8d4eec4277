"""The notebook of the documentation, run cell by cell with smaller parameters."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ppedge.runs import Run

NOTEBOOK = Path(__file__).parents[2] / "docs" / "pictures_to_nb.ipynb"
SMALLER = """
PICTURES, EPOCHS = 40, 1
CHANGES = [
    "train.max_steps=1", "train.workers=0", "train.flat_start=0", "slim.prune.samples=2",
    "slim.max_metric_drop=null",
    "slim.prune.finetune.max_steps=1", "slim.quant.samples=2", "slim.quant.train.max_steps=1", "validate.limit=2",
    "validate.gates.min_found=null", "convert.rewrite=none", "convert.precisions=[int8]",
]
"""


def cells():
    """Return the notebook's code, with smaller parameters behind those of its tagged cell."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "what it shows depends on the machine"
            code.append("".join(cell["source"]))
            if "parameters" in cell["metadata"].get("tags", ()):
                code.append(SMALLER)
    return code


@pytest.mark.slow
def test_it_goes_from_pictures_to_a_nb_file(tmp_path):
    pytest.importorskip("paddle", reason="training needs Paddle")
    pytest.importorskip("paddlelite", reason="its opt, which writes .nb files, is for Python 3.10 alone")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(cells())], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    run = Run(tmp_path / "runs" / "plates")
    assert "KiB  rec.int8.nb" in done.stdout
    assert (run.stage("convert") / "rec.int8.nb").is_file()
    assert "report.html" in done.stdout
    assert run.done("validate")
