"""A program in memory: read, edited, written."""

import numpy as np
import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from ppedge.convert.lite import to_nb  # noqa: E402
from ppedge.errors import PpedgeError  # noqa: E402
from ppedge.files.inference_model import InferenceModel  # noqa: E402
from ppedge.program.operator import Operator  # noqa: E402
from ppedge.program.program import Program  # noqa: E402
from program.tiny import exported, outputs_of, program_of, types  # noqa: E402


def layers():
    return {"conv": paddle.nn.Conv2D(3, 8, 3, padding=1), "norm": paddle.nn.BatchNorm2D(8)}


def forward(net, x):
    return paddle.nn.functional.hardswish(net.norm(net.conv(x)))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("program"), layers, forward)


def bytes_of(files):
    return files.model.read_bytes(), files.params.read_bytes()


def test_a_program_that_nobody_touched_is_written_as_it_was_read(files, tmp_path):
    again = InferenceModel.at(tmp_path / "again")
    Program.read(files).copy().write(again)
    assert bytes_of(again) == bytes_of(files)


def test_what_is_edited_is_computed(files, tmp_path):
    """Half the filter, the bias gone from the program, a multiplication by 2 added behind: the same convolution."""
    program = Program.read(files)
    reference = outputs_of(program, tmp_path / "before")
    copy = program.copy()
    conv = next(one for one in copy.operators if one.type == "conv2d")
    name = conv.input("Filter")
    copy.set_weight(name, copy.weights[name] / 2)
    scaled = copy.add_variable("scaled", like=conv.output("Output"))
    add = copy.only_reader(conv.output("Output"))
    attributes = {"scale": 2.0, "bias": 0.0, "bias_after_scale": True}  # opt dies of an attribute that it misses
    double = Operator.make("scale", {"X": [conv.output("Output")]}, {"Out": [scaled]}, attributes)
    copy.insert([double], before=add)
    add.set_input("X", [scaled])
    # Paddle gives a bias four axes by a reshape2, and ends an exported network with scale by 1.
    assert types(copy) == ["conv2d", "reshape2", "scale", "elementwise_add", "batch_norm", "hard_swish", "scale"]
    assert np.abs(outputs_of(copy, tmp_path / "after")[0] - reference[0]).max() < 1e-5
    # The one it was copied from is as it was.
    assert np.array_equal(outputs_of(program, tmp_path / "still")[0], reference[0])
    assert to_nb(tmp_path / "after" / "out", tmp_path / "out.nb", "fp32").operators


def test_a_weight_that_is_added_is_written_in_its_place_and_knows_its_layer(files, tmp_path):
    program = Program.read(files)
    conv = next(one for one in program.operators if one.type == "conv2d")
    add = program.only_reader(conv.output("Output"))
    name = program.add_weight("a bias", np.zeros((1, 8, 1, 1), np.float32), conv.input("Filter"))
    add.set_input("Y", [name])
    assert [one.type for one in program.drop_dead()] == ["reshape2"]
    assert (name, program.origins) == ("a bias", {"a bias": "conv2d_0.w_0"})
    assert "conv2d_0.b_0" not in program.weights
    program.write(InferenceModel.at(tmp_path / "net"))
    again = Program.read(InferenceModel.at(tmp_path / "net"))
    assert (again.shape("a bias"), again.weights.keys()) == ((1, 8, 1, 1), program.weights.keys())
    assert program.add_weight("a bias", np.zeros(8, np.float32), name) == "a bias.1"
    assert program.origins["a bias.1"] == "conv2d_0.w_0"


def test_what_no_output_depends_on_is_dropped(tmp_path):
    """Of two outputs one is no longer fetched: its operators and weights go, and what both need stays."""

    def two(net, x):
        x = net.conv(x)
        return x.tanh(), net.norm(x)

    program = program_of(tmp_path, layers, two)
    assert len(program.outputs) == 2
    program.remove(program.readers(program.outputs[1])[0])
    assert [one.type for one in program.drop_dead()] == ["batch_norm", "scale"]
    assert types(program) == ["conv2d", "reshape2", "elementwise_add", "tanh", "scale"]
    assert sorted(program.weights) == ["conv2d_0.b_0", "conv2d_0.w_0"]
    outputs_of(program, tmp_path / "after")


def test_writers_and_readers(files):
    program = Program.read(files)
    conv, _, add, norm, last, _ = (one for one in program.operators if one.type not in ("feed", "fetch"))
    assert program.writer("x").type == "feed" and program.readers(program.outputs[0])[0].type == "fetch"
    assert program.writer(add.output("Out")) is add and program.only_reader(conv.output("Output")) is add
    last.set_input("X", [add.output("Out")])
    assert program.readers(add.output("Out")) == [norm, last] and program.only_reader(add.output("Out")) is None
    # A variable that is written twice has no one writer, and its reader is not sure of what it reads.
    norm.set_output("Y", [add.output("Out")])
    assert program.writer(add.output("Out")) is None
    assert program.constant(norm.input("Mean")) is not None and program.constant("x") is None
    conv.set_output("Output", ["conv2d_0.b_0"])
    assert program.constant("conv2d_0.b_0") is None


def test_attributes_keep_their_types(files):
    conv = next(one for one in Program.read(files).operators if one.type == "conv2d")
    assert conv.get("strides") == [1, 1] and conv.get("nothing", 7) == 7
    conv.set("strides", [2, 1])
    assert conv.get("strides") == [2, 1]
    with pytest.raises(TypeError):
        conv.set("strides", [0.5])
    made = Operator.make("any", {}, {}, {"a": True, "b": 2, "c": 0.5, "d": "e", "f": [1, 2], "g": [0.5]})
    assert [made.get(name) for name in "abcdfg"] == [True, 2, 0.5, "e", [1, 2], [0.5]]
    assert [attribute.type for attribute in made.description.attrs] == [6, 0, 1, 2, 3, 4]


def test_a_network_with_control_flow_is_refused(files, tmp_path):
    program = Program.read(files)
    description = program.described()
    description.blocks.add(idx=1, parent_idx=0)
    target = InferenceModel.at(tmp_path / "net")
    target.model.write_bytes(description.SerializeToString())
    target.params.write_bytes(files.params.read_bytes())
    with pytest.raises(PpedgeError, match="2 blocks of operators"):
        Program.read(target)
