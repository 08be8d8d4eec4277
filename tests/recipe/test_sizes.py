import pytest

from ppedge.recipe.sizes import count_size
from small import tiny_recipe


@pytest.mark.parametrize(("task", "expected"), [("det", (320, 320)), ("rec", (32, 320)), ("cls", (48, 192))])
def test_a_free_side_is_counted_at_320(task, expected, tmp_path):
    assert count_size(tiny_recipe(task, tmp_path)) == expected
