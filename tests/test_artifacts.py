"""The names of what the convert stage leaves: written down here once more, since runs on disk have them."""

import pytest

from ppedge.artifacts import Converted, inference_model, inference_prefix, nb, needed_by, onnx


def test_names():
    assert nb("det", "int8") == "det.int8.nb"
    assert onnx("rec", "fp32", baseline=True) == "baseline/rec.fp32.onnx"
    assert inference_model("cls", "int8") == ("paddle/cls.int8.pdmodel", "paddle/cls.int8.pdiparams")
    assert inference_prefix("det", "fp32", baseline=True) == "baseline/paddle/det.fp32"


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize(("form", "name"), [("nb", nb), ("onnx", onnx)])
def test_a_name_is_read_back(form, name, baseline):
    assert Converted.parse(name("rec", "fp16", baseline=baseline)) == Converted("rec", "fp16", form, baseline)


@pytest.mark.parametrize(
    "name", ["paddle/det.fp32.pdmodel", "recipe.yml", "det.nb", "other/det.fp32.nb", "det.fp32.nb.1"]
)
def test_other_names_are_not_converted_files(name):
    assert Converted.parse(name) is None


def test_what_engines_need():
    assert needed_by("paddle", "det", "fp32") == inference_model("det", "fp32")
    assert needed_by("onnxruntime", "det", "int8") == needed_by("arm-onnxruntime", "det", "int8") == ("det.int8.onnx",)
    assert needed_by("arm-paddlelite", "det", "int8") == ("det.int8.nb",)
