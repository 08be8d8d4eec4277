"""Fixtures shared by all tests."""

import os
import sys
import warnings
from pathlib import Path

import pytest

from ppedge.cli.main import main
from ppedge.forkserver import ForkServer
from ppedge.process import run_child

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures and official weights; tests that need it are skipped where it is missing."""
    path = Path(os.environ.get("PPEDGE_TEST_DATA", PROJECT.parent / "shared"))
    if not (path / "data").is_dir() or not (path / "weights").is_dir():
        pytest.skip(f"no real pictures and weights at {path} (set PPEDGE_TEST_DATA)")
    return path.resolve()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The package as it is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    run_child([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], "building it", cwd=PROJECT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def forks():
    """What runs modules that find Paddle imported."""
    with ForkServer() as server:
        yield server


@pytest.fixture
def ppedge_here(capsys):
    """Run a command line in the current folder; return exit code, output, error output."""

    def run(*arguments):
        with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run
