from pathlib import Path

import numpy as np

from ppedge.data.labelled import DetSample
from ppedge.data.lines import rec_samples_from_detection


def test_lines_of_text_from_detection_labels():
    quad = np.array([[10, 10], [50, 12], [50, 22], [10, 20]], np.float32)
    started_right = np.roll(quad, 2, axis=0)
    hexagon = np.array([[0, 0], [20, 0], [40, 0], [40, 10], [20, 10], [0, 10]], np.float32)
    thin = np.array([[0, 0], [0.5, 0], [0.5, 40], [0, 40]], np.float32)
    sample = DetSample(
        Path("p.png"),
        [quad, started_right, hexagon, quad, quad, quad, thin],
        ["a", "b", "c", "###", "", " ", "thin"],
        [False, False, False, True, False, False, False],
        "f:3",
    )
    lines = rec_samples_from_detection([sample])
    assert [line.text for line in lines] == ["a", "b", "c"]
    assert np.array_equal(lines[1].quad, started_right), "the order of four points says where the text starts"
    np.testing.assert_allclose(lines[2].quad, [[0, 0], [40, 0], [40, 10], [0, 10]], atol=1e-3)
    assert lines[0].where == "f:3"
