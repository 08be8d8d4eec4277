import numpy as np
import pytest

from ppedge.arm import protocol


def test_tensors_survive():
    rng = np.random.default_rng(0)
    tensors = [
        rng.standard_normal((1, 3, 4, 5)).astype(np.float32),
        np.array(7, np.int64),
        np.zeros((0, 4), np.float32),
        rng.integers(0, 255, (2, 3)).astype(np.uint8),
        np.array([True, False]),
        rng.standard_normal((2, 6)).astype(np.float32)[:, ::2],
    ]
    back = protocol.unpack(protocol.pack(tensors))
    assert len(back) == len(tensors)
    for sent, got in zip(tensors, back, strict=True):
        assert got.dtype == sent.dtype and got.shape == sent.shape
        np.testing.assert_array_equal(got, sent)


def test_a_type_outside_the_protocol_is_refused():
    with pytest.raises(TypeError, match="complex64"):
        protocol.pack([np.zeros(2, np.complex64)])


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:3], lambda b: b[:4] + b"\x63" + b[5:]]
)
def test_damaged_bytes_are_refused(change):
    with pytest.raises(ValueError):
        protocol.unpack(change(protocol.pack([np.arange(6, dtype=np.float32).reshape(2, 3)])))
