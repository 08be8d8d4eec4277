import pytest

from ppedge.progress import roughly


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.3, "about 0 s"), (41.2, "about 41 s"), (91, "about 2 minutes"), (312, "about 5 minutes")]
)
def test_a_time_as_one_says_it(seconds, told):
    assert roughly(seconds) == told
