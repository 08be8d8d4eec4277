import numpy as np
import pytest

from ppedge.convert.onnx import check, load_cases, to_onnx
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.storage import sha256


@pytest.fixture(scope="module")
def onnx_files(models, forks):
    to_onnx({models / f"{name}.onnx": models / name for name in ("det-float", "rec-float", "rec-batched")}, forks)
    return models


@pytest.mark.parametrize("name", ["det-float", "rec-float", "rec-batched"])
def test_same_outputs_at_any_size(onnx_files, name):
    inputs, reference = load_cases(onnx_files / f"{name}.npz")
    assert len({x.shape for x in inputs}) == 2
    assert {len(x) for x in inputs} == ({1} if name == "rec-float" else {1, 2})
    assert check(onnx_files / f"{name}.onnx", inputs, reference) < 1e-5


def test_free_sizes_and_opset(onnx_files):
    onnx = pytest.importorskip("onnx")
    free = {}
    for name in ("det-float", "rec-float", "rec-batched"):
        model = onnx.load(str(onnx_files / f"{name}.onnx"))
        assert model.opset_import[0].version == 14
        free[name] = [d.dim_value or None for d in model.graph.input[0].type.tensor_type.shape.dim]
    one_line, lines = [1, 3, 32, None], [None, 3, 32, None]
    assert free == {"det-float": [None, 3, None, None], "rec-float": one_line, "rec-batched": lines}


def test_a_difference_is_found(onnx_files):
    inputs, reference = load_cases(onnx_files / "det-float.npz")
    reference[1] = reference[1] + 0.002
    with pytest.raises(PpedgeError, match=r"run 2 \(input \[2, 3, 96, 32\]\): largest difference 0.002"):
        check(onnx_files / "det-float.onnx", inputs, reference)
    assert check(onnx_files / "det-float.onnx", inputs, reference, tolerance=0.01) == pytest.approx(0.002, abs=1e-5)
    reference[0] = reference[0][:, :, ::2]
    reference[1] = np.full_like(reference[1], np.nan)
    with pytest.raises(PpedgeError, match=r"run 1: shape .* instead of .*; run 2 .*: largest difference nan"):
        check(onnx_files / "det-float.onnx", inputs, reference)


@pytest.mark.slow
def test_same_model_same_bytes(onnx_files, forks, tmp_path):
    to_onnx({tmp_path / "m.onnx": onnx_files / "det-float"}, forks)
    assert sha256(tmp_path / "m.onnx") == sha256(onnx_files / "det-float.onnx")


def test_quantized_and_damaged_models_end_in_a_sentence(models, forks, tmp_path):
    out = tmp_path / "m.onnx"
    out.write_bytes(b"old")
    with pytest.raises(PpedgeError, match=r"det-quantized\.pdmodel .* died of SIGABRT.* float networks only"):
        to_onnx({tmp_path / "first.onnx": models / "det-float", out: models / "det-quantized"}, forks)
    assert not (tmp_path / "first.onnx").exists()
    source, target = InferenceModel.at(models / "det-float"), InferenceModel.at(tmp_path / "m")
    target.model.write_bytes(source.model.read_bytes()[:-1])
    target.params.write_bytes(source.params.read_bytes())
    with pytest.raises(PpedgeError, match=r"m\.pdmodel: damaged"):
        to_onnx({out: tmp_path / "m"}, forks)
    assert out.read_bytes() == b"old"


def test_reference_that_is_no_reference(tmp_path):
    (tmp_path / "r.npz").write_bytes(b"PK\x03\x04 no")
    for name in ("r.npz", "missing.npz"):
        with pytest.raises(PpedgeError, match="no reference outputs"):
            load_cases(tmp_path / name)
