"""The whole stage on a hand-made run: a detector of one convolution, with engines of our own or the real emulator."""

import json
import os
import signal

import numpy as np
import pytest

from fakes import COUNTS, Fake, FakeArm
from ppedge.cli.validate import report_lines
from ppedge.cost.inference import measure
from ppedge.data.source import model_spec
from ppedge.engines import open_engine
from ppedge.engines.arm_guest import ArmGuestEngine
from ppedge.errors import GateError, PpedgeError
from ppedge.progress import Reporter
from ppedge.recipe.io import save
from ppedge.runs import Run
from ppedge.storage import read_json
from ppedge.validate import measuring, stage
from small import make_data, tiny_recipe


def bright(x):
    """A map that is text where the picture is bright."""
    return (x.mean(axis=1, keepdims=True) > 1.0).astype(np.float32) * np.float32(0.9)


def onnx_model(path):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    weights = onnx.numpy_helper.from_array(np.full((1, 3, 1, 1), 2.0, np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Sigmoid", ["c"], ["y"])]
    x, y = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, "h", "w"])
        for name, channels in (("x", 3), ("y", 1))
    )
    graph = helper.make_graph(nodes, "tiny", [x], [y], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data("det", tmp_path_factory.mktemp("data"))


@pytest.fixture
def opened(tmp_path, data, monkeypatch):
    """A run with a finished convert stage, and a function that validates it."""
    recipe = tiny_recipe("det", data)
    run = Run(tmp_path / "run")
    with run.writing("convert") as folder:
        (folder / "baseline").mkdir()
        names = ["baseline/det.fp32.onnx", "det.fp32.onnx", "det.int8.onnx", "det.int8.nb"]
        for name in names:
            onnx_model(folder / name)
        run.write_manifest(folder, "convert", outputs=names, model=model_spec(recipe, None).to_dict())
    save(recipe, run.recipe_path)
    monkeypatch.setattr(measuring, "find_spec", lambda name: None)  # the reference is onnxruntime, as without Paddle

    def validate(**settings):
        changed = recipe.model_copy(update={"validate_": type(recipe.validate_).model_validate(settings)})
        return stage.run_validate(changed, run, force=True, reporter=Reporter(quiet=True))

    return run, validate


@pytest.fixture
def fakes(monkeypatch):
    """Replace all engines; by default PC and ARM agree."""
    functions = {"onnxruntime": lambda path: bright, "arm-onnxruntime": lambda path: bright}

    def open_fake(name, path, **options):
        if name in ("onnxruntime", "paddle"):
            return Fake(name, functions[name](path))
        return FakeArm(name, path, lambda path: functions[name](path))

    monkeypatch.setattr(measuring, "open_engine", open_fake)
    return functions


def test_the_report(opened, fakes):
    run, validate = opened
    report = validate(cpu=["cortex-a53", "cortex-a76"], limit=2)
    assert report == read_json(run.artifact("validate", stage.REPORT))
    assert report["schema"] == 2 and report["passed"]
    assert [(m["file"], m["cpu"], m["baseline"]) for m in report["models"]] == [
        (file, cpu, file.startswith("baseline"))
        for file in ("baseline/det.fp32.onnx", "det.fp32.onnx", "det.int8.onnx")
        for cpu in ("cortex-a53", "cortex-a76")
    ]
    baseline, model = report["models"][0], report["models"][2]
    assert "tensors" not in baseline
    assert baseline["instructions"] == COUNTS and baseline["ratios"] == {"total": 1.0, "load": 1.0, "dot": None}
    assert (model["load_instructions"], model["memory_bytes"], model["runtime"]) == (70_000, 5_000_000, "fake 1.0")
    assert model["samples"] == 2 and model["tensors"]["identical"] and model["different"] == []
    assert {(row["gate"], row["model"]) for row in report["gates"]} >= {("max_metric_drop", "det.int8.onnx")}
    assert not (run.stage("validate") / "differences").exists()


def test_onnxruntime_on_the_pc_is_compared_and_not_counted(opened, fakes, monkeypatch):
    run, validate = opened
    with run.writing("convert", force=True) as folder:
        (folder / "paddle").mkdir()
        paddle = [f"paddle/det.{p}.{ending}" for p in ("fp32", "int8") for ending in ("pdmodel", "pdiparams")]
        names = ["baseline/det.fp32.onnx", "det.fp32.onnx", "det.int8.onnx", *paddle]
        (folder / "baseline").mkdir()
        for name in names:
            (folder / name).write_bytes(b"any")
        run.write_manifest(folder, "convert", outputs=names, model=run.manifest("convert")["model"])
    monkeypatch.setattr(measuring, "find_spec", lambda name: True)
    fakes["paddle"] = lambda path: bright
    fakes["onnxruntime"] = lambda path: (lambda x: 0 * bright(x)) if "int8" in path.name else bright
    report = validate(cpu=["pc", "cortex-a53"], limit=2)
    assert [(m["file"], m["cpu"]) for m in report["models"]] == [
        ("baseline/det.fp32.onnx", "cortex-a53"),
        ("det.fp32.onnx", "pc"), ("det.fp32.onnx", "cortex-a53"),
        ("det.int8.onnx", "pc"), ("det.int8.onnx", "cortex-a53"),
    ]  # fmt: skip
    assert report["cpus"] == list(report["features"]) == ["cortex-a53"]
    by = {(m["file"], m["cpu"]): m for m in report["models"]}
    assert "instructions" not in by["det.int8.onnx", "pc"] and "instructions" in by["det.int8.onnx", "cortex-a53"]
    assert (by["det.int8.onnx", "pc"]["reference"], by["det.int8.onnx", "pc"]["candidate"]) == ("paddle", "onnxruntime")
    assert by["det.int8.onnx", "pc"]["different"] and not by["det.int8.onnx", "cortex-a53"]["different"]
    alone = validate(cpu=["pc"], limit=1)
    assert {m["cpu"] for m in alone["models"]} == {"pc"} and alone["cpus"] == []
    assert "M instructions" not in "\n".join(report_lines(alone)) and "on pc" in "\n".join(report_lines(alone))
    assert "Cost on ARM" not in run.artifact("validate", "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"cpu": ["pc"], "engine": "paddlelite"}, "pc runs ONNX files only"),
        ({"cpu": ["pc"], "gates": {"min_speedup": 1.5}}, r"min_speedup: nothing is counted on pc"),
    ],
)
def test_what_the_pc_cannot_tell(opened, fakes, settings, told):
    _, validate = opened
    with pytest.raises(PpedgeError, match=told):
        validate(limit=1, **settings)


def test_the_number_of_workers_is_not_in_the_report(opened, fakes):
    _, validate = opened
    assert validate(limit=2, workers=1) == validate(limit=2, workers=2)


def test_differences_are_drawn_and_in_the_manifest(opened, fakes):
    run, validate = opened
    fakes["arm-onnxruntime"] = lambda path: (lambda x: 0 * bright(x)) if "int8" in path.name else bright
    with pytest.raises(GateError, match=r"min_box_agreement 0 < 0\.9 \(det\.int8\.onnx on cortex-a53\)"):
        stage.require_passed(validate(limit=2, gates={"min_box_agreement": 0.9}), run.stage("validate"))
    models = {m["file"]: m for m in read_json(run.artifact("validate", stage.REPORT))["models"]}
    assert models["det.fp32.onnx"]["different"] == []
    different = models["det.int8.onnx"]["different"]
    assert different
    for one in different:
        assert one["reference"] > one["candidate"] == one["matched"] == 0
        assert one["picture"].startswith("images/") and one["where"].startswith("val.txt:")
        assert run.artifact("validate", one["drawing"]).read_bytes()[:3] == b"\xff\xd8\xff"


@pytest.fixture
def engines(fakes, monkeypatch):
    """All fakes that a validation opens, in their order."""
    found, open_fake = [], measuring.open_engine

    def open_and_note(*arguments, **options):
        found.append(open_fake(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(measuring, "open_engine", open_and_note)
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_a_guest_is_started_for_each_file_and_none_besides(opened, fakes, engines, workers):
    """It counts its file, compares it, and then helps with the next."""
    _, validate = opened
    fakes["arm-onnxruntime"] = lambda path: (lambda x: 0 * bright(x)) if "int8" in path.name else bright
    models = {model["file"]: model for model in validate(cpu=["cortex-a53"], limit=2, workers=workers)["models"]}
    assert models["det.int8.onnx"]["blame"] is not None
    guests = [engine for engine in engines if engine.name == "arm-onnxruntime"]
    opened_ones = sorted(["/".join(path.parts[-2:]) for path in guest.paths] for guest in guests)
    lent = {1: ([], []), 2: (["convert/det.fp32.onnx"], ["convert/det.int8.onnx"])}[workers]
    assert opened_ones == [
        ["baseline/det.fp32.onnx", *lent[0]], ["convert/det.fp32.onnx", *lent[1]], ["convert/det.int8.onnx"]
    ]  # fmt: skip
    assert len(engines) - len(guests) == 2  # the references
    assert all(guest.closed and guest.killed.is_set() for guest in guests)


def test_no_network_runs_again_for_what_it_has_given(opened, fakes, engines):
    """What is to blame is found from the outputs that the comparison has computed, of reference and candidate."""
    _, validate = opened
    fakes["arm-onnxruntime"] = lambda path: (lambda x: 0 * bright(x)) if "int8" in path.name else bright
    models = {model["file"]: model for model in validate(cpu=["cortex-a53"], limit=2, workers=2)["models"]}
    blame = models["det.int8.onnx"]["blame"]
    assert len(models["det.int8.onnx"]["different"]) == blame["samples"] == 2 and blame["disagreement"] == 1
    shapes = 5
    given = [x for engine in engines for name, x in getattr(engine, "shared", []) if name == "det.int8.onnx"]
    assert len(given) == 2 + shapes + 1  # the first shape once more
    assert [len(engine.inputs) for engine in engines if engine.name == "onnxruntime"] == [2 + shapes] * 2


def test_guests_of_one_core_end_before_those_of_the_next_start(opened, fakes, monkeypatch):
    _, validate = opened
    guests, open_fake = [], measuring.open_engine

    def watch(name, path, **options):
        engine = open_fake(name, path, **options)
        if name == "arm-onnxruntime":
            assert all(guest.closed or guest.cpu == options["cpu"] for guest in guests)
            engine.cpu = options["cpu"]
            guests.append(engine)
        return engine

    monkeypatch.setattr(measuring, "open_engine", watch)
    validate(cpu=["cortex-a53", "cortex-a76"], limit=2, workers=2)
    assert [guest.cpu for guest in guests] == ["cortex-a53"] * 3 + ["cortex-a76"] * 3


def test_half_precision_runs_where_core_and_runtime_can(opened, fakes, monkeypatch):
    run, validate = opened
    with run.writing("convert", force=True) as folder:
        (folder / "paddle").mkdir()
        names = ["det.fp32.nb", "det.fp16.nb", "paddle/det.fp32.pdmodel", "paddle/det.fp32.pdiparams"]
        for name in names:
            (folder / name).write_bytes(b"any")
        run.write_manifest(folder, "convert", outputs=names, model=run.manifest("convert")["model"])
    monkeypatch.setattr(measuring, "find_spec", lambda name: True)
    fakes["paddle"] = fakes["arm-paddlelite"] = lambda path: bright
    report = validate(engine="paddlelite", cpu=["cortex-a53", "cortex-a76"], limit=1, gates={"max_instructions": 10})
    assert [(m["file"], m["cpu"]) for m in report["models"]] == [
        ("det.fp32.nb", "cortex-a53"), ("det.fp32.nb", "cortex-a76"), ("det.fp16.nb", "cortex-a76")
    ]  # fmt: skip
    reason = "cortex-a53 has no half precision (asimdhp)"
    assert report["not_run"] == [{"file": "det.fp16.nb", "cpu": "cortex-a53", "reason": reason}]
    assert {row["model"] for row in report["gates"] if row["gate"] == "max_instructions"} == {"det.fp32.nb"}
    assert "asimddp" in report["features"]["cortex-a76"] and "asimddp" not in report["features"]["cortex-a53"]

    def without_kernels(path):
        if "fp16" in path.name:
            raise PpedgeError("kernel for 'calib' is not supported")
        return bright

    fakes["arm-paddlelite"] = without_kernels
    report = validate(engine="paddlelite", cpu=["cortex-a76"], limit=1)
    assert [row["reason"] for row in report["not_run"]] == ["kernel for 'calib' is not supported"]


def test_limits_of_cost_are_those_of_the_quantized_file(opened, fakes):
    run, validate = opened
    report = validate(limit=1, gates={"max_instructions": 10, "min_speedup": 2, "max_nb_bytes": 1})
    rows = {row["gate"]: row for row in report["gates"] if not row["passed"]}
    assert {(row["gate"], row["model"], row["value"]) for row in rows.values()} == {
        ("max_instructions", "det.int8.onnx", 1000.0),
        ("min_speedup", "det.int8.onnx", 1.0),
        ("max_nb_bytes", "det.int8.nb", float((run.stage("convert") / "det.int8.nb").stat().st_size)),
    }


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_network_that_gives_no_numbers(opened, fakes, broken):
    """An int8 file's largest difference is not asked, and yet this does not pass."""
    run, validate = opened
    fakes["arm-onnxruntime"] = lambda path: lambda x: bright(x) + np.float32(broken if "int8" in path.name else 0)
    report = validate(limit=2, gates={"max_metric_drop": None})
    assert [(row["gate"], row["model"]) for row in report["gates"] if not row["passed"]] == [
        ("broken_outputs", "det.int8.onnx")
    ]
    json.dumps(report, allow_nan=False)


def test_an_engine_that_fails_leaves_the_earlier_report(opened, fakes):
    run, validate = opened
    validate(limit=1)
    before = {path: path.read_bytes() for path in run.stage("validate").rglob("*") if path.is_file()}

    def dies(x):
        raise PpedgeError("running the network on cortex-a53: the guest died of SIGKILL: it said nothing")

    fakes["arm-onnxruntime"] = lambda path: dies if "int8" in path.name else bright
    with pytest.raises(PpedgeError, match="SIGKILL"):
        validate(limit=2)
    assert {path: path.read_bytes() for path in run.stage("validate").rglob("*") if path.is_file()} == before
    assert not run.partial("validate").exists()


@pytest.mark.slow
def test_a_guest_that_is_killed_in_the_middle(opened, fakes, monkeypatch):
    """The real emulator: one sentence that says what died, exit code 2, the earlier report whole, no process left."""
    run, validate = opened
    validate(limit=1)
    before = run.artifact("validate", stage.REPORT).read_bytes()
    guests, fake = [], measuring.open_engine

    def killed(name, path, **options):
        if name == "onnxruntime":
            return fake(name, path, **options)
        engine = open_engine(name, path, **options)
        guests.append(engine._guest._process)
        stop_counting = engine.stop_counting

        def run_and_die(inputs):
            os.kill(engine._guest._process.pid, signal.SIGKILL)
            return ArmGuestEngine.run(engine, inputs)

        def go_on():
            stop_counting()
            engine.run = run_and_die

        engine.stop_counting = go_on
        return engine

    monkeypatch.setattr(measuring, "open_engine", killed)
    with pytest.raises(PpedgeError, match=r"det\.fp32\.onnx: running the network.*died of SIGKILL") as error:
        validate(limit=2, workers=2)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    assert run.artifact("validate", stage.REPORT).read_bytes() == before
    assert not run.partial("validate").exists()
    assert len(guests) == 3 and all(guest.poll() is not None for guest in guests)


@pytest.mark.slow
def test_two_fresh_guests_cost_the_same(tmp_path):
    onnx_model(tmp_path / "tiny.onnx")
    first, again = (
        measure(lambda: open_engine("arm-onnxruntime", tmp_path / "tiny.onnx", count=True), (32, 320)) for _ in range(2)
    )
    assert first.instructions == again.instructions
    assert first.input_shape == (1, 3, 32, 320)
    assert first.load_instructions > first.instructions["total"] / 100
    assert again.load_instructions == pytest.approx(first.load_instructions, rel=0.01)
    assert again.memory_bytes == pytest.approx(first.memory_bytes, rel=0.1)
    assert 0 < first.memory_bytes < 100e6
