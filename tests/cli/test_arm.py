import json

from typer.testing import CliRunner

from ppedge.cli.arm import app


def test_status_of_an_empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 0
    assert "not built yet" in done.stdout and "Run `ppedge arm setup`" in done.stdout
    assert "ppedge arm setup --lite DIR" in done.stdout and "JVM: none. `ppedge arm setup --java`" in done.stdout
    found = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert found["ready"] is False and found["paddlelite"] is None and found["java"] is None
    assert list(tmp_path.iterdir()) == []


def test_set_up_and_status():
    done = CliRunner().invoke(app, ["setup"])
    assert done.exit_code == 0 and "The ARM emulator is ready" in done.stdout
    found = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert found["ready"] and found["wheels"] == {"numpy": "1.26.4", "onnxruntime": "1.19.2"}
    assert "QEMU" in CliRunner().invoke(app, ["status"]).stdout
