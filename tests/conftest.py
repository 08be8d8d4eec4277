"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures and official weights; tests that need it are skipped where it is missing."""
    path = Path(os.environ.get("PPEDGE_TEST_DATA", PROJECT.parent / "shared"))
    if not (path / "data").is_dir() or not (path / "weights").is_dir():
        pytest.skip(f"no real pictures and weights at {path} (set PPEDGE_TEST_DATA)")
    return path.resolve()
