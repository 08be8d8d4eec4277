import pytest


@pytest.fixture
def ppedge(ppedge_here, monkeypatch, tmp_path):
    """Run a command line in an empty folder; return exit code, output, error output."""
    monkeypatch.chdir(tmp_path)
    return ppedge_here
