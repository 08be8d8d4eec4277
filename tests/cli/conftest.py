import warnings

import pytest

from ppedge.cli.main import main


@pytest.fixture
def ppedge(capsys, monkeypatch, tmp_path):
    """Run a command line in an empty folder; return exit code, output, error output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run
