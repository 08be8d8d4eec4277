"""Hostile weights files: small ones that would take the stack or the memory of whoever unpickles them."""

import pickle
import struct

import numpy as np
import pytest

from ppedge.errors import SHOWN, PpedgeError
from ppedge.models import pickled
from ppedge.models.weights import read_pdparams

MB = 1 << 20
DEEP = b")" + b"\x85" * 300_000  # a tuple in a tuple in a tuple ...
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(NNNtR"
DTYPE = (
    b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1\x89\x88tR(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


def array(values, size):
    """The instructions of an array of ``size`` bytes; ``values`` are those that push its bytes."""
    return RECONSTRUCT + b"(K\x01J" + struct.pack("<i", size) + b"\x85" + DTYPE + b"\x89" + values + b"tb"


def table(entries, before=b""):
    return b"\x80\x03" + before + b"}" + b"".join(text(b"n%d" % n) + e + b"s" for n, e in enumerate(entries)) + b"."


def refused(tmp_path, content, told):
    path = tmp_path / "w.pdparams"
    path.write_bytes(content)
    with pytest.raises(PpedgeError) as error:
        read_pdparams(path)
    assert error.value.exit_code == 2
    assert error.value.message.startswith(f"{path}: ") and told in error.value.message
    assert len(error.value.message) < len(str(path)) + 200


def test_the_hand_made_file_reads(tmp_path):
    path = tmp_path / "w.pdparams"
    path.write_bytes(table([array(b"B\x03\x00\x00\x00abc", 3)]))
    assert np.array_equal(read_pdparams(path)["n0"], np.frombuffer(b"abc", np.uint8))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x80\x02}" + DEEP + b"Ns.", "a key that is not text"),
        (b"\x80\x02}" + DEEP + b"q\x00NsN.", "a key that is not text"),
        (b"\x80\x02cnumpy\ndtype\n" + DEEP + b"\x85R.", "arrays of no type"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00a" + DEEP + b"\x86R.", "a codec"),
        (b"\x80\x02" + DEEP + b"N\x93.", "a name that is not text"),
        (b"\x80\x02ccollections\nOrderedDict\n" + DEEP + b"\x85R.", "a copy of another"),
        (b"\x80\x02" + RECONSTRUCT + b"(K\x01" + DEEP + DTYPE + b"\x89C\x00tb.", "without a shape"),
        (b"\x80\x02" + DEEP + b".", "holds no table"),
        (b"\x80\x02}X\x01\x00\x00\x00a" + DEEP + b"s.", "the entry 'a' is not an array"),
    ],
    ids=["key", "remembered key", "dtype", "codec", "name", "OrderedDict", "shape", "content", "entry"],
)
def test_depth_takes_no_stack(tmp_path, content, told):
    refused(tmp_path, content, told)


PUT, GET = b"r\x00\x00\x00\x000", b"j\x00\x00\x00\x00"


@pytest.mark.parametrize("pushed", [b"B" + struct.pack("<I", MB) + bytes(MB), text(bytes(MB))], ids=["bytes", "text"])
@pytest.mark.parametrize("count", [2, 200])
def test_arrays_that_share_their_bytes(tmp_path, pushed, count):
    refused(tmp_path, table([array(GET, MB)] * count, pushed + PUT), "its arrays together are larger than the file")


def test_texts_that_are_encoded_over_and_over(tmp_path):
    encoded = b"c_codecs\nencode\n" + GET + text(b"latin1") + b"\x86R"
    refused(tmp_path, table([encoded] * 200, text(b"x" * MB) + PUT), "its texts together are larger than the file")


def test_tables_that_are_copied_over_and_over(tmp_path):
    pairs = b"](" + b"".join(text(b"%d" % n) + b"N\x86" for n in range(1000)) + b"e" + PUT
    copied = b"ccollections\nOrderedDict\n" + GET + b"\x85R"
    refused(tmp_path, table([copied] * 100, pairs), "a copy of another")


def test_empty_containers_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(pickled, "MAX_INSTRUCTIONS", 1000)
    refused(tmp_path, b"\x80\x02" + b"]" * 2000 + b".", "too many instructions")


def test_an_array_that_many_entries_share_is_read_once(tmp_path):
    """Tied weights: the same object under two names takes its bytes once in the file and once in memory."""
    shared = np.arange(1000, dtype=np.float32)
    path = tmp_path / "w.pdparams"
    path.write_bytes(pickle.dumps({"a": shared, "b": shared}, 4))
    assert all(np.array_equal(value, shared) for value in read_pdparams(path).values())


def test_what_a_file_says_is_cut_and_escaped(tmp_path):
    path = tmp_path / "w.pdparams"
    path.write_bytes(pickle.dumps({"\x1b]0;x\x07" + "k" * MB: 1}, 4))
    with pytest.raises(PpedgeError) as error:
        read_pdparams(path)
    assert "\x1b" not in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 2 * SHOWN
