import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ppedge import runs
from ppedge.errors import Interrupted, PpedgeError
from ppedge.runs import Run, newest_run, open_run
from ppedge.storage import atomic_write, read_json, sha256, write_json


def finish(run, stage, text="data", force=False, parent=None):
    """A stage that writes one file."""
    with run.writing(stage, force=force) as folder:
        (folder / "a.bin").write_text(text)
        run.write_manifest(folder, stage, outputs=["a.bin"], parent=parent)


def content(run, stage):
    return (run.stage(stage) / "a.bin").read_text()


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "run")


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


LOOK = "import sys; from pathlib import Path; from ppedge.runs import Run; Run(Path(sys.argv[1]))"


class TestAtomicWrite:
    def test_writes(self, tmp_path):
        with atomic_write(tmp_path / "new" / "file") as file:
            file.write(b"abc")
        assert (tmp_path / "new" / "file").read_bytes() == b"abc"
        assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o644
        assert names(tmp_path / "new") == ["file"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
    def test_an_error_leaves_the_old_file_and_nothing_else(self, tmp_path, error):
        (tmp_path / "file").write_text("old")
        with pytest.raises(error), atomic_write(tmp_path / "file") as file:
            file.write(b"half")
            raise error
        assert (tmp_path / "file").read_text() == "old"
        assert names(tmp_path) == ["file"]

    def test_a_failing_rename_too(self, tmp_path, monkeypatch):
        def refuse(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(OSError, match="No space"), atomic_write(tmp_path / "file") as file:
            file.write(b"new")
        assert names(tmp_path) == []

    def test_json_that_cannot_be_written_leaves_nothing(self, tmp_path):
        for value in (float("nan"), object()):
            with pytest.raises((ValueError, TypeError)):
                write_json(tmp_path / "x.json", {"value": value})
        assert names(tmp_path) == []


class TestReadJson:
    def test_reads_what_was_written(self, tmp_path):
        value = {"a": [1, 2.5, None, "ä"]}
        write_json(tmp_path / "x.json", value)
        assert read_json(tmp_path / "x.json") == value

    def test_reads_escapes(self, tmp_path):
        (tmp_path / "x.json").write_text('["\\u8f66", "\\ud83d\\ude00"]')
        assert read_json(tmp_path / "x.json") == ["车", "\U0001f600"]

    @pytest.mark.parametrize("data", [b"", b'{"a": ', b"\xff", b"nonsense"])
    def test_damage_is_a_sentence(self, tmp_path, data):
        (tmp_path / "x.json").write_bytes(data)
        with pytest.raises(PpedgeError, match=r"x\.json: not JSON"):
            read_json(tmp_path / "x.json")


class TestWriting:
    def test_a_stage_appears_whole(self, run):
        with run.writing("train") as folder:
            (folder / "a.bin").write_text("new")
            assert not run.stage("train").exists()
            run.write_manifest(folder, "train", outputs=["a.bin"])
        assert run.done("train")
        assert content(run, "train") == "new"
        assert names(run.path) == ["train"]

    @pytest.mark.parametrize(
        ("error", "told"), [(ValueError, ValueError), (KeyboardInterrupt, Interrupted), (Interrupted, Interrupted)]
    )
    def test_an_exception_leaves_the_previous_result(self, run, error, told):
        finish(run, "slim", "old")
        with pytest.raises(told), run.writing("slim", force=True) as folder:
            (folder / "a.bin").write_text("half")
            raise error("x")
        assert content(run, "slim") == "old"
        assert names(run.path) == ["slim"]

    @pytest.mark.parametrize(
        ("stage", "file", "told"),
        [
            ("slim", "plan.json", "Interrupted; of the stage slim nothing is kept, earlier results are whole. Repeat"),
            ("train", "last.ckpt", ".train.partial keeps what was done. Go on with --resume."),
            ("convert", "last.ckpt", "of the stage convert nothing is kept"),
        ],
    )
    def test_an_interruption_says_what_is_kept(self, run, stage, file, told):
        with pytest.raises(Interrupted) as caught, run.writing(stage) as folder:
            (folder / file).touch()
            raise KeyboardInterrupt
        assert told in str(caught.value)
        assert names(run.path) == ([".train.partial"] if stage == "train" else [])

    def test_the_next_to_look_removes_what_a_killed_process_left(self, run):
        finish(run, "slim", "new")
        for left in (".convert.partial", ".slim.partial/cut", ".slim.old", ".train.partial", ".validate.partial"):
            (run.path / left).mkdir(parents=True)
            (run.path / left / "x").touch()
        (run.path / ".train.partial/last.ckpt").touch()
        assert names(Run(run.path).path) == [".train.partial", "slim"]
        assert content(run, "slim") == "new"

    def test_nobody_removes_what_a_living_process_is_at(self, run):
        with run.writing("convert") as folder:
            (folder / "a.bin").write_text("mine")
            for _ in range(2):
                Run(run.path)  # the same process, which has the lock and must not lose it
                subprocess.run([sys.executable, "-c", LOOK, run.path], check=True)
                assert (folder / "a.bin").read_text() == "mine"
                with pytest.raises(PpedgeError, match="another process is at work"), run.writing("convert"):
                    pass

    def test_nothing_is_replaced_without_force(self, run):
        finish(run, "slim", "old")
        with pytest.raises(PpedgeError, match=r"slim: there already\. Use --force to replace it"):
            finish(run, "slim", "new")
        assert content(run, "slim") == "old"
        finish(run, "slim", "new", force=True)
        assert content(run, "slim") == "new"
        assert names(run.path) == ["slim"]

    def test_what_an_attempt_left_is_kept_for_resume_alone(self, run):
        with pytest.raises(ValueError), run.writing("train") as folder:
            (folder / "last.ckpt").write_text("half way")
            raise ValueError
        with run.writing("train", resume=True) as folder:
            assert (folder / "last.ckpt").read_text() == "half way"
        with pytest.raises(ValueError), run.writing("slim") as folder:
            (folder / "x").write_text("")
            raise ValueError
        with run.writing("slim") as folder:
            assert names(folder) == []

    def test_the_recipe_of_the_run_is_that_of_its_train_stage(self, run):
        for text in ("first", "second"):
            with run.writing("train", force=True) as folder:
                (folder / "recipe.yml").write_text(text)
                run.write_manifest(folder, "train", outputs=["recipe.yml"])
            assert run.recipe_path.read_text() == text  # at once: `ppedge run` goes on with the same object
        with pytest.raises(ValueError), run.writing("train", force=True) as folder:
            (folder / "recipe.yml").write_text("third")
            raise ValueError
        assert Run(run.path).recipe_path.read_text() == "second"
        run.recipe_path.unlink()  # killed before it was copied
        assert Run(run.path).recipe_path.read_text() == "second"

    def test_one_process_at_a_time(self, run):
        code = "import sys; from pathlib import Path; from ppedge.runs import Run\n" \
               "with Run(Path(sys.argv[1])).writing(sys.argv[2]): pass"  # fmt: skip

        def other(stage):
            return subprocess.run(
                [sys.executable, "-c", code, run.path, stage], capture_output=True, text=True, check=False
            )

        with run.writing("slim") as folder:
            (folder / "a.bin").write_text("mine")
            assert "another process is at work on its slim stage" in other("slim").stderr
            assert other("convert").returncode == 0
            assert (folder / "a.bin").read_text() == "mine"
        assert "there already" in other("slim").stderr

    def test_what_a_killed_write_left_is_cleared_away(self, run):
        with pytest.raises(ValueError), run.writing("train") as folder:
            (folder / ".last.ckpt.x7").write_text("half")
            (folder / "last.ckpt").write_text("whole")
            raise ValueError
        with run.writing("train", resume=True) as folder:
            assert [path.name for path in folder.iterdir()] == ["last.ckpt"]

    @pytest.mark.parametrize("death", [1, 2])
    def test_a_kill_between_the_renames_leaves_the_previous_or_the_new_result(self, run, monkeypatch, death):
        """A kill is neither caught nor cleaned up after: simulated by a rename that ends everything."""
        finish(run, "train", "old")
        rename, calls = Path.rename, []

        def dying(self, target):
            calls.append(0)
            if len(calls) == death:
                raise SystemExit
            return rename(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", dying)
            with pytest.raises(SystemExit):
                finish(run, "train", "new", force=True)
        again = Run(run.path)
        assert again.done("train")
        assert content(again, "train") == "old"
        finish(again, "train", "newer", force=True)
        assert content(again, "train") == "newer"
        assert names(run.path) == ["train"]


class TestManifests:
    def test_what_it_says(self, run, tmp_path):
        (tmp_path / "labels.txt").write_text("x")
        with run.writing("train") as folder:
            (folder / "a.bin").write_text("new")
            run.write_manifest(
                folder, "train", outputs=["a.bin"], inputs=[tmp_path / "labels.txt"], metrics={"hmean": 0.5}, seed=3
            )
        manifest = run.manifest("train")
        assert manifest["schema"] == runs.SCHEMA
        assert manifest["stage"] == "train" and manifest["seed"] == 3
        assert manifest["outputs"] == [{"path": "a.bin", "bytes": 3, "sha256": sha256(run.stage("train") / "a.bin")}]
        assert manifest["inputs"][0]["bytes"] == 1
        assert manifest["metrics"] == {"hmean": 0.5}
        assert manifest["parent"] is None
        assert {"ppedge", "python", "numpy"} <= manifest["versions"].keys()
        assert manifest["command"]

    def test_each_names_its_parent_by_sha256(self, run):
        finish(run, "train")
        finish(run, "slim", parent="train")
        finish(run, "convert", parent="slim")
        for stage, parent in (("slim", "train"), ("convert", "slim")):
            assert run.manifest(stage)["parent"] == {
                "stage": parent,
                "sha256": sha256(run.stage(parent) / "manifest.json"),
            }
            assert run.fresh(stage)
        finish(run, "train", "other", force=True)
        assert not run.fresh("slim")
        assert not run.fresh("convert")  # it rests on slim, which rests on what is gone
        with pytest.raises(PpedgeError, match="rests on results that have been replaced"):
            run.require_fresh("convert")

    def test_files_of_the_network_as_trained_are_outdated_once_it_is_slimmed(self, run):
        finish(run, "train")
        finish(run, "convert", parent="train")
        finish(run, "validate", parent="convert")
        assert run.fresh("convert") and run.fresh("validate")
        finish(run, "slim", parent="train")
        assert not run.fresh("convert") and not run.fresh("validate")
        told = r"convert: holds files of the network as trained, which has been slimmed since\. Repeat `ppedge convert"
        with pytest.raises(PpedgeError, match=told):
            run.require_fresh("convert")
        finish(run, "convert", parent="slim", force=True)
        assert run.fresh("convert") and not run.fresh("validate")

    def test_whoever_would_repeat_a_stage_is_told_that_its_result_is_outdated(self, run):
        finish(run, "train")
        finish(run, "convert", parent="train")
        with pytest.raises(PpedgeError, match=r"convert: there already\. Use --force"):
            finish(run, "convert", parent="train")
        finish(run, "train", "other", force=True)
        outdated = r"convert: there already, and rests on results that have been replaced since\. Use --force"
        with pytest.raises(PpedgeError, match=outdated):
            finish(run, "convert", parent="train")
        (run.stage("convert") / "manifest.json").write_text("{")
        with pytest.raises(PpedgeError, match=r"convert: there already\. Use --force"):
            finish(run, "convert", parent="train")

    @pytest.mark.parametrize("text", ["[]", "3", "{", ""])
    def test_a_damaged_manifest_is_a_sentence(self, run, text):
        finish(run, "train")
        (run.stage("train") / "manifest.json").write_text(text)
        with pytest.raises(PpedgeError, match=r"manifest\.json: not (a manifest|JSON)"):
            run.manifest("train")

    def test_a_stage_that_has_not_been_run(self, run):
        with pytest.raises(PpedgeError, match="the stage slim has not been run. Run `ppedge slim"):
            run.manifest("slim")


class TestArtifact:
    def test_whole(self, run):
        finish(run, "train")
        assert run.artifact("train", "a.bin") == run.stage("train") / "a.bin"

    def test_one_changed_byte_is_noticed(self, run):
        finish(run, "train", "data")
        (run.stage("train") / "a.bin").write_text("dbta")
        with pytest.raises(
            PpedgeError, match=r"a\.bin: changed since the stage wrote it\. Repeat `ppedge train --force`"
        ):
            run.artifact("train", "a.bin")

    def test_missing_or_unknown(self, run):
        finish(run, "train")
        with pytest.raises(PpedgeError, match=r"b\.bin: not an artifact of this run"):
            run.artifact("train", "b.bin")
        (run.stage("train") / "a.bin").unlink()
        with pytest.raises(PpedgeError, match=r"a\.bin: missing, though its manifest names it"):
            run.artifact("train", "a.bin")

    @pytest.mark.parametrize("manifest", [{}, {"outputs": 3}, {"outputs": [{}]}, {"outputs": [{"path": "a.bin"}]}])
    def test_a_manifest_of_another_form(self, run, manifest):
        finish(run, "train")
        (run.stage("train") / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(PpedgeError, match=r"manifest\.json: not a manifest"):
            run.artifact("train", "a.bin")


class TestFindingRuns:
    def make(self, root, name, time):
        path = root / name
        path.mkdir(parents=True)
        (path / "recipe.yml").write_text("")
        os.utime(path, (time, time))
        return path

    def test_the_newest_is_the_one_written_to_last(self, tmp_path):
        old, new = self.make(tmp_path, "old", 1000), self.make(tmp_path, "new", 2000)
        assert newest_run(tmp_path).path == new
        finish(Run(old), "train")
        assert newest_run(tmp_path).path == old

    def test_none(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(PpedgeError, match=r"No run found under runs/\. Start one with `ppedge train RECIPE`"):
            open_run(None)
        with pytest.raises(PpedgeError, match=r"x: not a run \(no recipe\.yml in it\)"):
            open_run(Path("x"))
        assert names(tmp_path) == []

    def test_by_folder(self, tmp_path):
        assert open_run(self.make(tmp_path, "a", 1000)).path == tmp_path / "a"
