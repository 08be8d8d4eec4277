"""Phones by adb, against a stand-in for adb: what is asked of the phone, what comes back, and what goes wrong."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from ppedge.cli.main import main
from ppedge.errors import MissingError, PpedgeError
from ppedge.recipe.io import make_recipe
from ppedge.runs import Run
from ppedge.validate import adb

STAND_IN = Path(__file__).with_name("adb_stand_in.py")
RESULTS = """
======= Runtime Info =======
benchmark_bin version: v2.13-rc
threads: 1
======= Perf Info =======
Time(unit: ms):
init  = 15.305
first = 43.670
min   = 32.577
max   = 32.895
avg   = 32.723
"""
WRITES = 'for word; do case $word in --result_path=*) cat "$(dirname "$0")/results.txt" >> "${word#*=}";; esac; done\n'
ONE = {"ABC": "device"}


class Desk:
    """A phone, its adb and a converted run."""

    def __init__(self, root):
        self.root, self.bin = root, root / "bin"
        (self.bin / "storage").mkdir(parents=True)
        shutil.copyfile(STAND_IN, self.bin / "adb_stand_in.py")
        (self.bin / "adb").write_text(f'#!/bin/sh\nexec {sys.executable} -IS {self.bin}/adb_stand_in.py "$@"\n')
        (self.bin / "adb").chmod(0o755)
        (self.bin / "results.txt").write_text(RESULTS)
        self.binary = root / "benchmark_bin"
        self.binary.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little") + bytes(40))
        self.set(ONE)
        model = {"inference": "m"}
        self.recipe = make_recipe({"name": "r", "task": "det", "data": {}, "model": model}, Path("recipe"))
        self.run = Run(root / "run")
        with self.run.writing("convert") as folder:
            for name in ("det.fp32.nb", "det.fp16.nb"):
                (folder / name).write_bytes(name.encode())
            self.run.write_manifest(folder, "convert", outputs=["det.fp16.nb", "det.fp32.nb"])

    def set(self, phones, program=WRITES, **state):
        (self.bin / "phone.json").write_text(json.dumps({"phones": phones, **state}))
        (self.bin / "benchmark.sh").write_text(program)

    def measure(self, device="adb"):
        return adb.connect(device, self.binary).measure(self.recipe, self.run)

    @property
    def log(self):
        return (self.bin / "log.txt").read_text()

    def empty(self):
        return not list((self.bin / "storage").iterdir())


@pytest.fixture
def desk(tmp_path, monkeypatch):
    desk = Desk(tmp_path)
    monkeypatch.setenv("PATH", f"{desk.bin}:/usr/bin:/bin")
    return desk


def test_what_a_phone_gives(desk):
    found = desk.measure()
    assert {key: found[key] for key in ("model", "soc", "abi", "android")} == {
        "model": "Test Phone", "soc": "sm8150", "abi": "arm64-v8a", "android": "13"
    }  # fmt: skip
    assert (found["input_shape"], found["threads"]) == ([1, 3, 320, 320], 1)
    assert [model["file"] for model in found["models"]] == ["det.fp16.nb", "det.fp32.nb"]
    for model in found["models"]:
        assert model["ms"] == {"init": 15.305, "first": 43.67, "min": 32.577, "max": 32.895, "avg": 32.723}
        assert model["runtime"] == "Paddle Lite v2.13-rc"
    assert "--input_shape=1,3,320,320 --backend=arm --warmup=10 --repeats=30 --threads=1" in desk.log
    assert desk.empty()  # nothing stays on the phone


def test_a_phone_among_several_is_named(desk):
    desk.set({"ABC": "device", "DEF": "device"})
    with pytest.raises(PpedgeError, match=r"2 phones are plugged in.*ABC \(device\), DEF \(device\).*adb:SERIAL"):
        desk.measure()
    assert desk.measure("adb:DEF")["models"]
    assert "-s DEF push" in desk.log and "-s ABC" not in desk.log


@pytest.mark.parametrize(
    ("phones", "device", "kind", "says"),
    [
        ({}, "adb", MissingError, "no phone is plugged in"),
        (ONE, "adb:XYZ", MissingError, r"adb does not see this phone.*ABC \(device\)"),
        ({}, "adb:XYZ", MissingError, "adb does not see this phone.*sees none"),
        ({"ABC": "unauthorized"}, "adb", MissingError, "ABC is unauthorized.*accept this computer's key"),
        ({"ABC": "offline"}, "adb", MissingError, "ABC is offline"),
        ({"ABC": "no permissions (udev)"}, "adb", MissingError, r"ABC is no permissions \(udev\)"),
        (ONE, "adb:", PpedgeError, "not adb or adb:SERIAL"),
        (ONE, "ssh:host", PpedgeError, "not adb or adb:SERIAL"),
    ],
)
def test_phones_that_cannot_be_used(desk, phones, device, kind, says):
    desk.set(phones)
    with pytest.raises(PpedgeError, match=says) as error:
        adb.connect(device, desk.binary)
    assert type(error.value) is kind
    assert "\n" not in str(error.value)


def test_no_adb(desk, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingError, match="adb is not installed"):
        adb.connect("adb", desk.binary)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), (b"#!/bin/sh\n", "not a program for ARM"), (b"", "not a program")]
)
def test_a_program_that_cannot_be_one(desk, content, says):
    desk.binary.unlink()
    if content is not None:
        desk.binary.write_bytes(content)
    with pytest.raises(PpedgeError, match=says):
        adb.connect("adb", desk.binary)


@pytest.mark.parametrize(
    ("program", "state", "kind", "says"),
    [
        (WRITES, {"full": True}, MissingError, "Copying benchmark_bin to the phone: no space left on the phone ABC"),
        (WRITES, {"unplugged_at": "pull"}, MissingError, "Fetching the results .*not found.* Plug the phone in again"),
        # It aborts; it dislikes its options and ends well; it writes something else.
        ("echo Check failed: bad model; kill -6 $$", {}, PpedgeError, r"on the phone ABC: det\.fp16\.nb: .*bad model"),
        ("echo usage; exit 0", {}, PpedgeError, "no results: usage"),
        (WRITES.replace("results.txt", "adb"), {}, PpedgeError, "its results name no times"),
    ],
)
def test_what_goes_wrong_on_the_phone(desk, program, state, kind, says):
    desk.set(ONE, program, **state)
    with pytest.raises(PpedgeError, match=says) as error:
        desk.measure()
    assert type(error.value) is kind
    assert "\n" not in str(error.value)
    assert desk.empty()


def test_one_file_that_fails_is_part_of_the_figures(desk):
    desk.set(ONE, f'grep -q fp16 "${{1#*=}}" && {{ echo "Error: no fp16 kernel"; exit 1; }}\n{WRITES}')
    half, whole = desk.measure()["models"]
    assert half["error"] == "det.fp16.nb: no results: Error: no fp16 kernel"
    assert "ms" in whole


def test_a_program_needs_a_phone(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--benchmark-bin", "benchmark_bin"])
    assert ended.value.code == 2
    assert "--benchmark-bin without --device" in capsys.readouterr().err


def test_a_run_without_nb_files(desk):
    with desk.run.writing("convert", force=True) as folder:
        desk.run.write_manifest(folder, "convert", outputs=[])
    with pytest.raises(PpedgeError, match=r"no \.nb file for a phone"):
        desk.measure()
