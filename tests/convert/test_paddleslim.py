"""Networks are quantized and exported as PaddleSlim does it, to the byte."""

import sys
from pathlib import Path

import numpy as np
import paddleslim_peer
import pytest

from ppedge.files.inference_model import InferenceModel
from ppedge.process import run_child


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    pytest.importorskip("paddleslim", reason="PaddleSlim is not installed")
    folder = tmp_path_factory.mktemp("paddleslim")
    run_child([sys.executable, paddleslim_peer.__file__, folder], "quantizing with PaddleSlim")
    return Path(folder)


@pytest.mark.parametrize("name", paddleslim_peer.NAMES)
def test_an_exported_network_has_its_bytes(models, theirs, name):
    mine, other = InferenceModel.at(models / name), InferenceModel.at(theirs / name)
    assert mine.model.read_bytes() == other.model.read_bytes()
    assert mine.params.read_bytes() == other.params.read_bytes()


def test_a_network_in_training_has_its_names_and_numbers(theirs):
    mine = paddleslim_peer.clipped()
    with np.load(theirs / "clipped.npz") as other:
        assert list(mine) == list(other)
        for name in mine:
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name)
