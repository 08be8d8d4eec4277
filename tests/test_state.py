"""State files that are well-formed JSON and something else than ppedge wrote: one sentence each, exit code 2."""

import json

import pytest

from ppedge.errors import SHOWN, PpedgeError
from ppedge.runs import MANIFEST, Run
from ppedge.storage import read_json
from ppedge.validate.report import read_report

SUM = "0" * 64
FILE = {"path": "a.bin", "bytes": 1, "sha256": SUM}
METRICS = {
    "train": {"hmean": 0.5, "parameters": 7},
    "slim": {"float": {"hmean": 0.5}, "flops_left": 0.8},
    "convert": {"files": {"det.fp32.nb": {"bytes": 1}}},
    "validate": {"passed": True},
}


@pytest.fixture
def manifest(tmp_path):
    """Write a stage's manifest with a change, and return the run."""

    def write(stage, **change):
        value = {"schema": 1, "stage": stage, "outputs": [FILE], "inputs": [FILE], "parent": None, "versions": {}}
        run = Run(tmp_path / "run")
        run.stage(stage).mkdir(parents=True, exist_ok=True)
        (run.stage(stage) / MANIFEST).write_text(json.dumps({**value, "metrics": METRICS[stage], **change}))
        (run.path / "recipe.yml").write_text("{}")
        return run

    return write


def test_what_is_written_reads(manifest):
    for stage, metrics in METRICS.items():
        assert manifest(stage).manifest(stage)["metrics"] == metrics
        assert manifest(stage, added_later=[1]).manifest(stage)["added_later"] == [1]


@pytest.mark.parametrize("stage", METRICS)
@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"parent": 1}, "parent"),
        ({"parent": {}}, "parent.stage"),
        ({"parent": {"stage": "../..", "sha256": SUM}}, "parent.stage"),
        ({"parent": {"stage": "train", "sha256": 3}}, "parent.sha256"),
        ({"outputs": {}}, "outputs"),
        ({"outputs": [{**FILE, "path": None}]}, "outputs.0.path"),
        ({"outputs": [{**FILE, "sha256": []}]}, "outputs.0.sha256"),
        ({"outputs": [{**FILE, "bytes": -1}]}, "outputs.0.bytes"),
        ({"outputs": [{**FILE, "bytes": "x" * 1000}]}, "outputs.0.bytes"),
        ({"inputs": [3]}, "inputs.0"),
        ({"metrics": 3}, "metrics"),
        ({"metrics": None}, "metrics"),
        ({"versions": [1]}, "versions"),
        ({"schema": 2}, "schema"),
        ({"schema": "1\x1b[31m"}, "schema"),
    ],
)
def test_a_manifest_of_other_types(manifest, stage, change, key):
    run = manifest(stage, **change)
    with pytest.raises(PpedgeError) as error:
        run.manifest(stage)
    assert error.value.exit_code == 2
    path = run.stage(stage) / MANIFEST
    assert error.value.message.startswith(f"{path}: not a manifest ({key}: ")
    assert f"`ppedge {stage}` with --force" in error.value.hint
    assert len(str(error.value)) < len(str(path)) + 4 * SHOWN and str(error.value).isprintable()


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("train", {"metrics": {"hmean": "high"}}),
        ("train", {"chosen_by": {"hmean": {}}}),
        ("train", {"measured_on": "moon"}),
        ("slim", {"metrics": {"float": [0.5]}}),
        ("slim", {"settings": {"quant": 1}}),
        ("slim", {"settings": {"quant": {"exclude": "all"}}}),
        ("slim", {"quant": 8}),
        ("convert", {"metrics": {"files": []}}),
        ("convert", {"metrics": {"files": {"det.fp32.nb": 1}}}),
        ("convert", {"metrics": {"files": {"det.fp32.nb": {"bytes": "1 kB"}}}}),
        ("validate", {"metrics": {"passed": "perhaps"}}),
    ],
)
def test_what_each_stage_keeps_has_its_type(manifest, stage, change):
    with pytest.raises(PpedgeError, match="not a manifest"):
        manifest(stage, **change).manifest(stage)


def test_a_key_that_is_missing_is_a_sentence(manifest):
    run = manifest("slim")
    with pytest.raises(PpedgeError, match=r"slim/manifest\.json: the key quant is missing\. Run `ppedge slim`"):
        run.manifest("slim")["quant"]


@pytest.mark.parametrize(
    ("arguments", "stage", "change"),
    [
        (("cost",), "convert", {"outputs": [{**FILE, "path": None}]}),
        (("cost",), "convert", {"parent": 1}),
        (("validate",), "convert", {"parent": []}),
        (("bundle",), "convert", {"model": {"task": "det", "det_preprocess": {"limit_side": "x"}}}),
    ],
)
def test_commands_say_it(ppedge_here, manifest, monkeypatch, tmp_path, arguments, stage, change):
    monkeypatch.chdir(tmp_path)
    run = manifest(stage, **change)
    recipe = "name: x\ntask: det\ndata: {train: [a.txt]}\nmodel:\n  backbone: {name: MobileNetV3}\n"
    run.recipe_path.write_text(f"{recipe}  neck: {{name: DBFPN}}\n  head: {{name: DBHead}}\n")
    names = [run.path, run.path, "--out", "b"] if arguments == ("bundle",) else [run.path]
    code, out, err = ppedge_here(*arguments, *names)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert "convert/manifest.json: " in err and "ppedge convert" in err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": NaN}', "the number 'NaN' is not finite"),
        ('{"a": [-Infinity]}', "is not finite"),
        ('{"a": 1e999}', "the number '1e999' is not finite"),
        (f'{{"a": 1{"0" * 10_000}.5}}', "the number '1000"),
        (f'{{"a": 1{"0" * 10_000}}}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a": "\\ud800', "not JSON"),
        ('{"a": ["\\ud800"]}', "not JSON"),
        ('{"\\udc00": 1}', "not JSON"),
        ("\x1b]0;x\x07", "not JSON"),
    ],
)
def test_json_that_is_none(tmp_path, text, told):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(PpedgeError) as error:
        read_json(path)
    assert told in error.value.message and error.value.exit_code == 2
    assert len(error.value.message) < len(str(path)) + 2 * SHOWN


@pytest.mark.parametrize(
    "change",
    [{"cpus": None}, {"models": []}, {"models": [{"file": 1}]}, {"gates": [{"passed": 1}]}, {"gates": None}],
)
def test_a_report_of_another_form(tmp_path, change):
    model = {"file": "det.fp32.nb", "precision": "fp32", "cpu": "cortex-a53"}
    run = Run(tmp_path / "run")
    with run.writing("validate") as folder:
        (folder / "report.json").write_text(json.dumps({"cpus": ["x"], "models": [model], "gates": [], **change}))
        run.write_manifest(folder, "validate", outputs=["report.json"])
    with pytest.raises(PpedgeError, match=r"report\.json: not a report \((cpus|models|gates)"):
        read_report(run)
