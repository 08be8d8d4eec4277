"""The documentation agrees with the code: the recipe's keys, links, command lines and examples."""

import re
import runpy
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest
import typer
import yaml

from ppedge.cli.main import COMMANDS
from ppedge.recipe.road import Recipe

PROJECT = Path(__file__).resolve().parents[1]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md", *PROJECT.glob("docs/**/*.md")]
COMMENT = re.compile(r"\s#\s.*")


def blocks(text, language=r"\w*"):
    """Return the fenced blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def command_lines(text):
    """Return the ppedge command lines of a page: of its fenced and indented blocks, and of its sentences."""
    fenced = "\n".join(blocks(text))
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = "\n".join(re.findall(r"^ {4}(.*)", rest, flags=re.MULTILINE))
    lines = f"{fenced}\n{indented}".replace("\\\n", " ").splitlines()
    whole = [re.sub(r"^(\$ )?(\.venv/bin/)?", "", line) for line in lines]
    found = [COMMENT.sub("", line) for line in whole if line.startswith("ppedge ")]
    pictures = [line.partition(" ─")[0] for line in found if "─" in line]  # a command that an arrow leads on from
    whole = [line for line in found if "─" not in line]
    return whole, pictures + re.findall(r"`(ppedge [^`]+)`", " ".join(rest.split()))


def resolve(line):
    """Return the click command that a line names, and its arguments."""
    name, *rest = [word for word in shlex.split(line)[1:] if word != "--debug"]
    assert name in COMMANDS, f"{line}: no such command"
    command = typer.main.get_command(import_module(f"ppedge.cli.{COMMANDS[name][0]}").app)
    while isinstance(command, click.Group) and rest:
        if hasattr(command, "default") and rest[0] not in command.commands:
            rest = [command.default, *rest]
        if rest[0].startswith("-"):
            break
        assert rest[0] in command.commands, f"{line}: no such command"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def wrong_with(line, *, whole):
    """Return what is wrong with a command line, or None. Of a line in a sentence, arguments may be left out."""
    if re.fullmatch(r"ppedge --(help|version|install-completion)", line):
        return None
    try:
        command, arguments = resolve(line)
    except AssertionError as error:
        return str(error)
    if whole and "--help" not in arguments:
        try:
            command.make_context(command.name, list(arguments))
        except click.UsageError as error:
            return f"{line}: {error.format_message()}"
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    unknown = {word.partition("=")[0] for word in arguments if word.startswith("--")} - options
    return f"{line}: no option {', '.join(unknown)}" if unknown else None


def test_the_page_of_recipe_keys_is_fresh():
    page = runpy.run_path(str(PROJECT / "docs/make_recipes.py"))["page"]()
    assert (PROJECT / "docs/recipes.md").read_text(encoding="utf-8") == page, "run `make docs`"


def test_the_page_of_models_is_fresh():
    page = runpy.run_path(str(PROJECT / "docs/make_models.py"))["page"]()
    assert (PROJECT / "docs/models.md").read_text(encoding="utf-8") == page, "run `make docs`"


def test_the_first_page_knows_the_newest_networks():
    """Those that have recipes: a list that somebody forgets sends readers away who would find what they look for."""
    newest = max(int(path.name[len("ppocrv")]) for path in (PROJECT / "recipes").glob("ppocrv[0-9]_*.yml"))
    text = (PROJECT / "docs/index.md").read_text(encoding="utf-8")
    assert f"v1 to v{newest}" in text
    assert not [old for old in range(2, newest) if re.search(rf"v1 to v{old}\b(?!,)", text)]


def test_the_readme_names_the_row_of_the_table_that_it_differs_from():
    row = re.search(r"^\| \[v3-rec\].*$", (PROJECT / "docs/models.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    *_, a53, _, a76, _, plates, lines = [cell.strip() for cell in row[0].strip("|").split("|")]
    told = f"({plates} and {lines}; {float(a53):.0f} / {float(a76):.0f})"
    assert told in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_readmes_commands_follow_from_one_another():
    """A bundle is replaced with --force alone, and a recipe is one that ships or that `init` has made before."""
    commands, _ = command_lines((PROJECT / "README.md").read_text(encoding="utf-8"))
    bundles, made = [], set()
    for line in commands:
        command, arguments = resolve(line)
        given = command.make_context(command.name, list(arguments)).params
        if command.name == "init":
            made |= {f"{given['name']}/{part}" for part in ("det.yml", "rec.yml")}
        elif command.name == "build" and given["runs"]:
            bundles.append(str(given["out"]))
        elif given.get("recipe"):
            assert given["recipe"] in made or (PROJECT / given["recipe"]).is_file(), line
        elif given.get("e2e"):
            assert given["what"] in bundles, line
    assert made and len(bundles) == len(set(bundles)) > 1


def test_the_page_of_recipe_keys_has_every_key_with_its_meaning():
    text = (PROJECT / "docs/recipes.md").read_text(encoding="utf-8")
    definitions = Recipe.model_json_schema(by_alias=True)["$defs"]
    sections = {name: value["properties"] for name, value in definitions.items()}
    plain = [key for keys in sections.values() for key, value in keys.items() if "type" in value or "const" in value]
    assert len(plain) > 60
    for key in plain:
        assert re.search(rf"^\| `{key}` \| .+ \| .+ \| .+ \|$", text, flags=re.MULTILINE), key


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    targets = {link.partition("#")[0] for link in links if "://" not in link}
    assert not [target for target in targets if target and not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_command_lines_parse(page):
    whole, fragments = command_lines(page.read_text(encoding="utf-8"))
    found = [wrong_with(line, whole=True) for line in whole] + [wrong_with(line, whole=False) for line in fragments]
    assert not [wrong for wrong in found if wrong]


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("ppedge trian recipe.yml", False),
        ("ppedge train --epochs", False),
        ("ppedge data chek", False),
        ("ppedge train", True),  # the recipe is missing
        ("ppedge validate --engine onnx", True),  # no such choice
    ],
)
def test_wrong_command_lines_are_seen(line, whole):
    assert wrong_with(line, whole=whole)


def test_every_command_has_a_section_with_an_example():
    text = (PROJECT / "docs/commands.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
        assert section and f"ppedge {name}" in "".join(blocks(section[1])), name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_recipes_in_pages_are_recipes(page):
    for block in blocks(page.read_text(encoding="utf-8"), "yaml"):
        Recipe.model_validate(yaml.safe_load(block))
