"""``ppedge models``: the table, its filters, one model, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

from ppedge.catalog.table import read_table
from ppedge.cli.models import app
from ppedge.errors import GateError, PpedgeError
from ppedge.validate.latency import band

TABLE = read_table()


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False, env={"COLUMNS": "160"})


def rows(text):
    """Return the cells of the models' lines by name."""
    names = {model.name for model in TABLE.models}
    lines = (line.split() for line in text.splitlines())
    return {cells[0]: cells for cells in lines if cells and cells[0] in names}


def test_all_models_are_listed_with_their_figures():
    text = run().output
    found = rows(text)
    assert found.keys() == {model.name for model in TABLE.models}
    v4 = TABLE.find("v4-det")
    assert found["v4-det"][1:4] == [
        "320x320",
        f"{v4.nb_bytes / 1000:.0f}",
        f"{v4.instructions['cortex-a53'] / 1e6:.1f}",
    ]
    assert found["v4-det"][-1] == "0.9572"
    assert f"x{band()} either way" in text and "Snapdragon 625" in text


def test_counted_figures_are_marked_and_what_is_not_measured_is_a_dash():
    found = rows(run().output)
    assert found["v3-det-tuned-87m"][3] == "87.0*" and "*" not in found["v3-det"][3]
    assert found["v1-rec-en"][-2] == "—"


def test_task_and_core_leave_the_others_out():
    text = run("--task", "rec", "--core", "a76").output
    assert rows(text).keys() == {model.name for model in TABLE.of("rec")}
    assert "a53" not in text and "detectors" not in text
    assert len(rows(text)["v4-rec"]) == 7  # name, input, KB, M, ms, plates, lines


def test_a_budget_leaves_those_within_and_names_the_best():
    text = run("--task", "det", "--core", "a53", "--budget", "100M").output
    within = [one for one in TABLE.of("det") if one.instructions["cortex-a53"] <= 100e6]
    assert rows(text).keys() == {one.name for one in within}
    assert "best on receipts within 100 M instructions: v3-det-tuned-87m, 0.9440 (slimmed; learned from" in text


def test_a_budget_in_milliseconds_counts_on_each_core():
    slow = rows(run("--task", "det", "--budget", "60ms").output)
    fast = rows(run("--task", "det", "--core", "a76", "--budget", "60ms").output)
    assert slow.keys() < fast.keys()


def test_where_one_task_has_none_within_the_budget_it_is_said():
    least = min(TABLE.of("rec"), key=lambda one: one.instructions["cortex-a53"])
    done = run("--budget", f"{least.instructions['cortex-a53'] / 1e6 - 1:.1f}M")
    assert "recognisers, exact" not in done.output
    assert f"Of recognisers, {least.name} takes the least" in done.output + done.stderr


def test_a_budget_that_none_meets_fails_and_names_the_nearest():
    with pytest.raises(GateError) as caught:
        run("--task", "det", "--budget", "1M")
    assert "no model takes at most 1 M instructions" in caught.value.message
    assert "v1-det-slim-35m takes the least: 34.5 M" in caught.value.hint


def test_one_model_says_where_it_comes_from_and_how_it_was_measured():
    text = run("v4-rec").output
    model = TABLE.find("v4-rec")
    for said in (*model.commands, model.source, model.metrics["lines"].by, f"{model.nb_bytes:,} bytes", "Kirin 980"):
        assert said in text
    assert "exact on plates: not measured" in run("v1-rec-en").output


def test_json_has_what_the_table_has_and_milliseconds():
    value = json.loads(run("--task", "det", "--core", "a53", "--json").output)
    assert value["best"] == {"det": {"receipts": "v4-det"}, "rec": {}} and value["band"] == band()
    (one,) = (one for one in value["models"] if one["name"] == "v4-det")
    assert one["milliseconds"] == {"cortex-a53": {"Snapdragon 625": round(
        TABLE.find("v4-det").milliseconds("cortex-a53"), 2)}}  # fmt: skip
    assert one["metrics"]["receipts"]["value"] == 0.9572
    (alone,) = json.loads(run("v4-det", "--json").output)["models"]
    assert alone["milliseconds"].keys() == {"cortex-a53", "cortex-a76"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["v4-dett"], "no such model. Did you mean v4-det?"),
        (["v4-det", "--core", "a53"], "--core: chooses among models"),
        (["v4-det", "--budget", "1ms"], "--budget: chooses among models"),
        (["--budget", "30"], "neither milliseconds nor millions"),
    ],
)
def test_what_is_refused(arguments, told):
    with pytest.raises(PpedgeError) as caught:
        run(*arguments)
    assert told in str(caught.value)


def test_an_unknown_core_is_a_usage_error():
    assert run("--core", "a72").exit_code == 2
