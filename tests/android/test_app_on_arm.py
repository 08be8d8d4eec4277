"""The app's own Java on an emulated ARM core, over the registered Paddle Lite; skipped where there is none."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from desk import reseal
from junit import ANDROID

from ppedge.arm import lite
from ppedge.bundle.app_guest import AppGuest, compile_app
from ppedge.bundle.manifest import read_unsealed
from ppedge.bundle.on_arm import Agreement, pairs
from ppedge.cli import bundle as command
from ppedge.errors import MissingError, PpedgeError
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Line
from ppedge.process import run_child
from ppedge.storage import sha256

TINY = Path(__file__).with_name("tiny_bundle.py")
STAGES = ["det_preprocess", "det_network", "det_postprocess", "crop", "cls", "rec_preprocess", "rec_network",
          "rec_postprocess"]  # fmt: skip


@pytest.fixture(scope="module")
def tiny(jdk, tmp_path_factory):
    """A bundle of tiny networks, and one whose detector has an operator that Paddle Lite does not know."""
    pytest.importorskip("paddle", reason="the tiny networks are Paddle's")
    try:
        runtime = lite.registered()
        if not runtime.include.is_dir():
            pytest.skip("the registered runtime was registered without its headers: register it again")
    except MissingError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("tiny")
    run_child([sys.executable, TINY, folder / "bundle"], "making a bundle of tiny networks")
    shutil.copytree(folder / "bundle", folder / "fatal")
    data = (folder / "fatal/det.nb").read_bytes()
    assert data.count(b"\x07\x00\x00\x00sigmoid\x00") == 1
    (folder / "fatal/det.nb").write_bytes(data.replace(b"\x07\x00\x00\x00sigmoid\x00", b"\x07\x00\x00\x00nothing\x00"))
    reseal(folder / "fatal", read_unsealed(folder / "fatal"))
    return SimpleNamespace(bundle=folder / "bundle", fatal=folder / "fatal", classes=folder / "classes")


@pytest.mark.slow
def test_the_self_test_and_pictures_of_a_bundle(tiny, tmp_path, ppedge_here):
    """Two recognisers, SVTR over lines 48 pixels high and an LSTM over 32, and a classifier, in one start of a JVM."""
    shutil.copyfile(tiny.bundle / "golden/01/picture.png", tmp_path / "one.png")
    image = read_image(tmp_path / "one.png")
    cv2.imwrite(str(tmp_path / "two.png"), image[::-1, ::-1])
    arguments = ("--on-arm", ANDROID, "--pictures", tmp_path, "--cpu", "cortex-a76", "--json")
    code, out, err = ppedge_here("bundle", "verify", tiny.bundle, *arguments)
    assert code == 0, err
    told = json.loads(out)
    found = told["on_arm"]
    assert told["passed"] and found["passed"] and found["cpu"] == "cortex-a76"
    stages = [(check["stage"], check.get("recognizer")) for check in found["checks"]]
    assert stages == [
        *[(stage, None) for stage in STAGES[:5]],
        *[(s, name) for name in ("svtr", "crnn") for s in STAGES[5:]],
    ]
    by_stage = {check["stage"]: check["difference"] for check in found["checks"]}
    assert 0 < by_stage["det_network"] < 1e-4 and 0 < by_stage["rec_network"] < 1e-3
    assert 0 < by_stage["cls"] < 1e-4
    assert all(0 < check["difference"] < 1e-3 for check in found["checks"] if check["stage"] == "rec_network")
    assert found["models"]["rec"]["sha256"] == sha256(tiny.bundle / "rec_svtr.nb")
    assert found["recognizers"]["crnn"]["sha256"] == sha256(tiny.bundle / "rec_crnn.nb")
    assert lite.registered().version.endswith(found["runtime"])
    assert 20e6 < found["memory"] < 1e9
    read = found["pictures"]  # by the first again, after the self-test of the second
    assert read["recognizer"] == "svtr"
    assert (read["pictures"], read["lines"], read["same"], read["different"]) == (2, 6, 6, [])
    assert read["engine"] == "arm-paddlelite" and read["corner"] == 0.0


@pytest.mark.slow
def test_a_real_death_in_paddle_lite_and_the_next_start(tiny, tmp_path):
    compile_app(ANDROID, tiny.classes)
    assets = tmp_path / "assets"
    shutil.copytree(tiny.fatal, assets / "bundle")

    def start():
        return AppGuest(ANDROID, tiny.classes, assets, tmp_path / "storage")

    with start() as app, pytest.raises(PpedgeError, match=r"The app's about on cortex-a53: the guest died of SIG"):
        app.ask("about")
    with start() as app:
        answer = app.ask("about")
        assert answer["problem"] == "native_abort"
        assert answer["detail"] == "loading det.nb, threads 1, cores no_bind"
        shutil.rmtree(assets / "bundle")
        shutil.copytree(tiny.bundle, assets / "bundle")  # an update of the app
        assert app.ask("about")["problem"] == "native_abort"
        app.ask("acknowledge")
        assert app.ask("about")["state"] == "DONE"


def test_without_a_jdk_or_an_app_it_is_said(tmp_path, monkeypatch, ppedge_here, whole_sample):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    code, out, err = ppedge_here("bundle", "verify", whole_sample, "--on-arm", ANDROID)
    assert code == 3 and "files and the manifest are as built" in out
    assert f"not run on ARM: The app's Java cannot be compiled: no javac is in JAVA_HOME ({tmp_path})" in out
    assert "Install a JDK" in err
    code, out, _ = ppedge_here("bundle", "verify", whole_sample, "--on-arm", ANDROID, "--json")
    assert code == 3 and json.loads(out)["on_arm"]["not_run"].startswith("The app's Java cannot be compiled")
    code, _, err = ppedge_here("bundle", "verify", whole_sample, "--on-arm", tmp_path)
    assert code == 2 and "not the Android project of this ppedge" in err
    code, _, err = ppedge_here("bundle", "verify", whole_sample, "--pictures", tmp_path)
    assert code == 2 and "--on-arm android_demo" in err


def line(text, left, top, right, bottom, score=0.9):
    return Line(text, score, np.float32([[left, top], [right, top], [right, bottom], [left, bottom]]), 0.8)


def test_readings_are_held_against_each_other_by_place():
    pc = [line("one", 0, 0, 50, 10), line("two", 0, 20, 50, 30), line("gone", 0, 40, 50, 50)]
    app = [line("two", 1, 20, 50, 30, 0.7), line("0ne", 0, 0, 50, 10), line("new", 200, 0, 250, 10)]
    found = [(a and a.text, b and b.text) for a, b in pairs(pc, app)]
    assert found == [("one", "0ne"), ("two", "two"), ("gone", None), (None, "new")]
    agreement = Agreement()
    agreement.add("p.png", pc, app)
    told = agreement.to_dict()
    assert (told["lines"], told["same"], told["share"], told["corner"]) == (3, 1, 1 / 3, 1.0)
    assert told["score"] == pytest.approx(0.2)
    assert [d["pc"] for d in told["different"]] == ["one", "gone", None]


def test_what_is_told_of_a_run():
    check = {"stage": "crop", "difference": 0.0, "tolerance": 1.0, "unit": "level", "passed": True, "detail": ""}
    bad = {**check, "difference": None, "passed": False, "detail": "01: not a number"}
    lines = command.on_arm_lines({
        "cpu": "cortex-a53", "app": "0.1.0", "runtime": "v2.13", "checks": [check, bad], "memory": 5e7,
        "pictures": {"pictures": 1, "lines": 2, "same": 1, "share": 0.5, "engine": "onnxruntime", "corner": 0.0,
                     "score": 0.0, "different": [{"picture": "p.png", "pc": "a", "app": None}]},
    })  # fmt: skip
    assert lines[1] == "  crop: at most no number level apart, 1 are allowed: FAILED (01: not a number)"
    assert lines[3].startswith("  1 pictures: 1 of 2 lines read as by onnxruntime (50.00%)")
    assert lines[4] == "    p.png: 'a' here, None in the app"
