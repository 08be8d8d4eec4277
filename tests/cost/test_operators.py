"""Operators of a file with their shapes."""

from pathlib import Path

import pytest

import ppedge.arm
from ppedge.cost.operators import Operation, operations, operations_as_far_as_known
from ppedge.errors import PpedgeError
from ppedge.files.nb import Kernel, NbFile, Operator, Parameter, Variable, read_nb

SELFTEST = Path(ppedge.arm.__file__).with_name("selftest.nb")
KERNEL = Kernel("def", "arm", "fp32", "nchw")


def file_of(*operators, **weights):
    """A network: feed, then operators of ``(type, slots, attributes)``, each reading ``x`` unless it says otherwise."""
    feed = Operator("feed", {"X": ["feed"]}, {"Out": ["x"]}, {"col": 0}, KERNEL)
    made = [
        Operator(kind, {"X": ["x"], **slots}, {"Out": ["y"]}, attributes, KERNEL)
        for kind, slots, attributes in operators
    ]
    parameters = [Parameter(name, "fp32", shape, 0) for name, shape in weights.items()]
    return NbFile(Path("m.nb"), 2, "v2.13", 0, [feed, *made], parameters, [Variable("x", False)])


CONV = {"strides": [2, 2], "paddings": [1, 1], "dilations": [1, 1], "groups": 1}


@pytest.mark.parametrize(
    ("operator", "shape", "wanted"),
    [
        (("conv2d", {"Input": ["x"], "Filter": ["w"]}, CONV), (1, 4, 9, 16), (1, 8, 5, 8)),
        (("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "paddings": [0, 1, 2, 2]}),
         (1, 4, 9, 16), (1, 8, 4, 9)),
        (("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "dilations": [2, 2]}), (1, 4, 9, 16), (1, 8, 4, 7)),
        (("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "paddings": [0, 0], "padding_algorithm": "SAME"}),
         (1, 4, 9, 16), (1, 8, 5, 8)),
        (("pool2d", {}, {"ksize": [2, 2], "strides": [1, 1], "paddings": [0, 0], "padding_algorithm": "SAME"}),
         (1, 4, 5, 8), (1, 4, 5, 8)),
        (("conv2d_transpose", {"Input": ["x"], "Filter": ["w"]}, {"strides": [2, 2], "paddings": [0, 0]}),
         (1, 8, 5, 6), (1, 4, 11, 13)),
        (("conv2d_transpose", {"Input": ["x"], "Filter": ["w"]},
          {"strides": [2, 2], "paddings": [1, 1], "output_padding": [1, 1]}), (1, 8, 5, 6), (1, 4, 10, 12)),
        (("conv2d_transpose", {"Input": ["x"], "Filter": ["w"]},
          {"strides": [2, 2], "paddings": [1, 1], "dilations": [2, 2], "output_padding": [], "output_size": []}),
         (1, 8, 5, 6), (1, 4, 11, 13)),
        (("conv2d_transpose", {"Input": ["x"], "Filter": ["w"]},
          {"strides": [2, 2], "paddings": [1, 1], "output_size": [10, 11]}), (1, 8, 5, 6), (1, 4, 10, 11)),
        (("pool2d", {}, {"ksize": [2, 2], "strides": [2, 2], "paddings": [0, 0]}), (1, 4, 5, 8), (1, 4, 2, 4)),
        (("pool2d", {}, {"ksize": [2, 2], "strides": [2, 2], "paddings": [0, 0], "ceil_mode": True}),
         (1, 4, 5, 8), (1, 4, 3, 4)),
        (("pool2d", {}, {"ksize": [1, 1], "strides": [1, 1], "global_pooling": True}), (1, 4, 5, 8), (1, 4, 1, 1)),
        (("pool2d", {}, {"ksize": [3, 2], "strides": [1, 1], "adaptive": True}), (1, 4, 9, 8), (1, 4, 3, 2)),
        (("nearest_interp_v2", {}, {"scale": [2.0, 4.0]}), (1, 4, 5, 8), (1, 4, 10, 32)),
        (("nearest_interp_v2", {}, {"scale": [], "out_h": 7, "out_w": 3}), (1, 4, 5, 8), (1, 4, 7, 3)),
        (("concat", {"X": ["x", "x", "w"]}, {"axis": 0}), (8, 4, 3, 3), (24, 4, 3, 3)),
        (("elementwise_add", {"X": ["w"], "Y": ["x"]}, {}), (1, 1, 1, 1), (8, 4, 3, 3)),
        (("elementwise_mul", {"Y": ["r"]}, {}), (1, 1, 5, 1), (1, 4, 5, 8)),
        (("elementwise_add", {"Y": ["c"]}, {"axis": 1}), (1, 4, 5, 8), (1, 4, 5, 8)),
        (("reshape2", {}, {"shape": [0, -1, 6]}), (2, 4, 9), (2, 6, 6)),
        (("squeeze2", {}, {"axes": [2]}), (1, 4, 1, 8), (1, 4, 8)),
        (("squeeze2", {}, {"axes": []}), (1, 4, 1, 8), (4, 8)),
        (("unsqueeze2", {}, {"axes": [2]}), (1, 4, 8), (1, 4, 1, 8)),
        (("unsqueeze2", {}, {"axes": [-1, 0]}), (4, 8), (1, 4, 8, 1)),
        (("elementwise_max", {"Y": ["x"]}, {}), (1, 4, 5, 8), (1, 4, 5, 8)),
        (("clip", {}, {"min": 0.0, "max": 20.0}), (1, 4, 5, 8), (1, 4, 5, 8)),
        (("flatten_contiguous_range", {}, {"start_axis": 1, "stop_axis": -1}), (2, 4, 3, 8), (2, 96)),
        (("transpose2", {}, {"axis": [0, 2, 1]}), (1, 4, 8), (1, 8, 4)),
        (("fc", {"Input": ["x"], "W": ["v"]}, {"in_num_col_dims": 1, "op_type": "matmul_v2"}),
         (1, 80, 96), (1, 80, 68)),
        (("fc", {"Input": ["x"], "W": ["v"]}, {"in_num_col_dims": 1}), (1, 96), (1, 68)),
        (("fc", {"Input": ["x"], "W": ["v"]}, {"in_num_col_dims": 1, "op_type": "mul"}), (1, 24, 2, 2), (1, 68)),
        (("matmul_v2", {"Y": ["v"]}, {"trans_x": False, "trans_y": False}), (5, 96), (5, 68)),
        (("rnn", {"Input": ["x"]}, {"hidden_size": 48, "is_bidirec": True, "num_layers": 2}), (80, 1, 9), (80, 1, 96)),
        (("pixel_shuffle", {}, {"upscale_factor": 4}), (1, 16, 5, 6), (1, 1, 20, 24)),
        (("slice", {"Input": ["x"]}, {"axes": [2], "starts": [-3], "ends": [99], "decrease_axis": []}),
         (1, 4, 9, 6), (1, 4, 3, 6)),
        (("strided_slice", {"Input": ["x"]}, {"axes": [2, 3], "starts": [0, 1], "ends": [9, 99], "strides": [2, 2]}),
         (1, 4, 9, 6), (1, 4, 5, 3)),
    ],
)  # fmt: skip
def test_shapes(operator, shape, wanted):
    (op,) = operations(file_of(operator, w=(8, 4, 3, 3), v=(96, 68), r=(1, 4, 1, 8), c=(4,)), shape)
    assert op.output == wanted


def test_what_a_cost_depends_on():
    convolution, bias, added = operations(read_nb(SELFTEST), (1, 2, 8, 10))
    picture, channels = (1, 3, 8, 10), (1, 3, 1, 1)
    assert convolution == Operation("conv2d", ((1, 2, 8, 10),), picture, kernel=(3, 3), weight="conv2d_0.w_0")
    assert bias == Operation("reshape2", ((3,),), channels, precision="any")
    assert added == Operation("fusion_elementwise_add_activation", (picture, channels), picture, activation="relu")


def test_how_an_operand_is_repeated_and_a_window_has_gaps():
    shape = (1, 4, 5, 8)
    added = ("elementwise_add", {"Y": ["c"]}, {"axis": 1})
    last = ("elementwise_add", {"Y": ["l"]}, {"axis": -1})
    gaps = ("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "dilations": [2, 1]})
    found = operations(file_of(added, last, gaps, w=(8, 4, 3, 3), c=(4,), l=(8,)), shape)
    assert [op.inputs for op in found[:2]] == [(shape, (1, 4, 1, 1)), (shape, (1, 1, 1, 8))]
    assert [op.dilations for op in found] == [(1, 1), (1, 1), (2, 1)]


def test_a_pooling_over_everything_has_the_pictures_window():
    attributes = {"ksize": [1, 1], "strides": [1, 1], "global_pooling": True, "pooling_type": "avg"}
    (op,) = operations(file_of(("pool2d", {}, attributes)), (1, 4, 5, 8))
    assert (op.kernel, op.variant) == ((5, 8), "avg")


def test_names_that_opt_uses_twice():
    """opt gives one variable's memory, and name, to a later one."""
    first = Operator("squeeze2", {"X": ["x"]}, {"Out": ["t"]}, {"axes": [0]}, KERNEL)
    second = Operator("transpose2", {"X": ["t"]}, {"Out": ["t"]}, {"axis": [1, 0]}, KERNEL)
    third = Operator("relu", {"X": ["t"]}, {"Out": ["x"]}, {}, KERNEL)
    nb = file_of()
    nb.operators.extend([first, second, third])
    assert [op.output for op in operations(nb, (1, 4, 9))] == [(4, 9), (9, 4), (9, 4)]


def test_all_parts_of_a_split_have_a_shape():
    halves = Operator("split", {"X": ["x"]}, {"Out": ["a", "b"]}, {"axis": 1, "num": 2}, KERNEL)
    second = Operator("relu", {"X": ["b"]}, {"Out": ["y"]}, {}, KERNEL)
    nb = file_of()
    nb.operators.extend([halves, second])
    assert [op.output for op in operations(nb, (1, 4, 9, 6))] == [(1, 2, 9, 6)] * 2


def test_a_name_that_is_used_again_by_an_operator_that_is_not_known_has_no_old_shape():
    first = Operator("relu", {"X": ["x"]}, {"Out": ["t"]}, {}, KERNEL)
    again = Operator("yolo_box", {"X": ["t"]}, {"Out": ["t"]}, {}, KERNEL)
    third = Operator("relu", {"X": ["t"]}, {"Out": ["y"]}, {}, KERNEL)
    nb = file_of()
    nb.operators.extend([first, again, third])
    found = operations_as_far_as_known(nb, (1, 4, 9, 6))
    assert found[0].output == (1, 4, 9, 6)
    assert ["yolo_box" in found[1].message, "relu's input X" in found[2].message] == [True, True]


def test_an_operator_that_is_not_known():
    with pytest.raises(PpedgeError, match="m.nb: what yolo_box does to shapes is not known here"):
        operations(file_of(("yolo_box", {}, {})), (1, 3, 8, 8))


def test_a_number_of_inputs_that_is_wrong():
    with pytest.raises(PpedgeError, match="has 1 inputs, 2 shapes were given"):
        operations(file_of(), (1, 3, 8, 8), (1, 3, 8, 8))


@pytest.mark.parametrize(
    ("kind", "slots", "attributes"),
    [
        ("conv2d", {"Input": ["x"], "Filter": ["w"]}, {}),
        ("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "strides": [0, 1]}),
        ("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "strides": 2}),
        ("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "paddings": [1, 1, 1]}),
        ("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "groups": 0}),
        ("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "dilations": [9, 9]}),
        ("conv2d", {"Input": ["x"], "Filter": ["w"]}, {**CONV, "paddings": [1 << 30, 1 << 30]}),
        ("pool2d", {}, {"ksize": [1 << 30, 1], "strides": [1, 1], "paddings": [1 << 30, 1 << 30]}),
        ("reshape2", {}, {"shape": [0, 0, 0, 0, 0]}),
        ("reshape2", {}, {"shape": None}),
        ("transpose2", {}, {"axis": None}),
        ("strided_slice", {"Input": ["x"]}, {"axes": [2], "starts": [8], "ends": [0], "strides": [-1]}),
        ("transpose2", {}, {"axis": [0, 9, 1, 2]}),
        ("pool2d", {}, {"ksize": "x", "strides": [2, 2], "paddings": [0, 0]}),
        ("rnn", {"Input": ["x"]}, {"hidden_size": 8}),
    ],
)
def test_attributes_that_do_not_fit(kind, slots, attributes):
    with pytest.raises(PpedgeError, match=f"m.nb: the attributes of an operator {kind} do not fit what it reads"):
        operations(file_of((kind, slots, attributes), w=(8, 4, 3, 3)), (1, 4, 9, 16))
