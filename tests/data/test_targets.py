import cv2
import numpy as np
import pytest

from ppedge.data.targets import DbTargets, det_targets, library, raise_closeness, raise_closeness_slowly


def rectangle(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def test_rectangle_by_hand():
    # A = 100 * 20, L = 240, so D = 2000 * 0.84 / 240 = 7.
    maps = det_targets([rectangle(30, 40, 100, 20)], [False], (120, 200))
    assert {name: value.dtype for name, value in maps.items()} == {
        "shrink_map": np.uint8, "shrink_mask": np.uint8, "threshold_map": np.float32, "threshold_mask": np.uint8,
    }  # fmt: skip
    assert all(value.shape == (120, 200) for value in maps.values())
    ys, xs = np.nonzero(maps["shrink_map"])
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (37, 123, 47, 53)
    assert maps["shrink_mask"].all()
    threshold = maps["threshold_map"]
    assert threshold[40, 80] == pytest.approx(0.7)
    assert threshold[60, 80] == pytest.approx(0.7)
    assert threshold[43, 80] == pytest.approx(0.3 + 0.4 * (1 - 3 / 7), abs=1e-5)
    assert threshold[36, 80] == pytest.approx(0.3 + 0.4 * (1 - 4 / 7), abs=1e-5)
    assert threshold[36, 27] == pytest.approx(0.3 + 0.4 * (1 - 5 / 7), abs=1e-5), "3-4-5 triangle at the corner"
    assert threshold[20, 80] == pytest.approx(0.3)
    ys, xs = np.nonzero(maps["threshold_mask"])
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (23, 137, 33, 67)


def test_threshold_map_is_the_distance_to_the_edges_of_any_polygon():
    polygon = np.array([[20, 20], [90, 35], [150, 20], [148, 60], [95, 70], [25, 55]], np.float32)
    threshold = det_targets([polygon], [False], (100, 180))["threshold_map"]
    distance = cv2.contourArea(polygon) * 0.84 / cv2.arcLength(polygon, True)
    for x, y in np.random.default_rng(0).integers(0, (180, 100), (300, 2)).tolist():
        nearest = min(
            _to_segment(np.array([x, y], float), a.astype(float), b.astype(float))
            for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)
        )
        assert threshold[y, x] == pytest.approx(0.3 + 0.4 * max(0, 1 - nearest / distance), abs=1e-4)


def _to_segment(p, a, b):
    t = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.hypot(*(p - a - t * (b - a)))


@pytest.mark.parametrize(
    ("polygon", "ignored"),
    [
        (rectangle(10, 10, 40, 20), True),  # marked as unreadable
        (rectangle(10, 10, 40, 7.9), False),  # too small
        (rectangle(10, 10, 7.9, 40), False),
    ],
)
def test_what_is_not_learnt_is_masked(polygon, ignored):
    maps = det_targets([polygon], [ignored], (80, 80))
    inside = maps["shrink_mask"] == 0
    assert abs(inside.sum() - cv2.contourArea(polygon)) < cv2.arcLength(polygon, True)
    assert not maps["shrink_map"].any() and not maps["threshold_mask"].any()


def test_thin_but_large_enough_text_keeps_a_shrunk_region():
    maps = det_targets([rectangle(10.4, 10.4, 300, 8.2)], [False], (40, 400))
    assert maps["shrink_map"].any() and maps["shrink_mask"].all()


def test_parts_outside_the_picture_are_cut_off_and_overlaps_keep_the_larger_value():
    a, b = rectangle(-30, -5, 100, 30), rectangle(0, 20, 60, 20)
    both = det_targets([a, b], [False, False], (50, 80))
    alone = [det_targets([p], [False], (50, 80)) for p in (a, b)]
    assert np.array_equal(both["threshold_map"], np.maximum(*[m["threshold_map"] for m in alone]))
    assert np.array_equal(both["shrink_map"], np.maximum(*[m["shrink_map"] for m in alone]))
    outside = det_targets([rectangle(500, 500, 50, 20)], [False], (50, 80))
    assert not outside["threshold_mask"].any()


def test_no_regions_and_other_constants():
    maps = det_targets([], [], (32, 32), DbTargets(threshold_min=0.1))
    assert (maps["threshold_map"] == np.float32(0.1)).all() and maps["shrink_mask"].all()


def test_without_a_compiler_the_numbers_are_the_same():
    """To the last bit: which machine a sample is prepared on is not to change it."""
    assert library() is not None
    rng = np.random.default_rng(0)
    fast, slow = np.zeros((2, 90, 130), np.float32)
    for _ in range(40):
        polygon = rng.uniform(-60, 180, (int(rng.integers(4, 9)), 2)).astype(np.float32)
        polygon = np.rint(polygon) if rng.random() < 0.5 else polygon
        polygon[1] = polygon[0] + [rng.integers(2) * 30, 0]  # level, or of no length
        distance = float(rng.uniform(0.5, 25))
        raise_closeness(fast, polygon, distance)
        raise_closeness_slowly(slow, polygon, distance)
        assert np.array_equal(fast, slow)
        if fast.mean() > 0.7:
            fast[:] = slow[:] = 0
    assert fast.any()


def test_a_picture_of_no_compiler_is_drawn_too(monkeypatch):
    quads = [rectangle(30, 40, 100, 20)]
    compiled = det_targets(quads, [False], (120, 200))["threshold_map"]
    monkeypatch.setattr("ppedge.data.targets.library", lambda: None)
    assert np.array_equal(det_targets(quads, [False], (120, 200))["threshold_map"], compiled)
