import errno
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import yaml

from ppedge import __version__
from ppedge.cli import main as door
from ppedge.cli.main import COMMANDS, explain, main
from ppedge.errors import GateError, MissingError, PpedgeError
from ppedge.runs import Run
from ppedge.storage import write_json
from small import make_data, recipe_dict


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data("rec", tmp_path_factory.mktemp("data"))


@pytest.fixture
def recipe(data, tmp_path):
    path = tmp_path / "tiny.yml"
    path.write_text(yaml.safe_dump(recipe_dict("rec", data)))
    return path


def refused(result, code, told):
    """One sentence on standard error, nothing else, and the exit code."""
    found, out, err = result
    assert (found, out) == (code, ""), err
    assert told in err
    assert err.startswith("ppedge: ") and err.count("\n") == 1
    assert "Traceback" not in err


def test_version_and_help(ppedge):
    assert ppedge("--version")[:2] == (0, f"ppedge {__version__}\n")
    code, out, _ = ppedge("--help")
    assert code == 0
    assert all(f" {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(ppedge, command):
    code, out, _ = ppedge(command, "--help")
    assert code == 0
    assert "Usage: ppedge" in out


def test_help_imports_nothing_heavy():
    code = "import sys, runpy; sys.argv = ['ppedge', '--help']\n" \
           "try: runpy.run_module('ppedge', run_name='__main__')\n" \
           "except SystemExit: print(sorted({'paddle', 'numpy', 'cv2', 'pydantic'} & set(sys.modules)))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "expected"),
    [("ppedge sl", "slim"), ("ppedge slim --pr", "--prune"), ("ppedge slim --prune ", "fpgm"),
     ("ppedge recipe ", "copy"), ("ppedge data convert x --from s", "sroie")],
)  # fmt: skip
def test_the_shell_completes_commands_options_and_values(words, expected):
    environment = {**os.environ, "_PPEDGE_COMPLETE": "complete_bash", "COMP_WORDS": words,
                   "COMP_CWORD": str(words.count(" "))}  # fmt: skip
    command = [str(Path(sys.executable).with_name("ppedge"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert expected in done.stdout.split()


@pytest.mark.parametrize(
    "arguments", [["no-such-command"], ["train"], ["train", "x.yml", "--no-such-option"], ["slim", "--prune", "x"]]
)
def test_wrong_usage(ppedge, arguments):
    code, out, err = ppedge(*arguments)
    assert (code, out) == (2, "")
    assert "Usage" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [("runn", "run"), ("bundel", "bundle"), ("data chek", "check"), ("recipe lst", "list"), ("weights shwo", "show"),
     ("arm setpu", "setup")],
)  # fmt: skip
def test_a_mistyped_command_is_asked_for(ppedge, arguments, meant):
    code, out, err = ppedge(*arguments.split())
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"Error: No such command '{arguments.split()[-1]}'. Did you mean {meant}?"


def test_a_command_that_is_like_none_is_not_guessed_at(ppedge):
    assert ppedge("no-such-command")[2].splitlines()[-1] == "Error: No such command 'no-such-command'."
    assert ppedge("x" * 200)[2].splitlines()[-1].endswith("x...'.")


def test_resuming_a_finished_training_says_so_and_does_nothing(ppedge, recipe, data):
    arguments = ["train", recipe, "--set", "train.epochs=0", "--set", "train.workers=0"]
    code, figures, err = ppedge(*arguments)
    assert code == 0, err
    manifest = Path("runs/tiny_rec/train/manifest.json")
    before = manifest.stat().st_mtime_ns
    code, out, err = ppedge(*arguments, "--resume")
    assert (code, out) == (0, figures)
    assert err == "runs/tiny_rec/train: the training is finished, nothing is left to do\n"
    other = ppedge(*arguments, "--resume", "--set", "train.epochs=2")
    refused(other, 2, "tiny_rec: was trained with other settings: train.epochs was 0 and is 2.")
    refused(ppedge(*arguments), 2, "tiny_rec/train: there already. Use --force to replace it.")
    labels = data / "val.txt"
    text = labels.read_text()
    labels.write_text(text + "\n")
    try:
        refused(ppedge(*arguments, "--resume"), 2, "was trained with another ")
    finally:
        labels.write_text(text)
    assert manifest.stat().st_mtime_ns == before


class TestBadInput:
    def test_recipe(self, ppedge, recipe):
        text = recipe.read_text()
        recipe.write_text(text.replace("epochs:", "epoch:", 1))
        line = next(n for n, one in enumerate(text.splitlines(), 1) if "epochs:" in one)
        refused(ppedge("train", recipe), 2, f"tiny.yml:{line}: unknown key train.epoch. Did you mean epochs?")
        refused(ppedge("recipe", "show", recipe), 2, "unknown key train.epoch")
        refused(ppedge("train", "none.yml"), 2, "none.yml: no such recipe.")

    def test_override(self, ppedge, recipe):
        refused(ppedge("train", recipe, "--set", "train.epoch=1"), 2, "--set train.epoch=1: unknown key train.epoch.")

    def test_label_line_without_a_tab(self, ppedge, recipe, data, tmp_path):
        (tmp_path / "bad.txt").write_text((data / "train.txt").read_text() + "images/x.jpg no tab\n")
        result = ppedge("train", recipe, "--set", f"data.train=[{tmp_path}/bad.txt]")
        refused(result, 2, "bad.txt:13")
        assert not (tmp_path / "runs").exists()

    def test_a_picture_without_a_byte(self, ppedge, recipe, data, tmp_path):
        (tmp_path / "empty.jpg").touch()
        (tmp_path / "bad.txt").write_text(f"{tmp_path}/empty.jpg\tabc\n" + (data / "train.txt").read_text())
        arguments = ["train", recipe, "--set", f"data.train=[{tmp_path}/bad.txt]", "--set", "train.epochs=0"]
        refused(ppedge(*arguments), 2, "empty.jpg")
        code, _, err = ppedge(*arguments, "--skip-bad")
        assert code == 0, err
        assert "left out 1 bad training samples" in err

    def test_no_label_file(self, ppedge, recipe):
        refused(ppedge("train", recipe, "--set", "data.train=[none.txt]"), 2, "none.txt")
        refused(ppedge("train", recipe, "--set", "data.train=[]"), 2, "data.train names no label files.")

    def test_missing_weights(self, ppedge, recipe, tmp_path):
        refused(ppedge("train", recipe, "--set", "train.weights=none.pdparams"), 2, "none.pdparams: no such file.")
        refused(ppedge("eval", recipe, "--weights", "none.pdparams"), 2, "none.pdparams: no such file.")
        refused(ppedge("eval", recipe, "--weights", "w.pdparams", "--stage", "slim"), 2, "two networks. Name one of")
        refused(ppedge("eval", recipe), 2, "a recipe has no network of its own. Add --weights")
        assert not (tmp_path / "runs/tiny_rec/train").exists()

    def test_weights_that_are_something_else(self, ppedge, recipe, tmp_path):
        (tmp_path / "w.pdparams").write_bytes(b"\x80\x04cos\nsystem\n(S'false'\ntR.")
        refused(ppedge("eval", recipe, "--weights", "w.pdparams"), 2, "w.pdparams")

    def test_unknown_charset(self, ppedge, recipe):
        refused(ppedge("train", recipe, "--set", "data.charset=klingon"), 2, "klingon")

    def test_device(self, ppedge, recipe):
        import paddle

        if paddle.is_compiled_with_cuda():
            pytest.skip("this Paddle is built for GPUs")
        refused(
            ppedge("train", recipe, "--device", "gpu:0"), 3, "--device gpu:0: this Paddle is built for the CPU only."
        )
        refused(ppedge("train", recipe, "--device", "tpu"), 2, "--device tpu: not a device. Use auto, cpu or gpu:N.")

    @pytest.mark.parametrize("command", ["slim", "convert", "validate", "eval"])
    def test_no_run(self, ppedge, command):
        refused(ppedge(command), 2, "No run found under runs/.")
        refused(ppedge(command, "nowhere"), 2, "nowhere: not a run")

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            ("slim", "the stage train has not been run. Run `ppedge train"),
            ("convert", "nothing is trained yet. Run `ppedge train` first."),
            ("eval", "nothing is trained yet. Run `ppedge train` first."),
            ("validate", "the stage convert has not been run. Run `ppedge convert"),
        ],
    )
    def test_stages_out_of_order(self, ppedge, recipe, tmp_path, command, told):
        run = tmp_path / "run"
        run.mkdir()
        (run / "recipe.yml").write_text(recipe.read_text())
        refused(ppedge(command, run), 2, told)

    def test_an_unfinished_training_is_not_thrown_away(self, ppedge, recipe, tmp_path):
        partial = tmp_path / "runs/tiny_rec/.train.partial"
        partial.mkdir(parents=True)
        (partial / "last.ckpt").touch()
        refused(ppedge("train", recipe), 2, "an interrupted training lies there. Go on with --resume, or start anew")
        refused(ppedge("train", recipe, "--resume"), 2, "last.ckpt")
        assert (partial / "last.ckpt").exists()


class TestDisk:
    def test_full(self, ppedge, recipe, tmp_path, monkeypatch):
        """The file that does not fit any more is the weights'; an earlier result stays."""
        code, _, err = ppedge("train", recipe, "--set", "train.max_steps=1")
        assert code == 0, err
        before = (tmp_path / "runs/tiny_rec/train/manifest.json").read_bytes()

        def full(descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        result = ppedge("train", recipe, "--force", "--set", "seed=9")
        assert result[0] == 3
        assert "the disk is full. Free some space and repeat the command; earlier results are whole." in result[2]
        assert re.search(r"ppedge: runs/tiny_rec/\S+: the disk is full", result[2]), "what was being written is named"
        assert "Traceback" not in result[2]
        assert (tmp_path / "runs/tiny_rec/train/manifest.json").read_bytes() == before

    @pytest.mark.slow
    def test_a_real_limit(self, recipe, tmp_path):
        """The kernel refuses the weights' bytes (EFBIG), in a process of its own."""
        code = (
            "import resource, signal, sys; from ppedge.cli.main import main\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))\n"
            "main(sys.argv[1:])"
        )
        command = [sys.executable, "-c", code, "train", recipe, "--set", "train.max_steps=1", "--out", tmp_path / "run"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 3, done.stderr
        told = done.stderr.splitlines()[-1]
        assert told.startswith(f"ppedge: {tmp_path / 'run'}/") and ": a file may not grow that large here." in told
        assert "Traceback" not in done.stderr
        left = [p.name for p in (tmp_path / "run").rglob("*") if p.is_file() and p.suffix not in (".lock", ".jsonl")]
        assert not left

    def test_names_that_cannot_be(self, ppedge, recipe, tmp_path):
        """Before the training, not after it."""
        refused(ppedge("train", recipe, "--out", "r" * 300), 2, "the name is too long for the file system. Name a")
        refused(
            ppedge("train", recipe, "--out", ""), 2, '--out "": nothing is given. Name something; a shell\'s variable'
        )
        refused(ppedge("train", recipe, "--out="), 2, "--out=: nothing is given.")
        refused(ppedge("validate", ""), 2, 'validate "": nothing is given.')
        refused(ppedge("train", recipe, "--out", os.fsdecode(b"r\xff")), 2, "r\\udcff: a name that is not UTF-8.")
        assert not list(tmp_path.glob("r*"))
        (tmp_path / os.fsdecode(b"runs/\xff")).mkdir(parents=True)
        (tmp_path / os.fsdecode(b"runs/\xff/recipe.yml")).touch()
        refused(ppedge("slim"), 2, "not UTF-8")

    def test_a_folder_that_is_a_file(self, ppedge, recipe, tmp_path):
        (tmp_path / "file").touch()
        refused(ppedge("train", recipe, "--out", tmp_path / "file"), 2, "file")


def no_such_module():
    try:
        import paddle.no_such_thing  # noqa: F401
    except ModuleNotFoundError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (PpedgeError("What.", "Do."), 2, "What. Do."),
        (GateError("What."), 1, "What."),
        (MissingError("What."), 3, "What."),
        (OSError(errno.ENOSPC, "No space", "/x"), 3, "/x: the disk is full."),
        (OSError(errno.EDQUOT, "Quota"), 3, "the disk is full."),
        (OSError(errno.EFBIG, "Too large", "/x"), 3, "/x: a file may not grow that large here."),
        (PermissionError(errno.EACCES, "Denied", "/x"), 2, "/x: not allowed to read or write here."),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"),
            2,
            "/x: no such file or folder. Check",
        ),
        (OSError("strange"), 2, "strange."),
        (OSError(errno.EROFS, "Read-only", "/x"), 2, "/x: this file system can only be read. Name a folder elsewhere."),
        (FileExistsError(errno.EEXIST, "File exists", "/x"), 2, "/x: there already, and not a folder. Name another"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "/x"), 2, "/x: the name is too long for the file system."),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 3, "Too little memory. Close other programs, raise `ulimit"),
        (MemoryError(), 3, "Too little memory."),
        (RuntimeError("std::bad_alloc"), 3, "Too little memory."),
        (RuntimeError("can't start new thread"), 3, "Too little memory."),
        (ImportError("libpaddle.so: failed to map segment from shared object"), 3, "Too little memory."),
        (ModuleNotFoundError("No module", name="paddle2onnx.utils"), 3, "paddle2onnx.utils is not installed."),
        (ModuleNotFoundError("No module", name="ppedge.typo"), 70, "unexpected ModuleNotFoundError"),
        (ValueError("deep"), 70, "unexpected ValueError: deep. This is a bug in ppedge"),
        (
            RuntimeError("C++ traceback:\n1 a\n2 b\nInvalidArgumentError: shapes differ"),
            70,
            "shapes differ. This is a bug",
        ),
    ],
)
def test_exceptions_become_sentences(error, code, told):
    sentence, found = explain(error)
    assert found == code
    assert told in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("limit", [150_000_000, 512_000_000])
def test_too_small_an_address_space_is_a_sentence_and_no_hang(recipe, tmp_path, limit):
    """Less than Paddle's libraries alone take; those that got no memory wait for their threads for ever."""
    code = "import resource, sys; from ppedge.cli.main import main\n" \
           f"resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))\nmain(sys.argv[1:])"  # fmt: skip
    command = [sys.executable, "-c", code, "train", recipe, "--out", tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1].startswith("ppedge: Too little memory. Close other programs, raise `ulimit -v`")
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings(), pytest.raises(PpedgeError, match="no such recipe"):
        main(["train", "none.yml", "--debug"])


def test_a_bug_is_no_traceback_either(ppedge, monkeypatch, recipe):
    monkeypatch.setattr("ppedge.recipe.io.load_recipe", lambda *_: 1 / 0)
    refused(ppedge("train", recipe), door.EXIT_BUG, "unexpected ZeroDivisionError: division by zero. This is a bug")


def test_ctrl_c_is_not_a_failed_gate(recipe, tmp_path):
    """1 is a gate's exit code; before the first step there is nothing to save."""
    code = "import os, signal, sys, time, ppedge.recipe.io as m; from ppedge.cli.main import main\n" \
           "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it\n" \
           "m.load_recipe = lambda *_: (os.kill(os.getpid(), signal.SIGINT), time.sleep(60))\n" \
           "main(sys.argv[1:])"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, "train", recipe], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in done.stderr


def test_a_failed_gate_is_exit_code_1(ppedge, recipe, tmp_path, monkeypatch):
    """The report is printed all the same."""
    from ppedge.validate import stage

    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.recipe_path.write_text(recipe.read_text())
    row = {
        "gate": "max_difference",
        "model": "rec.fp32.onnx",
        "cpu": "cortex-a53",
        "value": 0.5,
        "limit": 0.001,
        "note": "",
        "by_chance": False,
        "passed": False,
    }
    model = {
        "file": "rec.fp32.onnx",
        "baseline": True,
        "cpu": "cortex-a53",
        "bytes": 9,
        "runtime": "onnxruntime 1.0",
        "input_shape": [1, 3, 32, 320],
        "instructions": {"total": 7},
        "ratios": None,
        "load_instructions": 5,
        "memory_bytes": 3,
        "estimated_latency": None,
    }
    report = {"schema": 2, "task": "rec", "features": {}, "models": [model], "not_run": [], "gates": [row],
              "passed": False}  # fmt: skip
    monkeypatch.setattr(stage, "run_validate", lambda *_, **__: report)
    code, out, err = ppedge("validate", run.path)
    assert code == 1
    assert "FAILED  max_difference 0.5 > 0.001 (rec.fp32.onnx on cortex-a53)" in out
    assert "1 gates failed: max_difference 0.5 > 0.001 (rec.fp32.onnx on cortex-a53)." in err
    code, out, _ = ppedge("validate", run.path, "--json")
    assert code == 1
    assert yaml.safe_load(out) == report


def test_recipe_show_and_schema_are_json(ppedge, recipe):
    code, out, _ = ppedge("recipe", "show", recipe, "--set", "seed=5")
    assert code == 0
    assert yaml.safe_load(out)["seed"] == 5
    code, out, _ = ppedge("recipe", "schema")
    assert code == 0
    assert yaml.safe_load(out)["title"] == "Recipe"


def test_a_damaged_recipe_in_a_run(ppedge, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.yml").write_text("name: [")
    refused(ppedge("slim", run), 2, "recipe.yml:1: not YAML")
    write_json(run / "recipe.yml", [1])
    refused(ppedge("slim", run), 2, "recipe.yml: not a recipe")
