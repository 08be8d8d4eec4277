"""The import rules, read from docs/architecture.md, so that the page and the package cannot part."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ppedge
import ppedge.arm

PACKAGE = Path(ppedge.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
PADDLES = {"paddle", "paddleslim", "paddle2onnx", "paddlelite"}
MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))
# The package itself, its version, and the command line's door.
ROOTS = {"__init__", "__main__"}


def rules():
    """Room -> rooms it may import, or None for all."""
    table = PAGE.read_text().partition("| room |")[2].partition("\n\n")[0]
    found = {}
    for line in table.splitlines()[2:]:
        rooms, _, allowed = line.strip("| ").split(" | ")
        row = set(re.findall(r"`([\w/]+)`", rooms))
        for room in row:
            found[room] = None if allowed == "everything" else row | set(re.findall(r"`([\w/]+)`", allowed))
    return found


def paddle_free():
    sentence = re.search(r"\n(`ocr`, .*?) never import Paddle", PAGE.read_text())
    return re.findall(r"`([\w/]+)`", sentence[1])


def inside(module, room):
    return module == room or module.startswith(f"{room}/")


def room_of(module, rooms):
    """The longest name of a room that the module lies in."""
    return max((room for room in rooms if inside(module, room)), key=len)


def statements(node, top):
    """Yield import statements: all of a file, or those that run when it is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        elif not (top and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            yield from statements(child, top)


def imported(module, top=False):
    """Dotted names that a module imports."""
    names = []
    for statement in statements(ast.parse((PACKAGE / f"{module}.py").read_text()), top):
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        else:
            assert statement.level == 0, f"{module}: relative import"
            names += [f"{statement.module}.{alias.name}" for alias in statement.names]
    return names


def own(name):
    """The package's module that a dotted name means, or None: ``ppedge.convert.nb.summary`` -> ``convert/nb``."""
    parts = name.split(".")[1:]
    for length in range(len(parts), 0, -1):
        path = "/".join(parts[:length])
        if path in MODULES:
            return path
        if f"{path}/__init__" in MODULES:
            return path
    return None


@pytest.mark.parametrize("module", [m for m in MODULES if m not in ROOTS])
def test_imports_run_one_way(module):
    table = rules()
    room = room_of(module.removesuffix("/__init__"), table)
    allowed = table[room]
    if allowed is None:
        return
    for name in imported(module):
        target = own(name) if name.startswith("ppedge.") else None
        if target is None or inside(target, room) or any(inside(target, one) for one in allowed):
            continue
        pytest.fail(f"{module} ({room}) must not import {target}")


def test_the_table_names_every_room_and_nothing_else():
    table = rules()
    assert len(table) > 15
    folders = {module.partition("/")[0] for module in MODULES} - ROOTS
    assert {room for room in table if "/" not in room} == folders
    for allowed in table.values():
        assert all(own(f"ppedge.{room.replace('/', '.')}") == room for room in allowed or ())


def test_the_rules_are_not_vacuous():
    assert own("ppedge.convert.nb.summary") == "convert/nb"
    assert own("ppedge.ocr") == "ocr"
    assert own("ppedge.__version__") is None
    assert "ppedge.train.loop.BEST" in imported("slim/network")
    assert "paddle" in imported("train/loop", top=True)
    assert "paddle" in imported("cli/train") and "paddle" not in imported("cli/train", top=True)


@pytest.mark.parametrize(
    "module", [m for m in MODULES if any(inside(m.removesuffix("/__init__"), room) for room in paddle_free())]
)
def test_no_paddle_at_the_top(module):
    assert not PADDLES & {name.partition(".")[0] for name in imported(module, top=True)}


def test_the_rule_about_paddle_names_what_it_should():
    assert set(paddle_free()) == {
        "ocr", "engines/base", "engines/onnxruntime", "convert/nb", "recipe", "recipe_model", "recipe_slim",
        "recipe_io", "runs", "arm", "data", "bundle", "cli"
    }  # fmt: skip


NO_PADDLE = f"import sys\nfor name in {sorted(PADDLES)}: sys.modules[name] = None\n"


def without_paddle(code, *arguments):
    """Run code in a Python that has no Paddle, whatever is installed."""
    command = [sys.executable, "-c", NO_PADDLE + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--help"], "validate"),
        (["inspect", Path(ppedge.arm.__file__).with_name("selftest.nb")], "operators"),
        (["validate", "--help"], "--engine"),
        (["ocr", "--help"], "IMAGE"),
        (["recipe", "schema"], "det_preprocess"),
    ],
)
def test_commands_that_need_no_paddle(arguments, told):
    done = without_paddle("from ppedge.cli.main import main\nmain(sys.argv[1:])", *arguments)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout


def test_stages_that_need_no_paddle_are_importable():
    done = without_paddle("import ppedge.validate.stage, ppedge.convert.stage, ppedge.data.dataset")
    assert done.returncode == 0, done.stderr


def test_a_command_that_needs_paddle_says_so(tmp_path):
    recipe = Path(__file__).parents[1] / "recipes" / "receipts_det.yml"
    done = without_paddle(
        "from ppedge.cli.main import main\nmain(sys.argv[1:])", "train", recipe, "--out", tmp_path / "run"
    )
    assert done.returncode == 3
    assert "paddle is not installed. Install ppedge with the extra `cpu` or `gpu`." in done.stderr
    assert "Traceback" not in done.stderr
