import os
import random

import pytest

from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel


@pytest.fixture
def damaged(models, tmp_path):
    """A function that writes a changed copy of det-float and checks it."""
    source = InferenceModel.at(models / "det-float")
    model, params = source.model.read_bytes(), source.params.read_bytes()

    def check(change):
        target = InferenceModel.at(tmp_path / "m")
        for path, content in zip((target.model, target.params), change(model, params), strict=True):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        target.check()

    return check


@pytest.mark.parametrize("name", ["det-float", "det-quantized", "rec-float", "rec-quantized"])
def test_what_paddle_writes_is_whole(models, name):
    InferenceModel.at(models / name).check()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m, p: (m[:-100], p), r"m\.pdmodel: damaged .* 100 bytes are missing"),
        (lambda m, p: (m, p[:-10]), r"m\.pdiparams: damaged .* ends too early"),
        (lambda m, p: (b"", p), r"m\.pdmodel: empty"),
        (lambda m, p: (m, b""), r"m\.pdiparams: empty"),
        (lambda m, p: (None, p), r"m\.pdmodel: cannot be read \(No such file"),
        (lambda m, p: (m, None), r"m\.pdiparams: cannot be read \(No such file"),
        (lambda m, p: (p, m), r"m\.pdmodel: damaged or not a \.pdmodel"),
        (lambda m, p: (m + b"\0", p), r"m\.pdmodel: damaged"),
        (lambda m, p: (m, p + b"\0"), r"m\.pdiparams: damaged .* ends too early"),
        (lambda m, p: (b'{"program": 1}' * 9, p), r"m\.pdmodel: damaged or not a \.pdmodel"),
        (lambda m, p: (m, os.urandom(2000)), r"m\.pdiparams: damaged or not"),
    ],
)
def test_damage_is_named(damaged, change, says):
    with pytest.raises(PpedgeError, match=says):
        damaged(change)


@pytest.mark.parametrize("other", ["rec-float", "det-quantized"])
def test_weights_of_another_network(models, damaged, other):
    params = InferenceModel.at(models / other).params.read_bytes()
    with pytest.raises(PpedgeError, match="does not belong to"):
        damaged(lambda m, p: (m, params))


def test_a_weight_of_another_shape(damaged):
    """As many arrays, but one is not the network's: opt loads such files without a word."""
    with pytest.raises(PpedgeError, match="has shape"):
        damaged(
            lambda m, p: (
                m,
                p.replace(b"\x08\x05\x10\x10\x10\x01\x10\x03\x10\x03", b"\x08\x05\x10\x01\x10\x10\x10\x03\x10\x03"),
            )
        )


def test_any_cut_and_flipped_bits_end_in_a_sentence(damaged):
    random_ = random.Random(2)

    def spoil(data):
        data = bytearray(data[: random_.randrange(1, len(data))] if random_.random() < 0.5 else data)
        data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        return bytes(data)

    for _ in range(80):
        try:
            damaged(lambda m, p: (spoil(m), spoil(p)))
        except PpedgeError:
            continue
