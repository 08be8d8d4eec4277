"""Pictures that a network was brought in with, and those that are there when its run is gone on with."""

from pathlib import Path

import pytest

from ppedge.brought.pictures import changed_pictures, summed
from ppedge.recipe.io import make_recipe
from ppedge.runs import Run
from ppedge.stages import _changed


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "below/c.jpg"):
        (folder / name).write_bytes(name.encode())
    return folder


def recipe_of(source):
    value = {"name": "x", "task": "det", "data": {}, "model": {"inference": "there", "pictures": str(source)}}
    return make_recipe(value, Path("x.yml"))


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    run.path.mkdir()

    def begun(source, pictures):
        with run.writing("train", force=True) as stage:
            about = {} if pictures is None else {"source": summed(source, pictures)}
            run.write_manifest(stage, "train", outputs=[], metrics={}, **about)
        return run

    return begun


def test_others_are_noticed_whatever_has_become_of_them(folder, run):
    recipe, found = recipe_of(folder), sorted(folder.rglob("*.jpg"))
    begun = run(folder, found)
    assert changed_pictures(recipe, begun) is None and _changed("train", recipe, begun) is None
    (folder / "d.jpg").write_bytes(b"new")
    assert changed_pictures(recipe, begun) == f"pictures of {folder} (3 then, 4 now)"
    assert _changed("train", recipe, begun) == (
        f"{begun.path}: was started with other pictures of {folder} (3 then, 4 now): the stage train is repeated"
    )
    (folder / "a.jpg").unlink()
    assert changed_pictures(recipe, begun) == f"pictures of {folder} (3 of them)"
    (folder / "d.jpg").unlink()
    (folder / "a.jpg").write_bytes(b"another")
    assert changed_pictures(recipe, begun) == f"pictures of {folder} (3 of them)"


def test_the_folder_may_lie_elsewhere_and_older_runs_do_not_say(folder, run):
    found = sorted(folder.rglob("*.jpg"))
    begun = run(folder, found)
    folder.rename(folder.with_name("elsewhere"))
    assert changed_pictures(recipe_of(folder), begun) is None  # not there any more
    assert changed_pictures(recipe_of(folder.with_name("elsewhere")), begun) is None
    assert changed_pictures(recipe_of(folder.with_name("elsewhere")), run(folder, None)) is None
    folder.mkdir()
    assert changed_pictures(recipe_of(folder), begun) is None  # empty
