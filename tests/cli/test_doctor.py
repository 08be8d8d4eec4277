"""``ppedge doctor`` says what is missing, and what to type."""

import json

import pytest
from typer.testing import CliRunner

from ppedge.cli import doctor
from ppedge.errors import MissingError

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


@pytest.mark.parametrize("others", [[], ["opencv-python"], ["opencv-python", "opencv-contrib-python"]])
def test_a_second_opencv_is_a_warning(monkeypatch, others):
    """They own the same files: whichever was installed last is what runs."""
    versions = {"opencv-python-headless": "4.10.0.84", **dict.fromkeys(others, "4.6.0.66")}

    def version(package):
        if package.startswith("opencv") and package not in versions:
            raise doctor.metadata.PackageNotFoundError(package)
        return versions.get(package, "1.0")

    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setattr(doctor, "_opt", doctor._compiler)
    monkeypatch.setattr(doctor, "_emulator", list)
    code, found = findings()
    assert code == 0 and ("OpenCV" in found) == bool(others)
    if others:
        assert f"pip uninstall -y {' '.join(others)} &&" in found["OpenCV"]["advice"]
        assert "opencv-python-headless==4.10.0.84" in found["OpenCV"]["advice"]
        assert " warning  OpenCV (all pictures): opencv-python-headless 4.10" in runner.invoke(doctor.app, []).stdout


def test_a_newer_python_without_opt_is_told_and_fix_prepares_it(monkeypatch, tmp_path):
    from ppedge.arm import sysroot
    from ppedge.convert import lite, opt

    prepared = []

    def opt_python():
        if not prepared:
            raise MissingError("It has no wheel for Python 3.12.", "Run `ppedge doctor --fix`.")
        return tmp_path / "python", {}

    def fails(tell, anew):
        raise MissingError("The ARM emulator could not be built.", "Check the network.")

    monkeypatch.setattr(lite, "opt_python", opt_python)
    monkeypatch.setattr(opt, "prepare", prepared.append)
    monkeypatch.setattr(sysroot, "ensure", fails)
    code, found = findings()
    assert code == 3 and "doctor --fix" in found["Paddle Lite's opt"]["advice"]
    done = runner.invoke(doctor.app, ["--fix"])
    assert f"ok  Paddle Lite's opt (convert to .nb): paddlelite on {tmp_path}/python" in done.stdout
    assert "could not be built" in done.output
