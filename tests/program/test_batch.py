"""Programs for one line at a time, of those that take any number."""

import numpy as np
import pytest

paddle = pytest.importorskip("paddle", reason="programs need Paddle's description of them")

from paddle import nn  # noqa: E402

from ppedge.convert.bringing import write_one_line  # noqa: E402
from ppedge.engines import open_engine  # noqa: E402
from ppedge.errors import PpedgeError  # noqa: E402
from ppedge.files.inference_model import InferenceModel  # noqa: E402
from ppedge.program.batch import of_one  # noqa: E402
from program.tiny import exported, outputs_of, program_of, types  # noqa: E402


def crnn():
    """A recogniser's end as PaddleOCR exports it: the first states of the LSTM are computed from the batch."""
    return {"conv": nn.Conv2D(3, 6, 1), "lstm": nn.LSTM(6, 5, direction="bidirectional"), "last": nn.Linear(10, 4)}


def lines(net, x):
    return net.last(net.lstm(net.conv(x).squeeze(2).transpose([0, 2, 1]))[0])


def test_the_states_of_an_lstm_are_those_of_one_line(tmp_path):
    program = program_of(tmp_path / "net", crnn, lines, (-1, 3, 1, -1))
    assert "shape" in types(program)
    before = outputs_of(program, tmp_path / "before", (1, 3, 1, 9))[0]
    one = of_one(program)
    assert "shape" not in types(one) and types(one).count("fill_constant") == 2
    [rnn] = [operator for operator in one.operators if operator.type == "rnn"]
    assert one.shape(one.inputs[0]) == (1, 3, 1, -1) and one.shape(rnn.input("Input")) == (-1, 1, 6)
    assert all(one.writer(name).get("shape") == [2, 1, 5] for name in rnn.inputs["PreState"])
    np.testing.assert_array_equal(outputs_of(one, tmp_path / "after", (1, 3, 1, 9))[0], before)
    assert program.shape(program.inputs[0])[0] == -1, "the program itself stays"


def test_a_batch_that_the_network_makes_itself(tmp_path):
    """Two lines of each stay two; as many as are wide enough, of which nobody knows the number, are refused."""
    x = np.random.default_rng(1).standard_normal((1, 3, 1, 8), dtype=np.float32)
    one = InferenceModel.at(tmp_path / "one" / "net")
    files = exported(tmp_path / "two", crnn, lambda net, x: lines(net, x.reshape([2, 3, 1, -1])), (-1, 3, 1, -1))
    write_one_line(files, one.model.with_suffix(""))
    with open_engine("paddle", files.model) as before, open_engine("paddle", one.model) as after:
        np.testing.assert_array_equal(after.run([x])[0], before.run([x])[0])
    files = exported(tmp_path / "many", crnn, lambda net, x: lines(net, x.reshape([-1, 3, 1, 4])), (-1, 3, 1, -1))
    with pytest.raises(PpedgeError, match=r"net.pdmodel: has an LSTM and a free batch; .* of one line Paddle knows no"):
        write_one_line(files, tmp_path / "none" / "net")
    assert not (tmp_path / "none").exists()
