"""The import rules, read from docs/architecture.md, so that the page and the package cannot part."""

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import tomli

import ppedge
import ppedge.arm

PACKAGE = Path(ppedge.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
GUESTS = {"protocol"}
"""What programs import that run under the emulator, where they lie in one folder."""
PADDLES = {"paddle", "paddle2onnx", "paddlelite"}
MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))
# The package itself, its version, and the command line's door.
ROOTS = {"__init__", "__main__"}


def rules():
    """Room -> rooms it may import, or None for all; in the order of the page, from the ground up."""
    table = PAGE.read_text().partition("| room |")[2].partition("\n\n")[0]
    found = {}
    for line in table.splitlines()[2:]:
        room, _, allowed = line.strip("| ").split(" | ")
        found[room.strip("`")] = None if allowed == "everything" else re.findall(r"`([\w/]+)`", allowed)
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
    """The package's module that a dotted name means, or None: ``ppedge.files.nb.summary`` -> ``convert/nb``."""
    parts = name.split(".")[1:]
    for length in range(len(parts), 0, -1):
        path = "/".join(parts[:length])
        if path in MODULES:
            return path
        if f"{path}/__init__" in MODULES:
            return path
    return None


def imports_of(module):
    """The package's other modules that a module imports, anywhere in the file."""
    found = {own(name) for name in imported(module) if name.startswith("ppedge.")}
    return sorted(found - {None, module})


def trespasses(graph, table):
    """Imports that the table does not allow: (module, room, target)."""
    for module, targets in graph.items():
        room = room_of(module.removesuffix("/__init__"), table)
        if table[room] is None:
            continue
        for target in targets:
            if room_of(target, table) != room and not any(inside(target, one) for one in table[room]):
                yield module, room, target


def circles(graph):
    """Ways along imports that end where they began."""
    done, way = set(), []

    def visit(module):
        if module in way:
            yield [*way[way.index(module) :], module]
        elif module not in done:
            way.append(module)
            for target in graph.get(module, ()):
                yield from visit(target)
            done.add(way.pop())

    for module in graph:
        yield from visit(module)


GRAPH = {module: imports_of(module) for module in MODULES if module not in ROOTS}


def test_imports_are_those_of_the_table():
    assert list(trespasses(GRAPH, rules())) == []


def test_no_room_looks_up():
    table, above = rules(), set()
    for room, allowed in table.items():
        for one in allowed or ():
            assert room_of(one, table) in above or one in above, f"{room} looks up to {one}"
        above.add(room)


def test_no_two_files_import_each_other():
    assert list(circles(GRAPH)) == []


def test_what_breaks_the_rules_is_found():
    """An import that goes up, and two that make a circle, put into the graph on purpose."""
    up = {**GRAPH, "files/nb": [*GRAPH["files/nb"], "train/loop"]}
    assert list(trespasses(up, rules())) == [("files/nb", "files", "train/loop")]
    sideways = {**GRAPH, "slim/channels/groups": [*GRAPH["slim/channels/groups"], "slim/plan"]}
    assert list(trespasses(sideways, rules())) == [("slim/channels/groups", "slim/channels", "slim/plan")]
    circle = next(circles(sideways))
    assert circle[0] == circle[-1] and {"slim/channels/groups", "slim/plan"} <= set(circle)


def test_the_table_names_every_room_and_nothing_else():
    table = rules()
    assert len(table) > 20
    folders = {module.partition("/")[0] for module in MODULES} - ROOTS
    assert {room for room in table if "/" not in room} == folders
    for allowed in table.values():
        assert all(own(f"ppedge.{room.replace('/', '.')}") == room for room in allowed or ())


def test_the_rules_are_not_vacuous():
    assert own("ppedge.files.nb.summary") == "files/nb"
    assert own("ppedge.ocr") == "ocr"
    assert own("ppedge.__version__") is None
    assert "ppedge.train.course.BEST" in imported("slim/network")
    assert "paddle" in imported("train/loop", top=True)
    assert "paddle" in imported("cli/train") and "paddle" not in imported("cli/train", top=True)


@pytest.mark.parametrize(
    "module", [m for m in MODULES if any(inside(m.removesuffix("/__init__"), room) for room in paddle_free())]
)
def test_no_paddle_at_the_top(module):
    assert not PADDLES & {name.partition(".")[0] for name in imported(module, top=True)}


def test_the_rule_about_paddle_names_what_it_should():
    assert set(paddle_free()) == {
        "ocr", "metrics", "files", "engines/base", "engines/onnxruntime", "recipe", "storage", "runs", "arm", "data",
        "bundle", "cli",
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


def test_weights_are_shown_without_paddle(tmp_path):
    code = (
        "from pathlib import Path; import numpy as np; from ppedge.models.weights import write_pdparams\n"
        "from ppedge.cli.main import main\n"
        "write_pdparams(Path(sys.argv[1]), {'backbone.x': np.zeros(2)})\n"
        "main(['weights', 'show', sys.argv[1]])"
    )
    done = without_paddle(code, tmp_path / "w.pdparams")
    assert done.returncode == 0 and "a backbone alone" in done.stdout, done.stderr


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


def modules_of(distribution):
    """The names at the top of what a package has installed; none if it is not installed."""
    try:
        record = metadata.distribution(distribution).read_text("RECORD")
    except metadata.PackageNotFoundError:
        return set()
    return {line.partition(",")[0].partition("/")[0].partition(".")[0] for line in record.splitlines()}


def test_what_the_package_imports_it_declares():
    """Its own dependencies and those of the extra `cpu`; what is there because something else brought it may go."""
    project = tomli.loads((PAGE.parents[1] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = {
        re.match(r"[\w.-]+", requirement)[0].lower()
        for requirement in (*project["dependencies"], *extras["cpu"], *extras["paddle"])
    }
    theirs = set().union(*map(modules_of, declared))
    theirs |= {re.match(r"[\w.-]+", requirement)[0] for requirement in extras["tensorboard"]}  # it need not be there
    roots = {name.partition(".")[0] for module in MODULES for name in imported(module)}
    foreign = roots - {"ppedge", *sys.stdlib_module_names, *GUESTS}
    assert len(foreign) > 10 and foreign - theirs == set()
