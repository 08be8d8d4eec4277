"""``ppedge weights``: what it shows of files, and the files that it makes of others."""

import json
import pickle

import numpy as np
import paddle
import pytest

from ppedge.models.weights import read_pdparams, state_of, write_pdparams
from ppedge.train.task import Task
from small import tiny_recipe


def arrays(*names):
    return {name: np.full((2, 3), number, np.float32) for number, name in enumerate(names)}


STUDENT = arrays("backbone.conv.weight", "head.binarize.conv1.weight")
CML = {
    **{f"Student.{name}": value for name, value in STUDENT.items()},
    **{f"Teacher.{name}": value + 9 for name, value in STUDENT.items()},
}


@pytest.fixture
def cml(tmp_path):
    path = tmp_path / "cml.pdparams"
    write_pdparams(path, CML)
    return path


@pytest.fixture(scope="module", params=["det", "rec"])
def exported(request, tmp_path_factory):
    """The folder of an inference model, and the state of its network."""
    folder = tmp_path_factory.mktemp(request.param)
    net = Task(tiny_recipe(request.param, folder, seed=1)).build()
    net.eval()
    height = -1 if request.param == "det" else 32
    paddle.jit.save(net, str(folder / "inference"), [paddle.static.InputSpec([1, 3, height, -1], "float32", "x")])
    return folder, state_of(net)


def shown(ppedge_here, path):
    """Return the only network of a file, as --json has it."""
    code, out, err = ppedge_here("weights", "show", path, "--json")
    assert code == 0, err
    (network,) = json.loads(out)["networks"]
    return network


def test_a_checkpoints_networks_are_shown_with_their_parts(ppedge_here, cml):
    code, out, _ = ppedge_here("weights", "show", cml)
    lines = [line.rstrip() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == f"{cml}: 4 arrays, 24 values, float32"
    assert [line for line in lines if line.endswith("2 arrays, 12 values, float32")] == [
        "Student: 2 arrays, 12 values, float32",
        "Teacher: 2 arrays, 12 values, float32",
    ]
    assert " head.binarize       1       6  float32" in lines
    assert "  names and shapes: of no network that PaddleOCR has published and ppedge knows" in lines


def test_verbose_lists_every_array(ppedge_here, cml):
    listed = ppedge_here("weights", "show", cml, "--verbose")[1]
    rows = [line.split() for line in listed.splitlines()]
    assert rows.count(["backbone.conv.weight", "[2,", "3]", "float32"]) == 2


def test_arrays_of_no_network_are_counted(ppedge_here, tmp_path):
    write_pdparams(tmp_path / "w", {**CML, "centres": np.zeros(3)})
    code, out, _ = ppedge_here("weights", "show", tmp_path / "w")
    assert code == 0 and "arrays of none of these networks: 1" in out
    assert "5 arrays, 27 values, float32 and float64" in out


@pytest.mark.parametrize(
    ("name", "key", "value", "told"),
    [
        ("backbone.blocks2.0.dw_conv.conv_kxk.0.conv.weight", "form", "training", "form: training"),
        ("backbone.blocks2.0.dw_conv.reparam_conv.weight", "form", "re-parameterised", "form: re-parameterised"),
        ("backbone.conv.weight", "form", None, None),
        ("head.sar_head.decoder.embedding.weight", "guides", ["SARHead"], "guides: SARHead"),
        ("head.gtc_head.embedding.weight", "guides", ["NRTRHead"], "guides: NRTRHead"),
        ("head.ctc_head.fc.bias", "classes", 6, "classes: 6"),
        ("head.fc2.bias", "classes", 6, "classes: 6"),
        ("head.fc1.bias", "classes", None, None),
    ],
)
def test_what_names_tell_of_a_network(ppedge_here, tmp_path, name, key, value, told):
    write_pdparams(tmp_path / "w", {name: np.zeros(6, np.float32)})
    assert shown(ppedge_here, tmp_path / "w")[key] == value
    said = ppedge_here("weights", "show", tmp_path / "w")[1]
    assert f"  {told}\n" in said if told else f"{key}: " not in said


def test_an_lstms_values_count_once(ppedge_here, tmp_path):
    write_pdparams(tmp_path / "w", arrays("neck.lstm.bias_ih_l0_reverse", "neck.lstm.0.cell_bw.bias_ih", "neck.x"))
    network = shown(ppedge_here, tmp_path / "w")
    assert (network["arrays"], network["values"]) == (3, 12)


def test_a_file_without_arrays_is_shown(ppedge_here, tmp_path):
    write_pdparams(tmp_path / "w", {})
    code, out, _ = ppedge_here("weights", "show", tmp_path / "w")
    assert code == 0 and "0 arrays, 0 values, no type" in out and "backbone" not in out


@pytest.mark.parametrize(
    ("file", "fits", "told"),
    [
        ("ch_PP-OCRv3_det_student", "PP-OCRv3's detector", "no threshold head, which training starts fresh"),
        ("ch_ppocr_mobile_v2.0_det_train", "PP-OCR's detector, v1 and v2", "the official ch_ppocr_mobile_v2.0_det"),
        ("ch_PP-OCRv2_rec_student", "PP-OCRv2's recogniser", "classes: 6625"),
        ("en_PP-OCRv3_rec", "PP-OCRv3's recogniser", "recipe to start from: ppocrv3_rec_en"),
        ("en_PP-OCRv3_rec", "PP-OCRv3's recogniser", 'data.charset="en_dict", data.use_space_char=true'),
        (
            "ch_PP-OCRv4_rec_rep",
            "PP-OCRv4's recogniser, re-parameterised (v5's mobile one alike)",
            "form: re-parameterised",
        ),
        ("MobileNetV3_large_x0_5_pretrained", None, "a backbone alone"),
    ],
)
def test_official_weights_are_recognised(shared_data, ppedge_here, file, fits, told):
    path = shared_data / f"weights/{file}.pdparams"
    found = shown(ppedge_here, path)["fits"]
    assert (None if found is None else found["network"]) == fits
    assert told in ppedge_here("weights", "show", path)[1]


def test_a_part_becomes_weights_of_its_own(ppedge_here, cml, tmp_path):
    out = tmp_path / "student.pdparams"
    code, said, err = ppedge_here("weights", "extract", cml, "--part", "Student", "--out", out)
    assert code == 0, err
    assert said == f"{out}: 2 arrays, 12 values, from Student of {cml}\n"
    found = read_pdparams(out)
    assert {name: value.tobytes() for name, value in found.items()} == {
        name: value.tobytes() for name, value in STUDENT.items()
    }


def test_a_part_that_is_not_there_is_refused_with_those_that_are(ppedge_here, cml, tmp_path):
    out = tmp_path / "twin.pdparams"
    code, _, err = ppedge_here("weights", "extract", cml, "--part", "Student2", "--out", out)
    assert code == 2 and "has no part Student2; its parts are Student, Teacher" in err
    assert not out.exists()


def test_a_file_is_replaced_only_on_demand(ppedge_here, cml, tmp_path):
    out = tmp_path / "student.pdparams"
    out.write_bytes(b"precious")
    command = ("weights", "extract", cml, "--part", "Student", "--out", out)
    code, _, err = ppedge_here(*command)
    assert code == 2 and f"{out}: there already." in err and out.read_bytes() == b"precious"
    assert ppedge_here(*command, "--force")[0] == 0 and len(read_pdparams(out)) == 2


def test_an_inference_model_gives_back_the_weights_it_was_made_of(ppedge_here, exported, tmp_path):
    folder, state = exported
    out = tmp_path / "w.pdparams"
    code, said, err = ppedge_here("weights", "from-inference", folder, "--out", out)
    assert code == 0, err
    kept = {name: value for name, value in state.items() if not name.startswith("head.thresh.")}
    found = read_pdparams(out)
    assert sorted(found) == sorted(kept)
    assert all(found[name].tobytes() == value.tobytes() for name, value in kept.items())
    assert f"{len(kept)} arrays" in said and "left out" not in said


def renamed_info(folder, target, change):
    """Copy an inference model with other names in its .pdiparams.info."""
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    info = target / "inference.pdiparams.info"
    content = pickle.loads(info.read_bytes())
    info.write_bytes(pickle.dumps(change(content), protocol=2))
    return info


def test_names_of_v4s_older_exports_become_those_of_today(ppedge_here, exported, tmp_path):
    older = {
        "backbone.blocks2.0.dw_conv.w": "backbone.blocks2.0.dw_conv.lab.scale",
        "backbone.blocks2.0.dw_conv.b": "backbone.blocks2.0.dw_conv.lab.bias",
        "backbone.blocks2.0.pw_conv.activation.w": "backbone.blocks2.0.pw_conv.act.lab.scale",
        "backbone.blocks2.0.pw_conv.activation.bias": "backbone.blocks2.0.pw_conv.act.lab.bias",
        "head.ctc_head.fc.b": "head.ctc_head.fc.b",
    }

    def change(content):
        # Paddle writes the variables in an order of its own, those of the head that is not exported among them.
        shipped = [about for about in content.values() if not about["structured_name"].startswith("head.thresh.")]
        for old, about in zip(older, shipped, strict=False):
            about["structured_name"] = old
        return content

    renamed_info(exported[0], tmp_path, change)
    assert ppedge_here("weights", "from-inference", tmp_path, "--out", tmp_path / "w.pdparams")[0] == 0
    found = read_pdparams(tmp_path / "w.pdparams")
    assert set(older.values()) <= found.keys() and not (older.keys() - set(older.values())) & found.keys()


def test_variables_without_a_name_are_left_out_and_said(ppedge_here, exported, tmp_path):
    state = exported[1]
    renamed_info(exported[0], tmp_path, lambda content: {k: v for k, v in content.items() if k != "conv2d_0.w_0"})
    code, said, _ = ppedge_here("weights", "from-inference", tmp_path, "--out", tmp_path / "w.pdparams")
    assert code == 0 and "left out, as no part of the network's state: 1 constants (conv2d_0.w_0)" in said
    name = next(iter(state))
    assert name not in read_pdparams(tmp_path / "w.pdparams")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: [], "holds no table of names"),
        (lambda content: {"a": {}}, "the entry 'a' is not a variable and its name"),
        (lambda content: {"a": {"structured_name": "b"}}, "names no array of"),
        (
            lambda content: {name: {"structured_name": "twice"} for name in content},
            "two variables have the name twice",
        ),
    ],
)
def test_names_that_are_none_are_refused(ppedge_here, exported, tmp_path, change, told):
    info = renamed_info(exported[0], tmp_path, change)
    code, _, err = ppedge_here("weights", "from-inference", tmp_path, "--out", tmp_path / "w.pdparams")
    assert code == 2 and told in err and str(info) in err
    assert not (tmp_path / "w.pdparams").exists()


def test_without_names_it_is_said_what_can_be_done(ppedge_here, exported, tmp_path):
    renamed_info(exported[0], tmp_path, dict).unlink()
    code, _, err = ppedge_here("weights", "from-inference", tmp_path, "--out", tmp_path / "w.pdparams")
    assert code == 2 and "inference.pdiparams.info: no such file" in err and "model.inference" in err


def test_what_lies_beside_weights_is_told_from_them(ppedge_here, exported, tmp_path):
    net = paddle.nn.Linear(2, 2)
    adam = paddle.optimizer.Adam(parameters=net.parameters())
    net(paddle.ones([1, 2])).sum().backward()
    adam.step()
    named = [tmp_path / name for name in ("best.pdopt", "best.states", "renamed.pdparams")]
    paddle.save(adam.state_dict(), str(named[0]))
    named[1].write_bytes(pickle.dumps({"best_model_dict": {"hmean": np.float64(0.5)}, "epoch": 3}, protocol=2))
    named[2].write_bytes(named[0].read_bytes())
    for path in named:
        code, _, err = ppedge_here("weights", "extract", path, "--part", "Student", "--out", tmp_path / "w")
        assert code == 2 and f"{path}: the state of an optimizer or of a training" in err
    code, _, err = ppedge_here(
        "weights", "extract", exported[0] / "inference.pdiparams", "--part", "Student", "--out", tmp_path / "w"
    )
    assert code == 2 and "weights of an inference model" in err and "ppedge weights from-inference" in err
