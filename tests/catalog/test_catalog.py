"""The table of models that ships: whole, its figures those of the pages it names, and choosing by it."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from ppedge.catalog.table import CORES, METRIC, PATH, Budget, Figure, best, read_table
from ppedge.cost.predicted import about
from ppedge.errors import PpedgeError
from ppedge.storage import write_json
from ppedge.validate.latency import estimates

PROJECT = Path(__file__).resolve().parents[2]
TABLE = read_table()
DATA = {"det": {"receipts"}, "rec": {"plates", "lines"}}


def model(name, value, instructions=100_000_000, **changes):
    """A model that differs from a real one in what choosing looks at."""
    figure = None if value is None else Figure(value, 10, "a command")
    costs = dict.fromkeys(CORES, instructions)
    return dataclasses.replace(TABLE.models[0], name=name, metrics={"receipts": figure}, instructions=costs, **changes)


def test_it_has_both_tasks_and_every_release_and_no_name_twice():
    names = [one.name for one in TABLE.models]
    assert len(set(names)) == len(names)
    for task in METRIC:
        releases = {one.name.partition("-")[0] for one in TABLE.of(task) if one.form == "published"}
        assert releases == {"v1", "v2", "v3", "v4", "v5", "v6"}
    assert {one.form for one in TABLE.models} == {"published", "approximate", "fine-tuned", "slimmed"}


@pytest.mark.parametrize("one", TABLE.models, ids=lambda one: one.name)
def test_a_model_says_what_it_measures_and_how_to_get_it(one):
    assert one.metrics.keys() == DATA[one.task]
    assert one.commands and one.commands[-1].startswith("ppedge convert ")
    assert (one.weights is None) == one.source.startswith("docs/")
    if one.recipe is not None:
        assert any((PROJECT / folder / f"{one.recipe}.yml").is_file() for folder in ("recipes", "benchmarks/recipes"))
    assert one.instructions.keys() == set(CORES)
    assert one.instructions["cortex-a76"] < one.instructions["cortex-a53"]


def test_a_form_that_the_title_says_is_not_said_again():
    by_name = {model.name: model.told for model in TABLE.models}
    assert by_name["v3-det"] == "PP-OCRv3 detector, published, fp32"
    assert by_name["v1-det-slim-52m"] == "PP-OCR v1 (v2.0) detector, slimmed, int8"
    assert by_name["v3-det-tuned"] == "PP-OCRv3 detector, fine-tuned on receipts, fp32"
    assert not [told for told in by_name.values() for word in ("slimmed", "fine-tuned") if told.count(word) > 1]


@pytest.mark.parametrize("one", TABLE.models, ids=lambda one: one.name)
def test_figures_that_are_a_pages_stand_there(one):
    for found in filter(None, one.metrics.values()):
        if found.by.startswith("docs/"):
            text = (PROJECT / found.by).read_text(encoding="utf-8")
            places = (3, 4) if found.value * 1000 == round(found.value * 1000) else (4,)
            forms = [f"{found.value:.{digits}f}".removeprefix("0") for digits in places] + [f"{found.value:.2%}"[:-1]]
            assert any(re.search(rf"(?<!\d){re.escape(form)}(?!\d)", text) for form in forms), (one.name, forms)
    if one.cost_by.startswith("docs/"):
        text = (PROJECT / one.cost_by).read_text(encoding="utf-8")
        assert re.search(rf"(?<![\d,]){one.nb_bytes // 1000}(?!\d)", text), one.name
        assert one.counted


def test_predictions_are_those_of_the_cost_table_that_ships():
    assert about()["runtime"] == TABLE.runtime, "run benchmarks/models.py --write"


def test_milliseconds_are_the_estimate_of_instructions_and_bytes():
    one = TABLE.models[0]
    expected = {found.soc: found.milliseconds for found in estimates("cortex-a53", one.instructions["cortex-a53"],
                                                                     one.nb_bytes)}  # fmt: skip
    assert one.milliseconds("cortex-a53") == expected["Snapdragon 625"]


def test_the_best_measures_the_most_and_of_several_costs_the_least():
    found = [model("a", 0.9), model("b", 0.95), model("c", 0.95, 90_000_000), model("d", None, 1)]
    assert best(found, "receipts", CORES).name == "c"
    assert best(found, "plates", CORES) is None and best(found[3:], "receipts", CORES) is None


def test_a_budget_holds_on_every_core_and_includes_its_end():
    one = model("a", 0.9)
    assert Budget.parse("100M").holds(one, CORES) and not Budget.parse("99.9M").holds(one, CORES)
    slow, fast = one.milliseconds("cortex-a53"), one.milliseconds("cortex-a76")
    between = Budget((slow + fast) / 2, "ms")
    assert between.holds(one, ["cortex-a76"]) and not between.holds(one, CORES)
    assert Budget.parse("30 ms") == Budget(30, "ms") and str(Budget.parse("1.5ms")) == "1.5 ms"


@pytest.mark.parametrize("text", ["30", "ms", "30s", "-1ms", "0M", "1e9M", "9999999M", "30ms a53"])
def test_what_is_no_budget_is_refused(text):
    with pytest.raises(PpedgeError, match="neither milliseconds nor millions"):
        Budget.parse(text)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"nb_bytes": 0}, r"models\.0\.nb_bytes"),
        ({"metrics": {"receipts": {"value": 1.1, "samples": 1, "by": ""}}}, r"metrics\.receipts\.value"),
        ({"colour": "red"}, r"models\.0\.colour"),
        ({"instructions": {"cortex-x1": 5}}, "cortex-x1"),
    ],
)
def test_a_damaged_table_is_a_sentence(change, told, tmp_path):
    value = json.loads(PATH.read_text(encoding="utf-8"))
    value["models"][0] |= change
    write_json(tmp_path / "models.json", value)
    with pytest.raises(PpedgeError, match=told):
        read_table(tmp_path / "models.json")
