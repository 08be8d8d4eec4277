"""What an interrupted slimming left, damaged or of another version of ppedge."""

import json
from types import SimpleNamespace

import pytest

from ppedge.errors import PpedgeError
from ppedge.progress import Reporter
from ppedge.slim import interruption
from ppedge.slim.context import Findings
from ppedge.slim.plan import Plan

WHOLE = {"of": "f", "metrics": {"float": {"hmean": 0.5}, "flops_left": 0.8}, "outputs": ["a"], "chosen_by": {},
         "int8": None, "domain": None}  # fmt: skip


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(interruption, "_fingerprint", lambda recipe, run: "f")
    (tmp_path / interruption.CUT).mkdir()
    Plan("none", {}, {}).save(tmp_path / interruption.CUT / "plan.json")
    return SimpleNamespace(folder=tmp_path, recipe=None, run=None, found=Findings(), reporter=Reporter(quiet=True))


def test_whole_findings_are_taken(stage):
    (stage.folder / interruption.STATE).write_text(json.dumps(WHOLE))
    assert interruption.kept_plan(stage) == Plan("none", {}, {})
    assert stage.found == Findings(WHOLE["metrics"], ["a"])


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        3,
        {**WHOLE, "of": None},
        {**WHOLE, "of": "another"},
        {**WHOLE, "colour": "red"},
        {**WHOLE, "metrics": []},
        {**WHOLE, "metrics": {"float": "x"}},
        {**WHOLE, "outputs": 3},
        {**WHOLE, "outputs": [None]},
        {**WHOLE, "int8": 8},
        {**WHOLE, "domain": []},
    ],
)
def test_others_are_a_sentence(stage, value):
    path = stage.folder / interruption.STATE
    path.write_text(json.dumps(value))
    with pytest.raises(PpedgeError, match=rf"^{path}: .* (S|s)tart anew with --force\.$") as error:
        interruption.kept_plan(stage)
    assert error.value.exit_code == 2
    assert stage.found == Findings()
