import json
import random
import struct
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ppedge.errors import PpedgeError
from ppedge.files.nb import parse_nb, read_nb, zero_header_tail
from ppedge.files.nb_summary import difference, require_int8, summary


def parses(data, path):
    """Whether damaged bytes still make sense; anything but a sentence fails the test."""
    try:
        parse_nb(data, path)
    except PpedgeError:
        return False
    return True


def test_reads_a_real_file(small_nb):
    nb = read_nb(small_nb)
    assert (nb.meta_version, nb.opt_version, nb.size) == (2, "v2.13-rc", small_nb.stat().st_size)
    assert [op.type for op in nb.operators][0::4] == ["feed", "fetch"]
    conv = next(op for op in nb.operators if op.type == "conv2d")
    assert str(conv.kernel) == "arm/fp32/def"
    assert conv.kernel.layout == "nchw"
    assert len(conv.attributes["strides"]) == 2
    weight = next(p for p in nb.parameters if p.name == conv.inputs["Filter"][0])
    assert (weight.dtype, len(weight.shape)) == ("fp32", 4)
    assert weight.bytes == 4 * weight.shape[0] * weight.shape[1] * weight.shape[2] * weight.shape[3]
    assert {p.name for p in nb.parameters} <= {v.name for v in nb.variables if v.persistable}


def test_every_cut_is_an_error(small_nb):
    data = small_nb.read_bytes()
    for end in range(len(data)):
        assert not parses(data[:end], small_nb), end


def test_trailing_bytes_are_an_error(small_nb):
    with pytest.raises(PpedgeError, match="1 bytes are left over"):
        parse_nb(small_nb.read_bytes() + b"\0", small_nb)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\x02", "not a .nb file"),
        (b"PK\x03\x04" * 20, "ppedge convert"),
        (b"\x01\x00" + b"v2.6" + bytes(100), "before 2.9"),
        (b"\x02\x00" + bytes(100), "names no version"),
        (b"\x02\x00" + b"v2.13".ljust(16, b"\0") + struct.pack("<Q", 1 << 60), "the file at 26"),
    ],
)
def test_foreign_files(tmp_path, content, says):
    path = tmp_path / "m.nb"
    path.write_bytes(content)
    with pytest.raises(PpedgeError, match=says) as error:
        read_nb(path)
    assert "m.nb" in error.value.message


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "no.nb", tmp_path):
        with pytest.raises(PpedgeError, match="cannot be read"):
            read_nb(path)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5325), st.integers(0, 255)), min_size=1, max_size=8))
@example([(26, 255), (27, 255), (28, 255), (29, 255)])
def test_any_mutation_is_a_file_or_a_sentence(small_nb, changes):
    data = bytearray(small_nb.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    parses(bytes(data), small_nb)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_with_a_good_header(small_nb, tail):
    assert not parses(small_nb.read_bytes()[:18] + tail, small_nb)


def test_random_words_cost_little(nb_files):
    """Offsets are what makes a reader run wild: 32-bit words of a quantized network's file are replaced."""
    nb = nb_files["rec", "int8"]
    data, random_ = nb.path.read_bytes(), random.Random(1)
    tracemalloc.start()
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(3):
            at = random_.randrange(26, len(data) - 4)
            damaged[at : at + 4] = struct.pack("<I", random_.choice([0, 4, 64, at, len(data), 2**31, 2**32 - 1]))
        parses(bytes(damaged), nb.path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * len(data)


def test_a_small_file_takes_little_memory(small_nb):
    tracemalloc.start()
    read_nb(small_nb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * small_nb.stat().st_size


def test_a_file_that_refers_to_itself_ends_soon(small_nb):
    """100 blocks, each the same table whose 2000 operators are all the same table: 200 000 in 10 kB."""
    vtable = struct.pack("<6H", 12, 8, 0, 0, 0, 4)
    operators = 2000
    body = struct.pack("<I", 16) + struct.pack("<HHH", 6, 8, 4) + bytes(6)  # root offset, root's vtable, padding
    root = struct.pack("<iI", 12, 4)
    blocks_at = 16 + 8
    block_at = blocks_at + 4 + 4 * 100 + len(vtable)
    blocks = struct.pack("<I", 100) + b"".join(
        struct.pack("<I", block_at - (blocks_at + 4 + 4 * k)) for k in range(100)
    )
    block = struct.pack("<iI", len(vtable), 4)
    ops_at = block_at + 8
    op_at = ops_at + 4 + 4 * operators + 4
    ops = struct.pack("<I", operators) + b"".join(
        struct.pack("<I", op_at - (ops_at + 4 + 4 * k)) for k in range(operators)
    )
    op = struct.pack("<HH", 4, 4) + struct.pack("<i", 4)
    topology = body + root + blocks + vtable + block + ops + op
    data = small_nb.read_bytes()[:18] + struct.pack("<Q", len(topology)) + topology
    with pytest.raises(PpedgeError, match="over and over"):
        parse_nb(data, small_nb)


def test_zero_header_tail(small_nb):
    data = small_nb.read_bytes()
    dirty = data[:11] + b"garbage" + data[18:]
    assert zero_header_tail(dirty) == zero_header_tail(data)
    assert zero_header_tail(dirty)[10:18] == bytes(8)
    assert parse_nb(dirty, small_nb).opt_version == "v2.13-rc"


def test_summary_counts(nb_files):
    value = json.loads(json.dumps(summary(nb_files["det", "int8"])))
    assert value["convolutions"] == {"int8": 5}
    assert value["calib"] == value["operators"]["by_type"]["calib"]["arm/int8/fp32_to_int8"]
    assert value["operators"]["by_type"]["conv2d_transpose"] == {"arm/int8/fp32_out": 2}
    assert value["parameters"]["by_type"]["int8"]["count"] == 5
    assert value["parameters"]["by_type"]["int8"]["bytes"] == 16 * 3 * 9 + 16 * 9 + 16 * 16 + 16 * 8 * 4 + 8 * 4
    assert sum(e["bytes"] for e in value["parameters"]["by_type"].values()) == value["parameters"]["bytes"]
    assert sum(n for kernels in value["operators"]["by_type"].values() for n in kernels.values()) == len(
        nb_files["det", "int8"].operators
    )


def test_require_int8(nb_files):
    require_int8(nb_files["det", "int8"])
    require_int8(nb_files["rec", "int8"])
    with pytest.raises(PpedgeError, match=r"5 of 5 convolutions are float: conv2d conv2d_0.w_0 \(fp32\)"):
        require_int8(nb_files["det", "fp32"])
    with pytest.raises(PpedgeError, match="none of its 5"):
        require_int8(nb_files["det", "fp32"], allowed=["conv2d", "depthwise_conv2d", "conv2d_transpose"])


def test_int8_kernels_on_float_weights_are_not_int8(nb_files):
    """A file may name int8 kernels and still carry float weights: it would be read wrongly on the phone."""
    nb = nb_files["det", "int8"]
    first, *rest = nb.parameters
    index = next(k for k, p in enumerate(nb.parameters) if p.name == "conv2d_0.w_0")
    parameters = [*nb.parameters]
    parameters[index] = type(first)("conv2d_0.w_0", "fp32", nb.parameters[index].shape, 4 * nb.parameters[index].bytes)
    changed = type(nb)(**{**vars(nb), "parameters": parameters})
    with pytest.raises(PpedgeError, match="1 of 5"):
        require_int8(changed)
    assert summary(changed)["convolutions"] == {"float in int8": 1, "int8": 4}


def test_difference(nb_files):
    old, new = nb_files["det", "fp32"], nb_files["det", "int8"]
    changed = difference(old, new)
    assert changed["convolutions.int8"] == [0, 5]
    assert changed["convolutions.fp32"] == [5, 0]
    assert changed["bytes"] == [old.size, new.size]
    assert "opt_version" not in changed
    assert difference(old, old) == {}
