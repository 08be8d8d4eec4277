"""One fault at a time between a run and its report, by the command line: who is named, the exit code, one sentence.

The layer whose int8 weights are off is named by ``--layers``: test_layers.py.
"""

import errno
import json
import os
import signal
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from fakes import Fake, FakeArm
from ppedge.arm import lite, qemu
from ppedge.cli.main import main
from ppedge.data.source import model_spec
from ppedge.engines import arm_paddlelite, open_engine
from ppedge.runs import Run
from ppedge.validate import measuring
from small import make_data, recipe_dict, tiny_recipe

FILES = ["det.fp32.onnx", "det.int8.onnx", "det.int8.nb"]
OPT = "v2.13-rc"


def header(meta, opt):
    return struct.pack("<H16sQ", meta, opt.encode(), 0)


def bright(x, gain=1.0):
    """A map that is text where the picture is bright in its first channel; the pictures have few such places."""
    return (1 / (1 + np.exp(-4.0 * (gain * x[:, :1] - 1.0)))).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data("det", tmp_path_factory.mktemp("data"))


@pytest.fixture
def run(tmp_path, data, monkeypatch):
    """A run whose convert stage is done, and engines that agree."""
    run = Run(tmp_path / "run")
    write_convert(run, data)
    recipe = recipe_dict("det", data, validate={"limit": 2, "gates": {"min_box_agreement": 0.9}})
    run.recipe_path.write_text(yaml.safe_dump(recipe))
    monkeypatch.setattr(measuring, "find_spec", lambda name: None)  # the reference is onnxruntime, as without Paddle
    on_arm(monkeypatch, bright)
    return run


def write_convert(run, data, change=lambda spec: spec, nb=b""):
    """Write the convert stage with a specification that ``change`` made of the recipe's."""
    with run.writing("convert", force=True) as folder:
        for name in FILES:
            (folder / name).write_bytes(nb or header(2, OPT))
        spec = change(model_spec(tiny_recipe("det", data), None))
        run.write_manifest(folder, "convert", outputs=FILES, model=spec.to_dict())


def on_arm(monkeypatch, function):
    """Have the int8 file on ARM be this function; everything else is `bright`."""

    def open_fake(name, path, **options):
        if name == "onnxruntime":
            return Fake(name, bright)
        if name == "arm-paddlelite":
            return open_engine(name, path, **options)
        return FakeArm(name, path, lambda path: function if "int8" in path.name else bright)

    monkeypatch.setattr(measuring, "open_engine", open_fake)


@pytest.fixture
def validate(run, capfd):
    """Call ``ppedge validate`` and return its exit code, what it printed, and its one sentence."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["validate", str(run.path), "--force", *arguments])
        out, err = capfd.readouterr()
        told = [line for line in err.splitlines() if line.startswith("ppedge: ")]
        assert "Traceback" not in err and len(told) == (ended.value.code != 0)
        assert not told or err.endswith(f"{told[0]}\n")
        return ended.value.code, out, "".join(told)

    return call


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def verdicts(run):
    report = json.loads((run.stage("validate") / "report.json").read_text())
    return {m["file"]: m["blame"]["verdict"] for m in report["models"] if m["blame"]}


def test_nothing_is_broken(run, validate):
    code, out, told = validate()
    assert (code, told) == (0, "") and verdicts(run) == {}
    assert out.splitlines()[-1] == f"page: {run.stage('validate') / 'report.html'}"


def test_two_mean_values_swapped(run, data, validate):
    def swapped(spec):
        first, second, third = spec.det_preprocess.mean
        return replace(spec, det_preprocess=replace(spec.det_preprocess, mean=(second, first, third)))

    write_convert(run, data, swapped)
    code, _, told = validate()
    assert code == 1 and "changed_keys 1 > 0 (manifest.json; det_preprocess.mean)" in told
    assert all("pre-processing (" in verdict for verdict in verdicts(run).values()) and verdicts(run)


def test_a_lower_box_threshold(run, data, validate):
    write_convert(
        run,
        data,
        lambda spec: replace(spec, det_postprocess=replace(spec.det_postprocess, box_thresh=0.01, thresh=0.01)),
    )
    code, _, told = validate()
    assert code == 1 and "changed_keys 2 > 0" in told and "det_postprocess.box_thresh" in told
    assert all("to blame is post-processing (100% of it" in verdict for verdict in verdicts(run).values())


def test_weights_of_the_int8_file_that_are_off(run, validate, monkeypatch):
    on_arm(monkeypatch, lambda x: bright(x, gain=0.5))
    code, _, told = validate()
    assert code == 1 and "min_box_agreement" in told and "det.int8.onnx" in told and "fp32" not in told
    (file, verdict), = verdicts(run).items()  # fmt: skip
    assert file == "det.int8.onnx" and "to blame is the network (100% of it" in verdict


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Have a runtime registered, and no guest that could be started with it."""

    def register(version):
        found = lite.LiteRuntime(tmp_path, "library.so", version, "", "")
        monkeypatch.setattr(lite, "registered", lambda: found)

    monkeypatch.setattr(arm_paddlelite.ArmGuestEngine, "__init__", lambda *_, **__: pytest.fail("a guest was started"))
    return register


@pytest.mark.parametrize(
    ("nb", "version", "told"),
    [
        (header(1, "v2.6"), "paddlelite v2.13", "det.int8.nb: not a .nb file of meta version 2. It may come from a"),
        (header(2, OPT), "paddlelite v2.10", "opt v2.13-rc, but the registered runtime is older (paddlelite v2.10)"),
    ],
    ids=["an old file", "an old runtime"],
)
def test_a_header_and_a_runtime_of_different_age(run, data, validate, runtime, nb, version, told):
    """Either way round, before anything is run: an older library can give wrong text without an error."""
    validate()
    before = everything(run.stage("validate"))
    write_convert(run, data, nb=nb)
    runtime(version)
    code, out, sentence = validate("--engine", "paddlelite")
    assert (code, out) == (2, "") and told in sentence
    assert everything(run.stage("validate")) == before


def test_a_guest_that_is_killed(run, validate, monkeypatch):
    """What the engine says of it, as a command; test_validate_stage.py kills a real one."""
    validate()
    before = everything(run.stage("validate"))

    def killed(x):
        raise qemu.guest_error(f"{run.path}/det.int8.onnx: running the network", "cortex-a53", -signal.SIGKILL, "")

    on_arm(monkeypatch, killed)
    code, out, told = validate()
    assert (code, out) == (2, "") and "running the network on cortex-a53: the guest died of SIGKILL" in told
    assert everything(run.stage("validate")) == before and not run.partial("validate").exists()


@pytest.mark.parametrize("full_at", ["report.json", "report.html", "manifest.json", "a drawing"])
def test_a_full_disk(run, validate, monkeypatch, full_at):
    validate()
    before = everything(run.stage("validate"))
    on_arm(monkeypatch, lambda x: 0 * x[:, :1])  # everything differs: there is something to draw
    sync, write = os.fsync, type(run.path).write_bytes

    def refuse():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full_sync(descriptor):
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        return refuse() if f".{full_at}." in path else sync(descriptor)

    def full_write(path, content):
        return refuse() if full_at == "a drawing" and path.suffix == ".jpg" else write(path, content)

    monkeypatch.setattr(os, "fsync", full_sync)
    monkeypatch.setattr(type(run.path), "write_bytes", full_write)
    code, out, told = validate()
    assert (code, out) == (3, "") and "the disk is full" in told and "earlier results are whole" in told
    assert everything(run.stage("validate")) == before and not run.partial("validate").exists()
