"""Two converted runs whose networks are known by heart, on onnxruntime; and the sample bundle."""

import shutil

import pytest
from sample import write_sample

from ppedge.bundle import build
from ppedge.bundle.build import build_bundle
from tiny_runs import draw, make_run


@pytest.fixture(autouse=True)
def on_onnxruntime(monkeypatch):
    """Golden outputs come from onnxruntime: nothing here needs Paddle."""
    monkeypatch.setattr(build, "golden_engine", lambda: {"name": "onnxruntime", "version": "1"})


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [make_run(root / "det", "det"), make_run(root / "rec", "rec")]


@pytest.fixture
def picture(tmp_path):
    return draw(tmp_path / "one.png", bars=[(20, 30, 20, 70), (45, 53, 10, 50)])


@pytest.fixture
def bundle(runs, picture, tmp_path):
    build_bundle(runs, tmp_path / "bundle", pictures=[picture], onnx=True)
    return tmp_path / "bundle"


@pytest.fixture(scope="session")
def whole_sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "bundle"
    write_sample(folder)
    return folder


@pytest.fixture
def sample(whole_sample, tmp_path):
    """A copy of the sample bundle, to damage."""
    return shutil.copytree(whole_sample, tmp_path / "sample")
