import pytest

from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.process import run_module


def test_variables_are_the_network_that_is_used(models):
    """The head that only training uses has no variable in the file, nor have outputs beside the network's own."""
    content = InferenceModel.at(models / "det-float").model.read_bytes()
    assert b"conv2d_transpose_1.w_0" in content
    assert b"conv2d_transpose_2.w_0" not in content


def test_nothing_is_left_beside_the_model(models):
    assert not list(models.glob(".export-*"))
    assert not list(models.glob("*.info"))


@pytest.mark.usefixtures("export_tiny")
@pytest.mark.parametrize("words", [("validate", "float"), ("slim", "pruned")])
def test_the_child_knows_what_there_is(tmp_path, words):
    with pytest.raises(PpedgeError, match=f"exporting ended with exit code 2: .*no {words[1]} network of {words[0]}"):
        run_module("ppedge.convert.export", [tmp_path, "--network", *words, tmp_path / "m"], "exporting")


@pytest.mark.usefixtures("export_tiny")
def test_the_child_ends_in_a_sentence(tmp_path):
    with pytest.raises(PpedgeError, match=r"exporting ended with exit code 2: error: .*recipe\.yml: no such recipe"):
        run_module("ppedge.convert.export", [tmp_path, "--network", "train", "float", tmp_path / "m"], "exporting")
