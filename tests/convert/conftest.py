"""Tiny networks, exported once a session in a process of their own, and their .nb files."""

import sys
from pathlib import Path

import pytest

import ppedge.arm
from ppedge.convert.lite import to_nb
from ppedge.process import run_child

TINY = Path(__file__).with_name("tiny.py")


@pytest.fixture(scope="session")
def export_tiny():
    pytest.importorskip("paddle", reason="exporting needs Paddle")

    def run(folder, *names):
        run_child([sys.executable, TINY, folder, *names], "exporting tiny networks")

    return run


@pytest.fixture(scope="session")
def models(export_tiny, tmp_path_factory):
    """A folder of inference models: det-float, det-mixed, det-quantized, rec-float, rec-batched,
    rec-quantized.
    """
    folder = tmp_path_factory.mktemp("models")
    export_tiny(folder, "det-float", "rec-float", "rec-batched", "det-quantized", "det-mixed", "rec-quantized")
    return folder


@pytest.fixture(scope="session")
def nb_files(models):
    """The same as .nb files, read: by (task, precision)."""
    wanted = [("det", "fp32", "float"), ("det", "fp16", "float"), ("det", "int8", "quantized"),
              ("rec", "fp32", "float"), ("rec", "int8", "quantized")]  # fmt: skip
    return {(t, p): to_nb(models / f"{t}-{kind}", models / f"{t}.{p}.nb", p) for t, p, kind in wanted}


@pytest.fixture(scope="session")
def small_nb():
    """A real .nb file that needs no Paddle: the emulator's self-test."""
    return Path(ppedge.arm.__file__).with_name("selftest.nb")
