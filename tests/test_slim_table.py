"""The table of slimmed runs, with a stand-in for the commands that it calls."""

import importlib.util
import sys
from pathlib import Path

import pytest

from ppedge.errors import PpedgeError
from ppedge.recipe.io import save
from ppedge.runs import Run
from small import tiny_recipe

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
AFTER = {0: 0.94, 1: 0.93, 2: 0.92}


@pytest.fixture(scope="module")
def script():
    loaded = {}
    for name in ("slim_compare", "slim_table"):
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        loaded[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    yield loaded["slim_table"]
    for name in loaded:
        del sys.modules[name]


def cost(target, *options):
    """What ``ppedge cost`` prints: a file is the network before slimming, which was twice as dear."""
    before = Path(target).suffix == ".nb"
    size = options[options.index("--size") + 1] if "--size" in options else "32x320"
    shape = [1, 3, *map(int, size.split("x"))]
    entry = {"source": "predicted", "runtime": "a table", "input_shape": shape}
    entry["instructions"] = 8_000_000 if before else 4_000_000
    entry["file"] = str(target)
    return [{**entry, "cpu": cpu} for cpu in ("cortex-a53", "cortex-a76")]


@pytest.fixture
def made(script, tmp_path, monkeypatch):
    """Make a slimmed and converted run, and stand in for ``ppedge cost``."""
    called = []

    def ppedge(command, target, *options):
        called.append((command, Path(target).name, *options))
        return cost(target, *options)

    monkeypatch.setattr(script, "ppedge", ppedge)

    def make(folder, seed, share=0.5, quant="arm", baseline=True):
        run, slim = Run(tmp_path / folder), {"prune": {"method": "arm", "arm": {"budget": {"a53": share}}}}
        recipe = tiny_recipe("rec", tmp_path / "data", name="lines", slim=slim)
        save(recipe, run.recipe_path)
        settings = recipe.slim.model_dump(mode="json")
        drop = {"metric": "exact", "before": 0.95, "after": AFTER[seed], "value": 0.95 - AFTER[seed], "low": 0.0,
                "high": 0.1, "limit": None, "by_chance": False, "passed": True}  # fmt: skip
        with run.writing("train") as place:
            run.write_manifest(place, "train", outputs=[])
        with run.writing("slim") as place:
            found = {"seed": seed, "settings": settings, "quant": quant, "drop": drop, "measured_on": "test"}
            run.write_manifest(place, "slim", outputs=[], parent="train", **found)
        with run.writing("convert") as place:
            (place / "baseline").mkdir()
            if baseline:
                (place / "baseline" / "rec.fp32.nb").write_bytes(b"x" * 4000)
            (place / f"rec.{'fp32' if quant == 'none' else 'int8'}.nb").write_bytes(b"x" * 1000 * (seed + 1))
            run.write_manifest(place, "convert", outputs=[], parent="slim")
        return run

    make.called = called
    return make


def test_runs_that_differ_in_the_seed_alone_are_one_row(script, made):
    runs = [made("c", 2), made("other", 0, share=0.3), made("a", 0), made("b", 1)]
    lines = script.table(script.grouped([script.slimmed(run) for run in runs])).splitlines()
    assert lines[0].startswith("| network | budget | seeds | metric | before, % | slimmed, % | mean | less |")
    assert lines[2].startswith(
        "| lines | a53=0.5 | 0, 1, 2 | exact on test | 95.00 | 94.00, 93.00, 92.00 | 93.00 | 2.00 |"
    )
    assert lines[2].endswith("| 1, 2, 3 | 4.0, 4.0, 4.0 | 0.500 | 4.0, 4.0, 4.0 | 0.500 |")
    assert lines[3].startswith("| lines | a53=0.3 | 0 | exact on test | 95.00 | 94.00 | 94.00 | 1.00 |")
    assert len(lines) == 4


def test_the_network_before_slimming_is_counted_at_the_size_of_the_slimmed_one(script, made):
    script.slimmed(made("a", 0))
    assert made.called == [
        ("cost", "a", "--precision", "int8", "--json"),
        ("cost", "rec.fp32.nb", "--size", "32x320", "--json"),
    ]


def test_a_float_network_is_looked_at_in_fp32(script, made):
    assert script.slimmed(made("a", 0, quant="none"))["nb_bytes"] == 1000
    assert made.called[0] == ("cost", "a", "--precision", "fp32", "--json")


def test_two_runs_of_one_seed_and_settings_are_refused(script, made):
    found = [script.slimmed(made(folder, 1)) for folder in ("a", "b")]
    with pytest.raises(PpedgeError, match=r"^lines: two runs have the same settings and seed, 1\."):
        script.grouped(found)


def test_what_is_not_there_is_a_sentence(script, made, tmp_path):
    with pytest.raises(PpedgeError, match=r"baseline/rec\.fp32\.nb: is not there\. Make it: ppedge convert .*a "):
        script.slimmed(made("a", 0, baseline=False))
    run = Run(tmp_path / "raw")
    save(tiny_recipe("rec", tmp_path / "data"), run.recipe_path)
    with pytest.raises(PpedgeError, match="the stage slim has not been run"):
        script.slimmed(run)
