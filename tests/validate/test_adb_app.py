"""The demo app's benchmark by adb, against a stand-in for adb: what is asked, what comes back, what goes wrong."""

import json
from types import SimpleNamespace

import pytest
from test_adb import ONE, Desk

from ppedge.cli.validate import report_lines
from ppedge.errors import MissingError, PpedgeError
from ppedge.validate import adb, adb_app

STAGES = ("det_preprocess", "det_network", "det_postprocess", "crop", "cls", "rec_preprocess", "rec_network", "total")
AM = """
for word; do case "$previous" in run) id=$word;; esac; previous=$word; done
mkdir -p $STORAGE/Android/data/dev.ppedge.demo/files
sed "s/IDENTITY/$id/" $(dirname $0)/report.json > $STORAGE/half
"""
TO_FILE = "mv $STORAGE/half $STORAGE/Android/data/dev.ppedge.demo/files/benchmark-$id.json\necho Status: ok\n"
TO_LOG = """
python3 -c "import sys; t = open(sys.argv[1]).read().strip(); n = (len(t) + 99) // 100
for k in range(n): print('ppedge-result', sys.argv[2], f'{k + 1}/{n}', t[100 * k : 100 * k + 100])" \
$STORAGE/half $id > $STORAGE/log
rm $STORAGE/half
"""


def app_report(desk, **changed):
    entry = next(e for e in desk.run.manifest("convert")["outputs"] if e["path"] == "det.fp32.nb")
    times = {"p50": 2.5, "p90": 3.0, "min": 2.0, "max": 4.0, "mean": 2.6}
    report = {
        "schema": 1, "kind": "benchmark", "id": "IDENTITY", "status": "ok", "problem": None,
        "device": {"app": "0.1.0", "model": "Test Phone", "soc": "SM8150", "abi": "arm64-v8a", "android": "13"},
        "settings": {"threads": 1, "power_mode": "high", "warmup": 5, "runs": 30},
        "runtime": "v2.13-rc", "bundle": "b",
        "models": {"det": {"file": "det.nb", "sha256": entry["sha256"]}, "rec": {"file": "rec.nb", "sha256": "0" * 64}},
        "golden": "01", "height": 480, "width": 640, "lines": 7, "thermal_before": "none", "thermal_after": "light",
        "ms": dict.fromkeys(STAGES, times),
    }  # fmt: skip
    return report | changed


@pytest.fixture
def desk(tmp_path, monkeypatch):
    desk = Desk(tmp_path)
    monkeypatch.setenv("PATH", f"{desk.bin}:/usr/bin:/bin")
    monkeypatch.setattr(adb_app, "POLL", 0.0)
    (desk.bin / "programs").mkdir()
    desk.program = lambda name, text: write_program(desk.bin / "programs" / name, text)
    desk.app = lambda report: (desk.bin / "programs/report.json").write_text(json.dumps(report))
    desk.measure = lambda: adb.connect("adb", None).measure(desk.recipe, desk.run)
    desk.program("pm", "echo package:/data/app/base.apk\n")
    desk.program("am", AM + TO_FILE)
    desk.program("pidof", "echo 1234\n")
    desk.program("logcat", "cat $STORAGE/log 2>/dev/null\n")
    desk.app(app_report(desk))
    return desk


def write_program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


@pytest.mark.parametrize("program", [AM + TO_FILE, AM + TO_LOG])
def test_what_the_app_measures_comes_by_file_or_by_log(desk, program):
    desk.program("am", program)
    found = desk.measure()
    assert (found["model"], found["soc"], found["android"], found["threads"]) == ("Test Phone", "SM8150", "13", 1)
    assert (found["warmup"], found["repeats"], found["lines"]) == (5, 30, 7)
    assert found["stages"]["rec_network"] == {"p50": 2.5, "p90": 3.0, "min": 2.0, "max": 4.0, "mean": 2.6}
    (model,) = found["models"]
    assert (model["file"], model["runtime"]) == ("det.fp32.nb", "Paddle Lite v2.13-rc")
    assert model["ms"] == {"p50": 2.5, "p90": 3.0, "min": 2.0, "max": 4.0, "avg": 2.6}
    assert "am start -W -n dev.ppedge.demo/.BenchmarkActivity --es run pc-" in desk.log
    assert "--ei warmup 5 --ei runs 30 --ei threads 1 --es power_mode high" in desk.log
    assert not list(desk.bin.glob("storage/Android/data/*/files/*"))  # nothing stays on the phone
    lines = report_lines({"features": {}, "models": [], "not_run": [], "gates": [], "device": found})
    assert (
        lines[-len(STAGES) - 1]
        == "  Paddle Lite v2.13-rc, picture of 1x3x480x640 with 7 lines, thermal state none to light"
    )
    assert lines[-1] == "  total: 2.50 ms (p90 3.00)"


def test_no_app_on_the_phone(desk):
    desk.program("pm", "exit 1\n")
    with pytest.raises(MissingError, match=r"dev\.ppedge\.demo is not on the phone ABC.*make apk.*--benchmark-bin"):
        desk.measure()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "failed", "problem": {"kind": "no_bundle", "detail": "m"}}, "phone ABC failed: no_bundle: m"),
        ({"status": "failed", "problem": {"kind": "left", "detail": ""}}, "screen was left.*Unlock the phone"),
        ({"schema": 2}, "none of schema 1"),
        ({"id": "another"}, "none of schema 1"),
        ({"ms": {"total": {"p50": 1}}}, "cannot be understood"),
        ({"ms": {}}, "lacks 'det_network'"),
        ({"models": {}}, "lacks 'det'"),
        ({"models": {"det": {"file": "det.nb", "sha256": "f" * 64}}}, "det.nb .sha256 ffffffffffff.*no file of"),
    ],
)
def test_reports_that_do_not_count(desk, change, says):
    desk.app(app_report(desk, **change))
    with pytest.raises(PpedgeError, match=says) as error:
        desk.measure()
    assert "\n" not in str(error.value)
    assert not list(desk.bin.glob("storage/Android/data/*/files/*"))


def test_a_report_that_is_not_json(desk):
    (desk.bin / "programs/report.json").write_text("<html>")
    with pytest.raises(PpedgeError, match="cannot be understood"):
        desk.measure()


def test_an_app_that_dies(desk):
    desk.program("am", "echo Status: ok\n")
    desk.program("pidof", "exit 1\n")
    with pytest.raises(PpedgeError, match="ended without a report. Open the app"):
        desk.measure()


@pytest.mark.parametrize("says", ["Error: Activity class does not exist.", "SecurityException: Permission Denial"])
def test_an_app_that_does_not_start(desk, says):
    desk.program("am", f"echo '{says}'\n")
    with pytest.raises(PpedgeError, match=f"did not start: {says}"):
        desk.measure()


def test_an_abort_before_is_said(desk):
    desk.app(app_report(desk, previous_abort="running det.nb on 1x3x640x480"))
    said = []
    adb.connect("adb", None).measure(desk.recipe, desk.run, said.append)
    assert "the app ended in Paddle Lite the last time, running det.nb on 1x3x640x480" in said[-1]


def test_a_phone_that_never_ends(desk, monkeypatch):
    desk.program("am", "echo Status: ok\n")
    monkeypatch.setattr(adb_app, "PATIENCE", 0.3)
    with pytest.raises(PpedgeError, match="left no report in 0 s"):
        desk.measure()


def test_a_phone_that_is_unplugged(desk):
    desk.set(ONE, unplugged_at="shell")
    with pytest.raises(MissingError, match="not found"):
        desk.measure()


class Several:
    """A phone whose app has two recognisers; the second is the run's."""

    serial = "ABC"

    def __init__(self, desk):
        self.report = app_report(desk)
        self.ours, self.other = self.report["models"]["det"], self.report["models"]["rec"]
        self.asked = []

    def shell(self, command, what):
        if "am start" in command:
            self.asked.append(command)
        extras = self.asked[-1].split() if self.asked else []
        name = extras[extras.index("recognizer") + 1] if "recognizer" in extras else "plates"
        models = {"det": self.ours, "rec": self.ours if name == "en" else self.other}
        all_ = {"plates": self.other, "en": self.ours}
        identity = extras[extras.index("run") + 1] if extras else ""
        told = {**self.report, "id": identity, "models": models, "recognizer": name, "recognizers": all_}
        return f"package:x\nppedge-result {identity} 1/1 {json.dumps(told)}"

    def pull(self, source, target, what):
        raise PpedgeError("The file cannot be read.")


@pytest.mark.parametrize(("task", "asked", "name"), [("rec", [None, "en"], "en"), ("det", [None], "plates")])
def test_of_several_recognisers_the_runs_own_reads(desk, task, asked, name):
    phone, said = Several(desk), []
    recipe = SimpleNamespace(task=task)
    found = adb_app.measure(phone, recipe, desk.run, said.append)
    assert found["recognizer"] == name and found["models"][0]["file"] == "det.fp32.nb"
    words = [command.split() for command in phone.asked]
    assert [w[w.index("recognizer") + 1] if "recognizer" in w else None for w in words] == asked
