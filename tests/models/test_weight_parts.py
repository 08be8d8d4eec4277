"""The networks within one file of weights."""

import gzip
import json

import numpy as np
import pytest

from ppedge.errors import PpedgeError
from ppedge.models.weight_parts import parts, pick


def arrays(*names):
    return {name: np.full(1, number, np.float32) for number, name in enumerate(names)}


CML = arrays(
    "Student.backbone.conv.weight", "Student.head.fc.bias", "Student2.backbone.conv.weight",
    "Teacher.backbone.conv.weight", "Teacher.neck.ins_conv.0.weight", "centres",
)  # fmt: skip


def test_each_network_has_its_own_names_and_values():
    found = parts(CML)
    assert {name: list(state) for name, state in found.items()} == {
        "Student": ["backbone.conv.weight", "head.fc.bias"],
        "Student2": ["backbone.conv.weight"],
        "Teacher": ["backbone.conv.weight", "neck.ins_conv.0.weight"],
    }
    assert found["Student2"]["backbone.conv.weight"] is CML["Student2.backbone.conv.weight"]


@pytest.mark.parametrize("name", ["backbone.neck.weight", "head.sar_head.decoder.backbone.weight"])
def test_one_network_has_no_parts(name):
    state = arrays(name, "neck.encoder.lstm.weight_ih_l0")
    assert parts(state) == {}
    assert pick(state, "w.pdparams") == (state, None)


def test_a_classifier_of_no_known_parts_is_taken_as_it_is():
    state = arrays("conv1.weight", "out.weight")
    assert pick(state, "w.pdparams") == (state, None)


def test_the_student_is_picked_unless_another_is_named():
    assert pick(CML, "w.pdparams") == (parts(CML)["Student"], "Student")
    assert pick(CML, "w.pdparams", "Teacher") == (parts(CML)["Teacher"], "Teacher")
    assert pick(arrays("Teacher.backbone.x"), "w.pdparams") == (arrays("backbone.x"), "Teacher")


@pytest.mark.parametrize(
    ("state", "part", "told"),
    [
        (CML, "student", "w.pdparams: has no part student; its parts are Student, Student2, Teacher."),
        (arrays("A.backbone.x", "B.backbone.x"), None, "w.pdparams: has no part Student; its parts are A, B."),
        (arrays("backbone.x"), "Student", "w.pdparams: holds one network and no part Student."),
    ],
)
def test_a_part_that_is_not_there_is_named_with_those_that_are(state, part, told):
    with pytest.raises(PpedgeError) as error:
        pick(state, "w.pdparams", part)
    assert error.value.message == told


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v3_det_cml", ["Teacher", "Student", "Student2"]),
        ("v2_det_distill", ["Teacher", "Student"]),
        ("v3_rec_distillation_97", ["Teacher", "Student"]),
        ("v3_rec_97", []),
        ("v4_det_teacher", []),
    ],
)
def test_the_networks_of_official_checkpoints(shared_data, name, expected):
    rows = json.loads(gzip.decompress((shared_data / f"reference/networks/{name}.json.gz").read_bytes()))["state"]
    found = parts({row["name"]: np.empty(0) for row in rows})
    assert sorted(found) == sorted(expected)
    assert sum(map(len, found.values())) == (len(rows) if expected else 0)
