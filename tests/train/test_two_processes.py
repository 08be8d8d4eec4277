"""Several processes train one network: each on its share of a batch, all with the same weights."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ppedge.models.weights import read_pdparams

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.mark.slow
def test_two_processes_with_peers_and_guides_have_equal_weights(det_data, rec_data, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for folder in (det_data, rec_data):
        (data / folder.name).symlink_to(folder)
    command = [
        sys.executable,
        "-m",
        "paddle.distributed.launch",
        "--nproc_per_node",
        "2",
        "--log_dir",
        tmp_path / "logs",
    ]
    path = os.pathsep.join([str(SCRIPT.parents[1]), *filter(None, sys.path)])
    done = subprocess.run([*command, SCRIPT, data, tmp_path], env={**os.environ, "PYTHONPATH": path},
                          capture_output=True, text=True, timeout=400, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    for name, helpers in (("det", "peers.teacher."), ("rec", "heads.")):
        first, second = (read_pdparams(tmp_path / name / f"{rank}.pdparams") for rank in (0, 1))
        assert first.keys() == second.keys() and any(key.startswith(helpers) for key in first)
        other = {key for key, value in first.items() if not np.array_equal(value, second[key])}
        # BatchNorm's statistics are those of each process's own pictures.
        assert other and all(key.endswith(("._mean", "._variance")) for key in other)
        assert all(np.isfinite(value).all() for value in (*first.values(), *second.values()))
