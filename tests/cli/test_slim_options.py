"""Options of ``ppedge slim`` that do not go with each other, or with the way of pruning."""

import pytest

from ppedge.recipe.io import save
from ppedge.runs import Run
from small import tiny_recipe


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--quant", "none", "--rounding", "learned"),
            "--rounding is for 8 bits, and slim.quant.method is none. Add --quant",
        ),
        (("--prune", "arm", "--target-flops", "0.6"), "--target-flops is for pruning by FPGM. Add --prune fpgm;"),
        (("--prune", "none", "--max-drop", "0.01"), "For 8 bits by arm write --set slim.quant.max_drop=0.01."),
        (("--prune", "arm", "--budget", "a53=0.5", "--max-drop", "0.01"), "budget, max_drop: set one of the two"),
        (("--prune", "arm", "--frontier", "--max-drop", "0.01"), "--frontier and --max-drop: the frontier shows"),
        (
            ("--prune", "fpgm", "--set", "slim.prune.mode=flat", "--target-flops", "0.5"),
            "--target-flops: slim.prune.mode flat takes the share slim.prune.ratio of all layers' channels.",
        ),
        (("--prune", "fpgm", "--set", "slim.prune.mode=flat", "--max-drop", "0.5"), "--max-drop: slim.prune.mode flat"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(ppedge, tmp_path, options, told):
    run = Run(tmp_path / "run")
    save(tiny_recipe("det", tmp_path / "data"), run.recipe_path)
    code, _, err = ppedge("slim", "run", *options)
    assert (code, told in err) == (2, True), err
    assert len(err.strip().splitlines()) == 1 and not (run.path / "slim").exists()
