"""Programs of Paddle 2.6 of which opt dies are given to it with what it misses, and compute the same."""

import struct
import sys

import numpy as np
import pytest
from programs import message, program

from ppedge.arm import lite
from ppedge.convert.lite import to_nb
from ppedge.engines import open_engine
from ppedge.errors import MissingError, PpedgeError
from ppedge.files import for_opt
from ppedge.files.for_opt import complete
from ppedge.files.inference_model import InferenceModel
from ppedge.files.protobuf import parts_of
from ppedge.process import run_child

EXPORT = """
import sys
import ppedge
import numpy as np
import paddle
from pathlib import Path
from paddle import nn
from paddle.nn import functional as F
from ppedge.convert import export

class Net(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2D(3, 8, 3, 2, 1, bias_attr=False), nn.BatchNorm2D(8))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = F.max_pool2d(F.swish(self.conv(x)), (16, 1), (16, 1))
        return F.softmax(self.fc(x.flatten(2).transpose([0, 2, 1])), axis=2)

prefix = Path(sys.argv[1])
net = Net()
x = np.random.default_rng(0).standard_normal((1, 3, 32, 64), dtype=np.float32)
net.eval()
export.save_cases(prefix.with_suffix(".npz"), [(x, net(paddle.to_tensor(x)).numpy())])
export.export_float(net, prefix, "rec")
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("paddle", reason="exporting needs Paddle")
    prefix = tmp_path_factory.mktemp("svtr") / "net"
    script = prefix.with_suffix(".py")  # Paddle reads the source of what it traces
    script.write_text(EXPORT)
    run_child([sys.executable, script, prefix], "exporting")
    files = InferenceModel.at(prefix)
    files.model.write_bytes(without_beta(files.model.read_bytes()))
    return prefix


def without_beta(whole):
    """Take swish's attribute away, as exporters do that know of no other value than 1."""

    def taken(number, content, raw, path):
        if (*path, number) == (1, 4, 4) and b"beta" in content:
            return b""
        if (*path, number) in [(1,), (1, 4)]:
            inner = b"".join(taken(*part, (*path, number)) for part in parts_of(content))
            return message(number, inner)
        return raw

    return b"".join(taken(*part, ()) for part in parts_of(whole))


@pytest.mark.parametrize(("given", "death"), [("swish", "SIGABRT"), ("flatten", "SIGSEGV")])
def test_opt_dies_of_it_as_it_is(model, tmp_path, monkeypatch, given, death):
    """Of the two, each alone is its death."""
    kept = {"swish": "_flattened", "flatten": "_swished"}[given]
    monkeypatch.setattr(for_opt, "ADDITIONS", {k: v for k, v in for_opt.ADDITIONS.items() if v.__name__ == kept})
    with pytest.raises(PpedgeError, match=f"opt died of {death}"):
        to_nb(model, tmp_path / "net.nb", "fp32")


def test_what_is_missing_is_added_and_the_network_computes_the_same(model, tmp_path):
    before, said = InferenceModel.at(model).model.read_bytes(), []
    nb = to_nb(model, tmp_path / "net.nb", "fp32", say=said.append)
    assert InferenceModel.at(model).model.read_bytes() == before
    assert [op.attributes["beta"] for op in nb.operators if op.type == "swish"] == [1.0]
    assert "swish has got its attribute beta = 1" in said[0] and "XShape" in said[0]
    try:
        lite.registered()
    except MissingError as error:
        pytest.skip(str(error))
    with np.load(model.with_suffix(".npz")) as case, open_engine("arm-paddlelite", tmp_path / "net.nb") as engine:
        np.testing.assert_allclose(engine.run([case["x0"]])[0], case["y0"], atol=1e-5)


def test_only_what_is_missing_is_added(model, tmp_path):
    edited, additions = complete(InferenceModel.at(model).model.read_bytes())
    assert len(additions) == 2
    assert complete(edited) == (edited, [])
    target = InferenceModel.at(tmp_path / "net")
    target.model.write_bytes(edited)
    target.params.write_bytes(InferenceModel.at(model).params.read_bytes())
    target.check()
    assert target.signature() == InferenceModel.at(model).signature()
    x = np.random.default_rng(1).standard_normal((1, 3, 32, 40), dtype=np.float32)
    with open_engine("paddle", target.model) as mine, open_engine("paddle", InferenceModel.at(model).model) as theirs:
        assert np.array_equal(mine.run([x])[0], theirs.run([x])[0])


def test_other_programs_are_left_to_the_byte():
    other = program([(-1, 3, -1, -1)], [(-1, 1, -1, -1)], ["conv2d", "sigmoid"])
    assert complete(other) == (other, [])
    assert b"".join(raw for _, _, raw in parts_of(other)) == other


def network(*operators):
    """Return the bytes of a program of these operators, each with its inputs and outputs by slot, and its numbers."""
    described = [
        message(4, *(message(field, message(1, slot.encode()), *(message(2, name.encode()) for name in names.split()))
                     for field, slots in ((1, reads), (2, writes)) for slot, names in slots.items()),
                message(3, kind.encode()),
                *(message(4, message(1, name.encode()), b"\x10\x01\x25" + struct.pack("<f", value))
                  for numbers in given for name, value in numbers.items()))
        for kind, reads, writes, *given in operators
    ]  # fmt: skip
    return message(1, *described)


CONVOLVED = ("conv2d", {"Input": "x", "Filter": "w"}, {"Output": "c"})
ADDED = ("elementwise_add", {"X": "c", "Y": "b"}, {"Out": "a"})
SCALED = ("scale", {"X": "h"}, {"Out": "s"}, {"scale": 1.5, "bias": 0.0})


@pytest.mark.parametrize("kind", for_opt.JOINED)
def test_a_scale_that_opt_would_compute_before_the_activation_is_found(kind):
    activated = (kind, {"X": "a"}, {"Out": "h"})

    assert for_opt.misread(network(CONVOLVED, ADDED, activated, SCALED)) == ["s"]


def test_a_scale_that_opt_leaves_alone_is_not_found():
    reshaped = ("reshape2", {"X": "bias"}, {"Out": "b"})
    activated = ("hard_swish", {"X": "a"}, {"Out": "h"})

    assert for_opt.misread(network(CONVOLVED, reshaped, ADDED, activated, SCALED)) == []
    assert for_opt.misread(network(CONVOLVED, ADDED, ("sigmoid", {"X": "a"}, {"Out": "h"}), SCALED)) == []
    assert for_opt.misread(network(CONVOLVED, ("scale", {"X": "c"}, {"Out": "s"}, {"scale": 1.5}))) == []
    by_one = ("scale", {"X": "h"}, {"Out": "s"}, {"scale": 1.0, "bias": 0.0})
    assert for_opt.misread(network(CONVOLVED, ADDED, activated, by_one)) == []


def test_what_opt_would_misread_is_refused(tmp_path, monkeypatch):
    files = InferenceModel.at(tmp_path / "net")
    files.model.write_bytes(network(CONVOLVED, ADDED, ("relu", {"X": "a"}, {"Out": "h"}), SCALED))
    files.params.write_bytes(b"")
    monkeypatch.setattr(InferenceModel, "check", lambda self: None)

    with pytest.raises(PpedgeError, match="the scale that makes s before the activation.*--rewrite exact"):
        to_nb(tmp_path / "net", tmp_path / "net.nb", "fp32")
