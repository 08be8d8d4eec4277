"""``ppedge recipe``: the recipes that ppedge comes with, checks, their schema, PaddleOCR's configurations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppedge.cli.groups import Group
from ppedge.cli.options import Force, Json
from ppedge.cli.output import emit, say

if TYPE_CHECKING:
    from ppedge.migrate.recipe import Migration

app = typer.Typer(
    cls=Group,
    add_completion=False,
    help="List and copy the recipes that ppedge comes with, check recipes, make them of PaddleOCR's configurations.",
    no_args_is_help=True,
)


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List the recipes that ppedge comes with."""
    from ppedge.recipe.shipped import shipped

    found = shipped()
    if json:
        emit([{"name": one.name, "task": one.task or None, "about": one.about} for one in found])
        return
    width = max(len(one.name) for one in found)
    for one in found:
        say(f"{one.name:{width}}  {one.about}")
    say("ppedge recipe copy NAME writes one into this folder, to be changed.")


@app.command()
def copy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `ppedge recipe list` names it.")],
    out: Annotated[Path | None, typer.Option(metavar="RECIPE", help="By default NAME.yml in this folder.")] = None,
    force: Force = False,
) -> None:
    """Write a recipe that ppedge comes with, comments and all, to a file of your own."""
    from ppedge.recipe import shipped

    one = shipped.find(name)
    for path in shipped.copy(one, out or Path(f"{one.name}{shipped.SUFFIX}"), force=force):
        say(str(path))


@app.command()
def schema() -> None:
    """Print the JSON schema of recipes."""
    from ppedge.recipe.road import Recipe

    emit(Recipe.model_json_schema(by_alias=True))


@app.command()
def show(
    recipe: Annotated[Path, typer.Argument(help="The recipe's YAML file.")],
    set_: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a key.")] = [],  # noqa: B006
) -> None:
    """Check a recipe and print it as resolved, every key with its value."""
    from ppedge.recipe.io import as_written, load
    from ppedge.recipe.road import Recipe

    loaded = load(recipe, set_)
    emit(as_written(loaded) if isinstance(loaded, Recipe) else loaded.model_dump(mode="json"))


@app.command()
def from_paddleocr(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A configuration of PaddleOCR 2.x.")],
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="More changes, after one -o.", show_default=False),
    ] = None,
    change: Annotated[
        list[str], typer.Option("--opt", "-o", metavar="KEY=VALUE", help="Change a key of it, as PaddleOCR's -o does.")
    ] = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(metavar="RECIPE", help="The recipe to write; by default it is printed.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Say it of the keys as well that are taken as they are, or not needed.")
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Turn a configuration of PaddleOCR into a recipe; say line by line what is otherwise now, or left out."""
    from dataclasses import asdict

    from ppedge.errors import PpedgeError
    from ppedge.migrate.recipe import migrate
    from ppedge.storage import atomic_write

    if out is not None and out.exists() and not force:
        raise PpedgeError(f"{out}: is there already.", "Name another file, or use --force.")
    made = migrate(config, [*change, *(more or [])])
    text = made.text(config.name)
    if out is not None:
        with atomic_write(out) as file:
            file.write(text.encode())
    if json:
        findings = [asdict(finding) for finding in made.findings]
        emit({"recipe": made.recipe, "findings": findings, "problem": made.problem and str(made.problem)})
    else:
        for line in _became(made, config, every):
            say(line, err=out is None)
        if out is None:
            for line in text.splitlines():
                say(line)
    if made.problem is not None:
        where = out or "the recipe"
        raise PpedgeError(f"{where}: does not load as it stands: {made.problem.message}", made.problem.hint)


def _became(made: Migration, config: Path, every: bool) -> Iterator[str]:
    """Yield what became of a configuration, in lines; of keys that are as they were only if ``every`` is asked for."""
    from ppedge.data.ppocrlabel import say_unconfirmed
    from ppedge.recipe.data import paths
    from ppedge.recipe.io import make_recipe

    for finding in made.findings if every else made.otherwise:
        place = f"{config}:{finding.line}" if finding.line else f"{config}, changed"
        yield f"{place}: {finding.key}: {finding.verdict}: {finding.sentence}"
    yield made.summary + ("" if every else " (--all lists them)")
    if made.problem is None:
        data, told = make_recipe(made.recipe, config).data, list[str]()
        say_unconfirmed(told.append, [*paths(data.train), *data.eval], data.root)
        yield from told
