"""``ppedge doctor`` says what is missing, and what to type."""

import json

import pytest
from typer.testing import CliRunner

from ppedge.cli import doctor

runner = CliRunner()


def findings(*arguments):
    done = runner.invoke(doctor.app, [*arguments, "--json"])
    return done.exit_code, {finding["name"]: finding for finding in json.loads(done.stdout)}


def test_what_is_here_is_found():
    code, found = findings()
    assert found["paddle"]["ok"] and found["paddle"]["found"].startswith("paddlepaddle")
    assert found["cc"]["ok"]
    missing = {name for name, finding in found.items() if not finding["ok"]}
    assert code == (3 if missing - {"Paddle Lite's ARM runtime"} else 0)


def test_what_is_missing_comes_with_advice(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    code, found = findings()
    assert code == 3
    assert "gcc" in found["cc"]["advice"]
    assert "arm setup" in found["ARM emulator"]["advice"] and "cc" in found["ARM emulator"]["found"]
    assert "extra `cpu`" in found["paddle"]["advice"]
    plain = runner.invoke(doctor.app, [])
    assert plain.exit_code == 3 and "missing  cc (" in plain.stdout


@pytest.mark.parametrize("free, ok", [(10 << 30, True), (1 << 30, False)])
def test_a_nearly_full_disk_is_said(monkeypatch, free, ok):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("Usage", (), {"free": free}))
    assert findings()[1]["disk"]["ok"] is ok
