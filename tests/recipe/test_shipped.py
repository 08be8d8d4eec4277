"""Recipes that ppedge comes with, as `ppedge recipe list` and `copy` hand them out."""

import json
import zipfile
from pathlib import Path

import pytest

from ppedge.recipe import shipped
from ppedge.recipe.io import load

PROJECT = Path(__file__).resolve().parents[2]
RECIPES = {path.stem: path for path in (PROJECT / "recipes").glob("*.yml")}


def test_all_are_listed_with_a_sentence(ppedge_here):
    code, out, _ = ppedge_here("recipe", "list", "--json")
    found = {one["name"]: one for one in json.loads(out)}
    assert code == 0 and found.keys() == RECIPES.keys()
    assert all(one["about"].endswith((".", "?")) and "ppedge run" not in one["about"] for one in found.values())
    assert found["plates_rec"]["task"] == "rec" and found["demo"]["task"] is None
    code, out, _ = ppedge_here("recipe", "list")
    assert code == 0 and all(name in out for name in RECIPES)


def test_a_copy_is_the_recipe_and_loads(ppedge_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ppedge_here("recipe", "copy", "receipts_det")[0] == 0
    assert Path("receipts_det.yml").read_bytes() == RECIPES["receipts_det"].read_bytes()
    assert load(Path("receipts_det.yml")).name == "receipts_det"
    code, _, err = ppedge_here("recipe", "copy", "plates_det.yml", "--out", "receipts_det.yml")
    assert code == 2 and "receipts_det.yml: is there already" in err
    assert ppedge_here("recipe", "copy", "plates_det.yml", "--out", "receipts_det.yml", "--force")[0] == 0
    assert Path("receipts_det.yml").read_bytes() == RECIPES["plates_det"].read_bytes()


def test_a_suite_comes_with_its_members_or_not_at_all(ppedge_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("demo_rec.yml").write_text("mine")
    code, _, err = ppedge_here("recipe", "copy", "demo")
    assert (
        code == 2 and "demo_rec.yml: is there already" in err and [*tmp_path.iterdir()] == [tmp_path / "demo_rec.yml"]
    )
    Path("demo_rec.yml").unlink()
    code, out, _ = ppedge_here("recipe", "copy", "demo")
    assert code == 0 and out.split() == ["demo.yml", "demo_det.yml", "demo_rec.yml"]
    assert [part.name for part in load(Path("demo.yml")).recipes] == ["demo_det.yml", "demo_rec.yml"]


def test_an_unknown_name_is_a_sentence(ppedge_here, monkeypatch, tmp_path):
    code, _, err = ppedge_here("recipe", "copy", "plates_recc")
    assert code == 2 and "plates_recc: no recipe of this name comes with ppedge. Did you mean plates_rec?" in err
    monkeypatch.setattr(shipped, "FOLDERS", (tmp_path / "nowhere",))
    code, _, err = ppedge_here("recipe", "list")
    assert code == 2 and "no recipes there" in err


@pytest.mark.slow
def test_the_wheel_has_them(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = {Path(name).stem for name in packed.namelist() if name.startswith("ppedge/recipes/")}
    assert names == RECIPES.keys()
