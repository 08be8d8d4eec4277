import collections
import io
import os
import pickle
import subprocess
import sys

import numpy as np
import paddle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppedge.errors import PpedgeError
from ppedge.models import zoo
from ppedge.models.weights import load_backbone, load_weights, read_pdparams, state_of, write_pdparams

STATE = {"b.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.array([1, 2], np.int64)}


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.fixture(scope="module")
def crnn(rec_model):
    paddle.seed(0)
    return zoo.build(rec_model, "rec", 11)


def test_round_trip(tmp_path):
    path = tmp_path / "w.pdparams"
    write_pdparams(path, STATE)
    read = read_pdparams(path)
    assert sorted(read) == sorted(STATE)
    for name, array in STATE.items():
        assert np.array_equal(read[name], array)
        assert read[name].dtype == array.dtype
        assert read[name].flags.writeable


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int8", "int32", "bool", ">f4"])
def test_types_survive(tmp_path, dtype):
    array = np.array([[1, 0], [3, 4]]).astype(dtype)
    write_pdparams(tmp_path / "w", {"x": np.asfortranarray(array), "scalar": array[0, 0]})
    read = read_pdparams(tmp_path / "w")
    assert np.array_equal(read["x"], array)
    assert read["x"].dtype == array.dtype.newbyteorder("=")
    assert read["scalar"].shape == ()


def test_equal_weights_give_equal_bytes(tmp_path):
    write_pdparams(tmp_path / "1", STATE)
    shared = np.zeros(3, np.float32)
    write_pdparams(tmp_path / "2", {k: np.asfortranarray(STATE[k]) for k in reversed(STATE)})
    write_pdparams(tmp_path / "3", {"x": shared, "y": shared})
    write_pdparams(tmp_path / "4", {"x": shared, "y": shared.copy()})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert (tmp_path / "3").read_bytes() == (tmp_path / "4").read_bytes()


def test_paddle_reads_what_we_write(tmp_path):
    write_pdparams(tmp_path / "w.pdparams", STATE)
    loaded = paddle.load(str(tmp_path / "w.pdparams"))
    assert np.array_equal(loaded["b.weight"].numpy(), STATE["b.weight"])


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_we_read_what_paddle_writes(tmp_path, protocol):
    net = paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2))
    expected = state_of(net)
    for name, content in (("state_dict", net.state_dict()), ("dict", dict(net.state_dict()))):
        path = tmp_path / name
        paddle.save(content, str(path), protocol=protocol)
        read = read_pdparams(path)
        assert list(read) == list(expected)
        assert all(np.array_equal(read[k], expected[k]) for k in expected)


def test_plain_containers_are_admitted(tmp_path):
    path = tmp_path / "w"
    path.write_bytes(pickle.dumps(collections.OrderedDict(x=("conv2d_0.w_0", STATE["b.weight"])), 2))
    assert np.array_equal(read_pdparams(path)["x"], STATE["b.weight"])


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("attack", "asked"),
    [
        (lambda mark: Call(os.system, f"touch {mark}"), "system"),
        (lambda mark: Call(eval, f"open({mark!r}, 'w')"), "eval"),
        (lambda mark: Call(open, mark, "w"), "open"),
        (lambda mark: Call(subprocess.Popen, ["touch", mark]), "Popen"),
        (lambda mark: Call(getattr, "text", "format"), "getattr"),
        (lambda mark: Call(np.fromfile, mark), "fromfile"),
    ],
    ids=["system", "eval", "open", "Popen", "getattr", "fromfile"],
)
def test_a_pickle_that_calls_something_is_refused(tmp_path, attack, asked, protocol):
    path, mark = tmp_path / "evil.pdparams", tmp_path / "mark"
    path.write_bytes(pickle.dumps({"x": STATE["b.weight"], "y": attack(str(mark))}, protocol))
    with pytest.raises(PpedgeError, match=r"evil\.pdparams: refused") as error:
        read_pdparams(path)
    if protocol in (2, 3, 4):
        assert asked in error.value.message
    assert not mark.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        # A class's or function's attributes must not be reachable through what is admitted.
        (b"\x80\x04cnumpy\ndtype\nN}(\x8c\x05_make\x8c\x01xu\x86b.", "alter a function"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.", "rot13"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),
        (b"\x80\x02(i__main__\nX\n.", "INST"),
        (b"\x80\x02Pid\n.", "PERSID"),
    ],
)
def test_hand_made_attacks(tmp_path, data, said):
    path = tmp_path / "w"
    path.write_bytes(data)
    with pytest.raises(PpedgeError, match="refused") as error:
        read_pdparams(path)
    assert said in error.value.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a whole"),
        (b"PNG", "not a whole|refused"),
        (pickle.dumps(STATE)[:-5], "not a whole"),
        (pickle.dumps(STATE)[:60], "not a whole"),
        # Asks the unpickler for 64 GB of memo.
        (b"\x80\x02}r\xff\xff\xff\xff.", "object number"),
        (pickle.dumps([1, 2]), "no table"),
        (pickle.dumps({"x": 1}), "'x' is not an array"),
        (pickle.dumps({"x": {"y": STATE["b.weight"]}}), "'x' is not an array"),
        (pickle.dumps({3: STATE["b.weight"]}), "3 is not an array"),
        (pickle.dumps({"x": np.array([None])}), "'O8'"),
        (pickle.dumps({"x": np.zeros(1, "f4,f4")}), "'V8'"),
    ],
)
def test_damaged_and_foreign_files(tmp_path, content, said):
    path = tmp_path / "w.pdparams"
    path.write_bytes(content)
    with pytest.raises(PpedgeError, match=said) as error:
        read_pdparams(path)
    assert str(path) in error.value.message


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(PpedgeError, match="no such file"):
        read_pdparams(tmp_path / "none")
    with pytest.raises(PpedgeError, match="cannot be read"):
        read_pdparams(tmp_path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_an_error_or_arrays(tmp_path, data):
    buffer = io.BytesIO()
    pickle.dump(STATE, buffer, protocol=data.draw(st.sampled_from([2, 4])))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "w"
    path.write_bytes(content)
    try:
        read = read_pdparams(path)
    except PpedgeError:
        return
    assert all(isinstance(array, np.ndarray) for array in read.values())


def test_reading_needs_no_paddle(tmp_path):
    write_pdparams(tmp_path / "w", STATE)
    code = (
        "import sys, pathlib; from ppedge.models import weights; "
        f"weights.read_pdparams(pathlib.Path({str(tmp_path / 'w')!r})); assert 'paddle' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_mismatches_are_listed_and_change_nothing(crnn):
    before = state_of(crnn)
    state = {k: v + 1 for k, v in before.items()}
    del state["head.fc.bias"]
    state["head.fc.weight"] = np.zeros((96, 12), np.float32)
    state |= {f"extra.{i}": np.zeros(1) for i in range(7)}
    with pytest.raises(PpedgeError) as error:
        load_weights(crnn, state, "w.pdparams")
    message = error.value.message
    assert message.startswith("w.pdparams: ")
    assert "1 missing (head.fc.bias)" in message
    assert "7 unexpected (extra.0, extra.1, extra.2, extra.3, extra.4, ...)" in message
    assert "1 of another shape (head.fc.weight [96, 12] instead of [96, 11])" in message
    after = state_of(crnn)
    assert all(np.array_equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize("kept", ["l0", "cell", "both"])
def test_either_name_of_an_lstm_weight_will_do(crnn, kept):
    rng = np.random.default_rng(0)
    drop = {"l0": ".cell_", "cell": "_l", "both": "-"}[kept]
    lstm = "neck.encoder.lstm."
    new = {k: v + 1 for k, v in state_of(crnn).items()}
    new["head.fc.bias"] = rng.random(11, dtype=np.float32)
    load_weights(crnn, {k: v for k, v in new.items() if not (k.startswith(lstm) and drop in k)}, "w")
    loaded = state_of(crnn)
    assert all(np.array_equal(loaded[k], new[k]) for k in new)


def test_two_names_with_different_values_are_an_error(crnn):
    state = state_of(crnn)
    state["neck.encoder.lstm.weight_ih_l0"] = state["neck.encoder.lstm.weight_ih_l0"] + 1
    with pytest.raises(PpedgeError, match="1 given twice with different values"):
        load_weights(crnn, state, "w")


def test_a_missing_lstm_weight_counts_once(crnn):
    state = {k: v for k, v in state_of(crnn).items() if "weight_ih_l0" not in k and "0.cell_fw.weight_ih" not in k}
    with pytest.raises(PpedgeError, match=r"missing \(neck\.encoder\.lstm\.weight_ih_l0") as error:
        load_weights(crnn, state, "w")
    assert "1 missing" in error.value.message


def test_backbone_from_a_classifier(crnn):
    state = {k.removeprefix("backbone."): v + 1 for k, v in state_of(crnn).items() if k.startswith("backbone.")}
    extra = {"out.weight": np.zeros((2, 2), np.float32)}
    assert load_backbone(crnn, state | extra, "w") == ["out.weight"]
    assert np.array_equal(state_of(crnn)["backbone.conv1.conv.weight"], state["conv1.conv.weight"])
    with pytest.raises(PpedgeError, match="1 missing"):
        load_backbone(crnn, {k: v for k, v in state.items() if k != "conv2.conv.weight"}, "w")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(crnn, value):
    """A network of such weights reads nothing and says nothing."""
    before = state_of(crnn)
    state = {**before, "head.fc.bias": np.full(11, value, np.float32)}
    with pytest.raises(PpedgeError, match=r"w: the weights do not fit the network: 1 not finite \(head\.fc\.bias\)"):
        load_weights(crnn, state, "w")
    assert all(np.array_equal(before[name], array) for name, array in state_of(crnn).items())
