"""``ppedge recipe``: check recipes, print their schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ppedge.cli.output import emit

app = typer.Typer(add_completion=False, help="Check recipes and print their JSON schema.", no_args_is_help=True)


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
