import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ppedge.errors import PpedgeError
from ppedge.ocr.charset import BLANK, Charset
from ppedge.ocr.ctc import decode

CHARSET = Charset("abc")


def steps(path, peak=0.7):
    """Probabilities in which the classes of ``path`` are the likeliest, with ``peak`` each."""
    probabilities = np.full((len(path), CHARSET.size), (1 - peak) / (CHARSET.size - 1), np.float32)
    probabilities[np.arange(len(path)), path] = peak
    return probabilities


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ([1, 2, 3], "abc", "one step each"),
        ([0, 1, 1, 0, 2, 2, 2], "ab", "repeats are one character"),
        ([1, 0, 1], "aa", "a blank between makes two"),
        ([1, 2, 1], "aba", "so does another character"),
        ([0, 0], "", "blanks only"),
        ([], "", "no steps"),
    ],
)
def test_best_path(path, text, why):
    assert decode(steps(path), CHARSET).text == text, why


@given(st.lists(st.integers(0, 3)))
def test_as_by_the_definition(path):
    collapsed = [key for key, _ in itertools.groupby(path) if key != BLANK]
    read = decode(steps(path), CHARSET)
    assert read.text == CHARSET.decode(collapsed)
    assert read.score == pytest.approx(0.7 if collapsed else 0.0)


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 12), st.just(4)), elements=st.floats(0, 1, width=32)))
def test_the_score_is_a_probability(probabilities):
    read = decode(probabilities, CHARSET)
    assert isinstance(read.score, float)
    assert 0 <= read.score <= 1
    assert bool(read.text) or read.score == 0.0


def test_the_score_takes_the_first_step_of_each_character():
    probabilities = steps([1, 1, 0, 2], peak=0.5)
    probabilities[0, 1], probabilities[1, 1], probabilities[3, 2] = 0.6, 0.99, 0.8
    assert decode(probabilities, CHARSET).score == pytest.approx(0.7)


def test_a_character_set_of_another_size_is_an_error():
    with pytest.raises(PpedgeError, match="4 classes"):
        decode(np.zeros((5, 97), np.float32), CHARSET)
