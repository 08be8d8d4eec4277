"""The benchmarks' scripts start; what they measure needs peers that the project's environment does not have."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.parametrize("script", ["postprocess.py", "input.py", "cli_start.py", "train_step.py", "road.py"])
def test_help_needs_no_peer(script):
    done = subprocess.run([sys.executable, BENCHMARKS / script, "--help"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "--rounds" in done.stdout
