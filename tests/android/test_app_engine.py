"""The app's whole engine without a phone: its jobs, its files, its reports, and its start after a native death."""

import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from desk import Desk, reseal

from ppedge.bundle.manifest import read_manifest
from ppedge.recipe.io import make_recipe
from ppedge.runs import Run
from ppedge.storage import sha256
from ppedge.validate import adb, adb_app

VALIDATE = Path(__file__).parents[1] / "validate"
STAGES = ["det_preprocess", "det_network", "det_postprocess", "crop", "cls", "rec_preprocess", "rec_network",
          "rec_postprocess"]  # fmt: skip

pytestmark = pytest.mark.slow


@pytest.fixture
def phone(java, compiled, tmp_path):
    """A phone with the app and the sample bundle; `start` starts the app, on the same storage each time."""
    assets = tmp_path / "assets"
    shutil.copytree(java.bundle, assets / "bundle")

    def start(classpath=compiled.recorded):
        return Desk(java.jvm, classpath, assets, tmp_path / "storage")

    return SimpleNamespace(start=start, assets=assets, files=tmp_path / "storage/files", bundle=java.bundle)


def test_the_self_test_through_the_apps_own_engine(phone):
    with phone.start() as app:
        assert app.run("self_test", run="first", threads=2, power_mode="low") == {
            "state": "DONE", "problem": None, "detail": None
        }  # fmt: skip
        report = app.report("self_test-first")
        parts = re.findall(r"^ppedge-result first (\d+)/(\d+) (.*)$", app.log(), re.MULTILINE)
        about = app.ask("about")
    assert json.loads("".join(part for _, _, part in parts)) == report
    assert [int(number) for number, _, _ in parts] == list(range(1, int(parts[0][1]) + 1))
    assert report["passed"] and report["status"] == "ok" and report["previous_abort"] is None
    assert report["settings"] == {"threads": 2, "power_mode": "low"}
    assert report["device"]["app"] == "0.1.0" and report["device"]["abi"] == "arm64-v8a"
    golden = read_manifest(phone.bundle)["golden"]
    assert [(c["golden"], c["stage"]) for c in report["checks"]] == [(g["name"], s) for g in golden for s in STAGES]
    assert about["runtime"] == "v2.13-rc" and about["bundle"] == "sample"


FAULTS = {
    "channels": {"det_preprocess", "crop"},
    "mean and std": {"det_preprocess"},
    "charset": {"rec_postprocess"},
    "unclip": {"det_postprocess"},
}


def plant(fault, bundle):
    """Make a bundle one that was built with a fault, and seal it."""
    value = read_manifest(bundle)
    det = value["models"]["det"]
    if fault == "channels":
        for case in value["golden"]:
            picture = bundle / "golden" / case["name"] / "picture.png"
            cv2.imwrite(str(picture), cv2.imread(str(picture))[:, :, ::-1])
    elif fault == "mean and std":
        det["preprocess"]["mean"], det["preprocess"]["std"] = det["preprocess"]["std"], det["preprocess"]["mean"]
    elif fault == "charset":
        first, *rest = (bundle / "charset.txt").read_bytes().splitlines(keepends=True)
        (bundle / "charset.txt").write_bytes(b"".join([*rest, first]))
    else:
        det["postprocess"]["unclip_ratio"] = 1.6
    reseal(bundle, value)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_blamed_on_its_stage(phone, fault):
    plant(fault, phone.assets / "bundle")
    with phone.start() as app:
        assert app.run("self_test", run="x")["state"] == "DONE"
        report = app.report("self_test-x")
    assert not report["passed"]
    assert {check["stage"] for check in report["checks"] if not check["passed"]} == FAULTS[fault]


def test_a_bundle_without_golden_pictures_opens_and_has_no_self_test(phone):
    bundle = phone.assets / "bundle"
    shutil.rmtree(bundle / "golden")
    reseal(bundle, {**read_manifest(bundle), "golden": []})
    with phone.start() as app:
        assert app.ask("about")["state"] == "DONE"
        assert [app.run(kind, run="x")["problem"] for kind in ("self_test", "benchmark")] == ["no_golden"] * 2


def test_a_document_is_taken_in_and_read(phone, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    case = json.loads((phone.bundle / "golden/02/golden.json").read_text())
    with phone.start() as app:
        answer = app.ask("read", picture=str(phone.bundle / "golden/02/picture.png"))
        assert app.ask("read", picture=str(tmp_path / "no.png"))["problem"] == "bad_picture"
        assert app.ask("read", picture=str(tmp_path / "gone.png"))["problem"] == "bad_picture"
        assert not (phone.files / "picture").exists()  # or another try would read the one before
    assert answer["state"] == "DONE" and len(case["lines"]) == len(answer["lines"]) > 3
    for line, wanted in zip(answer["lines"], case["lines"], strict=True):
        assert (line["text"], line["turned"]) == (wanted["text"], wanted["turned"])
        assert line["score"] == pytest.approx(wanted["score"], abs=1e-6)
        assert line["quad"] == pytest.approx([value for corner in wanted["quad"] for value in corner], abs=0.01)


def test_what_is_wrong_with_the_bundle_is_told_and_mended(phone, compiled):
    with phone.start(compiled.alone) as app:
        answer = app.ask("about")
        assert answer["problem"] == "no_library" and "ppedge_lite_jni" in answer["detail"]
    with phone.start() as app:
        (copy,) = phone.files.glob("bundle-*")
        (copy / "rec.nb").write_bytes(b"broken")
        answer = app.ask("about")
        assert answer["problem"] == "bad_bundle" and "rec.nb" in answer["detail"]
        assert app.ask("about")["state"] == "DONE"  # the copy was made anew
        assert sha256(copy / "rec.nb") == sha256(phone.bundle / "rec.nb")
    (phone.assets / "bundle/charset.txt").unlink()
    shutil.rmtree(copy)
    with phone.start() as app:
        answer = app.ask("about")
        assert answer["problem"] == "bad_bundle" and "charset.txt is not in the app" in answer["detail"]
        assert not list(phone.files.glob("bundle-*"))  # no half copy is left
        shutil.rmtree(phone.assets / "bundle")
        assert app.ask("about")["problem"] == "no_bundle"


def test_a_death_in_native_code_is_told_at_the_next_start(phone):
    picture = str(phone.bundle / "golden/01/picture.png")
    with phone.start() as app:
        assert app.ask("about")["state"] == "DONE"
        (phone.files / "die").touch()
        assert app.ask("read", picture=picture) is None
    (phone.files / "die").unlink()
    with phone.start() as app:
        for _ in range(2):  # until it was seen
            answer = app.ask("read", picture=picture)
            assert answer["problem"] == "native_abort"
            assert answer["detail"].startswith("running det.nb on [1, 3, ")
        assert app.run("self_test", run="screen", headless=False)["problem"] == "native_abort"
        assert app.report("self_test-screen")["problem"]["kind"] == "native_abort"
        app.ask("acknowledge")
        assert app.ask("read", picture=picture)["state"] == "DONE"
    with phone.start() as app:
        assert app.ask("read", picture=picture)["state"] == "DONE"
        assert app.ask("about")["state"] == "DONE"


def test_without_a_hand_on_the_screen_an_abort_is_reported_and_over(phone):
    with phone.start() as app:
        app.ask("about")
        (phone.files / "die").touch()
        assert app.run("self_test", run="dies") is None
    (phone.files / "die").unlink()
    with phone.start() as app:
        assert app.run("self_test", run="next")["state"] == "DONE"
        assert app.report("self_test-next")["previous_abort"].startswith("running det.nb on ")
        assert not (phone.files.parent / "external/self_test-dies.json").exists()


def test_a_run_whose_screen_is_left_stops_and_says_so(phone):
    with phone.start() as app:
        answer = app.ask("benchmark", extras={"run": "left", "runs": 1000}, leave=True)
        assert (answer["state"], answer["problem"]) == ("FAILED", "left")
        assert app.ask("about")["state"] == "DONE"


def test_a_report_that_cannot_be_saved_is_in_the_log_alone(phone):
    taken = phone.files.parent / "external/self_test-x.json"
    (taken / "by a folder").mkdir(parents=True)
    with phone.start() as app:
        assert app.run("self_test", run="x")["state"] == "DONE"
        parts = re.findall(r"^ppedge-result x \d+/\d+ (.*)$", app.log(), re.MULTILINE)
    assert json.loads("".join(parts))["passed"]
    assert taken.is_dir()


def test_what_cannot_be_done_leaves_a_report_too(phone):
    with phone.start() as app:
        answer = app.run("benchmark", run="one", golden="77")
        assert (answer["state"], answer["problem"]) == ("FAILED", "bad_request")
        assert app.report("benchmark-one")["problem"] == {"kind": "bad_request", "detail": "golden = 77"}
        assert app.run("benchmark", run="two", runs=0)["problem"] == "bad_request"
        assert "possible: 1 to 1000" in app.report("benchmark-two")["problem"]["detail"]
        assert app.run("benchmark", run="../three")["problem"] == "bad_request"
        assert app.report("benchmark-refused")["status"] == "failed"


AM = """\
import json, shutil, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from types import SimpleNamespace
from desk import Desk
words = sys.argv[1:]
extras = {{words[i + 1]: words[i + 2] for i, word in enumerate(words) if word in ("--es", "--ei")}}
app = Desk(SimpleNamespace(java={java!r}), {classpath!r}, Path({assets!r}), Path({storage!r}))
with app:
    app.run("benchmark", **extras)
folder = Path({phone!r}) / "Android/data/dev.ppedge.demo/files"
folder.mkdir(parents=True)
shutil.copyfile(Path({storage!r}) / "external" / f"benchmark-{{extras['run']}}.json",
                folder / f"benchmark-{{extras['run']}}.json")
print("Status: ok")
"""


def test_validate_reads_the_report_that_the_app_writes(java, compiled, phone, tmp_path, monkeypatch):
    """adb and ``am`` are stand-ins; the report between them is the app's own, to the letter."""
    tools = tmp_path / "bin"
    (tools / "programs").mkdir(parents=True)
    (tools / "storage").mkdir()
    shutil.copyfile(VALIDATE / "adb_stand_in.py", tools / "adb_stand_in.py")
    (tools / "phone.json").write_text(json.dumps({"phones": {"ABC": "device"}}))
    (tools / "am.py").write_text(AM.format(
        paths=[path for path in sys.path if path], java=str(java.jvm.java), classpath=compiled.recorded,
        assets=str(phone.assets), storage=str(phone.files.parent), phone=str(tools / "storage")))  # fmt: skip
    python = sys.executable
    for path, text in {
        "adb": f'exec {python} -IS {tools}/adb_stand_in.py "$@"',
        "programs/am": f'exec {python} {tools}/am.py "$@"',
        "programs/pm": "echo package:/data/app/base.apk",
        "programs/pidof": "echo 1234",
        "programs/logcat": "true",
    }.items():
        (tools / path).write_text(f"#!/bin/sh\n{text}\n")
        (tools / path).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(adb_app, "REPEATS", 2)
    monkeypatch.setattr(adb_app, "WARMUP", 1)
    run = Run(tmp_path / "run")
    with run.writing("convert") as folder:
        shutil.copyfile(phone.bundle / "det.nb", folder / "det.fp32.nb")
        run.write_manifest(folder, "convert", outputs=["det.fp32.nb"])
    recipe = make_recipe({"name": "r", "task": "det", "data": {}, "model": {"inference": "m"}}, Path("recipe"))
    found = adb.connect("adb", None).measure(recipe, run)
    case = json.loads((phone.bundle / "golden/01/golden.json").read_text())
    assert found["stages"].keys() == {*STAGES, "total"}
    assert all(times["p50"] <= times["max"] for times in found["stages"].values())
    assert found["stages"]["total"]["min"] > 0
    assert (found["golden"], found["lines"]) == ("01", len(case["lines"]))
    assert found["input_shape"] == [1, 3, case["height"], case["width"]]
    assert (found["warmup"], found["repeats"], found["threads"], found["power_mode"]) == (1, 2, 1, "high")
    assert (found["model"], found["abi"], found["app"], found["thermal_after"]) == ("QEMU ", "arm64-v8a", "0.1.0", None)
    assert found["models"][0]["file"] == "det.fp32.nb" and found["models"][0]["runtime"] == "Paddle Lite v2.13-rc"
