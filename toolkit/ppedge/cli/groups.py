"""Groups of commands that ask, of a name that is none of theirs, which one was meant."""

from __future__ import annotations

import click
from typer.core import TyperGroup

from ppedge.errors import cut, meant


class Group(TyperGroup):
    """A group that suggests the nearest of its commands, with whatever version of Click, and where they are lazy."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command '{cut(name)}'. {meant(name, self.list_commands(ctx))}".strip())
        return super().resolve_command(ctx, args)
