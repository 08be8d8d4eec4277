import sys

import numpy as np
import pytest

from ppedge.arm.lite import registered
from ppedge.convert import lite, opt
from ppedge.convert.lite import to_nb
from ppedge.engines import open_engine
from ppedge.errors import MissingError, PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.files.nb import read_nb
from ppedge.files.nb_summary import summary
from ppedge.process import run_child
from ppedge.storage import sha256

LITE_X86 = """
import sys
import numpy as np
from paddlelite.lite import MobileConfig, Opt, create_paddle_predictor
model, params, cases, out = sys.argv[1:]
opt = Opt()
opt.set_model_file(model)
opt.set_param_file(params)
opt.set_model_type("naive_buffer")
opt.set_optimize_out(out)
opt.set_valid_places("x86")
opt.run()
with np.load(cases) as arrays:
    for k in range(len(arrays.files) // 2):
        config = MobileConfig()
        config.set_model_from_file(out + ".nb")
        predictor = create_paddle_predictor(config)
        predictor.get_input(0).from_numpy(arrays[f"x{k}"])
        predictor.run()
        assert np.abs(predictor.get_output(0).numpy() - arrays[f"y{k}"]).max() < 1e-4
"""


def test_kernels_have_the_precision_asked(nb_files):
    found = {key: summary(nb)["convolutions"] for key, nb in nb_files.items()}
    assert found == {
        ("det", "fp32"): {"fp32": 5},
        ("det", "fp16"): {"fp16": 5},
        ("det", "int8"): {"int8": 5},
        ("rec", "fp32"): {"fp32": 3},
        ("rec", "int8"): {"int8": 3},
    }


def test_what_becomes_int8_and_what_does_not(nb_files):
    kernels = summary(nb_files["rec", "int8"])["operators"]["by_type"]
    assert kernels["fc"] == {"arm/int8/fp32out": 1}
    assert kernels["rnn"] == {"arm/fp32/def": 1}
    # Hardswish is fused into an int8 conv2d, not into a depthwise_conv2d.
    assert kernels["depthwise_conv2d"] == {"arm/int8/fp32_out": 1}
    assert kernels["conv2d"]["arm/int8/int8_out"] == 1


def test_int8_is_much_smaller_in_its_weights(nb_files):
    fp32, int8 = (summary(nb_files["det", p])["parameters"]["by_type"] for p in ("fp32", "int8"))
    assert int8["fp32"]["bytes"] < fp32["fp32"]["bytes"] / 4


def test_heads_of_training_are_not_in_the_file(nb_files):
    transposed = [op for op in nb_files["det", "fp32"].operators if op.type == "conv2d_transpose"]
    assert len(transposed) == 2
    assert not [p for p in nb_files["det", "fp32"].parameters if p.name.startswith("conv2d_transpose_2")]


def test_same_model_same_bytes(models, nb_files, tmp_path):
    again = to_nb(models / "det-quantized", tmp_path / "again.nb", "int8")
    assert sha256(again.path) == sha256(nb_files["det", "int8"].path)
    assert again.path.read_bytes()[10:18] == bytes(8)
    assert read_nb(again.path) == again


@pytest.mark.slow
def test_two_exports_same_bytes(export_tiny, nb_files, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        export_tiny(tmp_path / name, "det-quantized")
        to_nb(tmp_path / name / "det-quantized", tmp_path / f"{name}.nb", "int8")
    assert sha256(tmp_path / "a.nb") == sha256(tmp_path / "b.nb")


def test_wrong_precision_leaves_the_old_file(models, tmp_path):
    out = tmp_path / "m.nb"
    out.write_bytes(b"old")
    with pytest.raises(PpedgeError, match="not really int8: 5 of 5"):
        to_nb(models / "det-float", out, "int8")
    for precision in ("fp32", "fp16"):
        with pytest.raises(PpedgeError, match=f"not {precision}: it has convolutions in int8"):
            to_nb(models / "det-quantized", out, precision)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def test_half_precision_does_not_stand_beside_int8(models, tmp_path):
    """Asked for fp16, opt leaves the float layers of a network with int8 layers in fp32."""
    with pytest.raises(PpedgeError, match="not fp16: it has convolutions in fp32, int8"):
        to_nb(models / "det-mixed", tmp_path / "m.nb", "fp16")


def test_layers_kept_in_float_are_allowed_by_name(models, tmp_path):
    with pytest.raises(PpedgeError, match=r"1 of 5 convolutions are float: conv2d conv2d_2.w_0"):
        to_nb(models / "det-mixed", tmp_path / "m.nb", "int8")
    kept = (models / "det-mixed.weights").read_text().split()
    nb = to_nb(models / "det-mixed", tmp_path / "m.nb", "int8", allowed_float=kept)
    assert summary(nb)["convolutions"] == {"fp32": 1, "int8": 4}


def test_a_truncated_model_is_not_converted(models, tmp_path):
    """opt itself makes a .nb without operators of it and ends well."""
    source, target = InferenceModel.at(models / "det-float"), InferenceModel.at(tmp_path / "m")
    target.model.write_bytes(source.model.read_bytes()[:3000])
    target.params.write_bytes(source.params.read_bytes())
    with pytest.raises(PpedgeError, match=r"m\.pdmodel: damaged"):
        to_nb(tmp_path / "m", tmp_path / "m.nb", "fp32")
    assert not (tmp_path / "m.nb").exists()


def test_death_of_opt_is_a_sentence(models, tmp_path):
    """An operator that opt does not know."""
    source, target = InferenceModel.at(models / "det-float"), InferenceModel.at(tmp_path / "m")
    target.model.write_bytes(source.model.read_bytes().replace(b"sigmoid", b"sigmoib"))
    target.params.write_bytes(source.params.read_bytes())
    with pytest.raises(PpedgeError, match=r"Converting .*m\.pdmodel to m\.nb with Paddle Lite's opt (died|ended)"):
        to_nb(tmp_path / "m", tmp_path / "m.nb", "fp32")
    assert not (tmp_path / "m.nb").exists()


def test_no_opt_or_no_avx(monkeypatch, models, tmp_path):
    monkeypatch.setattr(opt, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="not installed"):
        to_nb(models / "det-float", tmp_path / "m.nb", "fp32")
    monkeypatch.undo()
    monkeypatch.setattr(lite, "CPU_INFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("flags : fpu sse sse2\n")
    with pytest.raises(MissingError, match="AVX"):
        to_nb(models / "det-float", tmp_path / "m.nb", "fp32")


def test_a_recogniser_runs_in_paddle_lite(models, tmp_path):
    """Paddle Lite's LSTM wants batch 1: with a free batch it aborts. Here on x86, which is right for float networks."""
    files = InferenceModel.at(models / "rec-float")
    run_child(
        [sys.executable, "-c", LITE_X86, files.model, files.params, models / "rec-float.npz", tmp_path / "x86"],
        "running the recogniser in Paddle Lite",
    )


def test_int8_runs_with_the_dot_product_on_a_core_that_has_it(nb_files):
    try:
        registered()
    except MissingError as error:
        pytest.skip(str(error))
    image = np.random.default_rng(0).standard_normal((1, 3, 64, 64), dtype=np.float32)
    used = {}
    for cpu in ("cortex-a53", "cortex-a76"):
        with open_engine("arm-paddlelite", nb_files["det", "int8"].path, cpu=cpu, count=True) as engine:
            engine.run([image])
            used[cpu] = engine.last_counts["dot"] > 0
    assert used == {"cortex-a53": False, "cortex-a76": True}
