"""The command line's door: commands that are imported when called, and the one place where errors become sentences."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from importlib import import_module
from typing import Annotated, Any

import click
import typer

from ppedge import __version__
from ppedge.cli.groups import Group
from ppedge.cli.output import say
from ppedge.errors import AGAIN, WITH_PADDLE, Interrupted, PpedgeError, require_utf8
from ppedge.process import MORE_MEMORY, memory_ran_out
from ppedge.scratch import sweep_scratch
from ppedge.signals import interrupt_on_signals, interrupted

INTERRUPTED = "Interrupted; what was finished before is kept."

# name -> (module with `app`, what `ppedge --help` says); a command's module is imported only when it is called.
COMMANDS = {
    "models": ("models", "Say which model for which phone: what each costs and measures, the best within a budget."),
    "init": ("init", "Make a folder with recipes for pictures of your own, and say what to type next."),
    "run": ("run", "Take a recipe through all stages, resuming where it stopped."),
    "train": ("train", "Train a network by a recipe."),
    "eval": ("eval", "Measure a run, weights or a bundle on pictures with labels."),
    "slim": ("slim", "Prune filters (FPGM) and train for 8 bits (PACT)."),
    "convert": ("convert", "Write Paddle Lite .nb and ONNX files for ARM."),
    "validate": ("validate", "Compare PC and ARM: outputs, metric, instructions."),
    "report": ("report", "Write a page on a run: figures, curves, what slimming left, cost, gates."),
    "cost": ("cost", "Show what each operator costs on an ARM core."),
    "bundle": ("bundle", "Make the folder that a phone needs, and check one."),
    "ocr": ("ocr", "Read the text in pictures."),
    "inspect": ("inspect", "Show what a .nb file holds, or how two differ."),
    "weights": ("weights", "Show what a file of weights holds, and take weights out of others."),
    "data": ("data", "Check, show, convert, split and make data."),
    "recipe": ("recipe", "List, copy and check recipes; make them of PaddleOCR's."),
    "arm": ("arm", "Set up the ARM emulator."),
    "doctor": ("doctor", "Say what is here, what is missing and what to type."),
}
EXIT_BUG = 70
# Help and usage errors in plain text: for frames around them Typer imports all of Rich, with its Markdown parser and
# source highlighter, and that takes longer than everything else together.
typer.core.HAS_RICH = False


class LazyGroup(Group):
    """A group whose ``--help`` needs none of its commands' imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in the order of the road."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a stand-in that carries a command's name and help."""
        if cmd_name not in COMMANDS:
            return None
        sentence = COMMANDS[cmd_name][1]
        return click.Command(cmd_name, help=sentence, short_help=sentence)  # a short help is not cut off

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command that is about to run."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if name is None or stand_in is None:
            return name, stand_in, rest
        module = import_module(f"ppedge.cli.{COMMANDS[name][0]}")
        return name, typer.main.get_command(module.app), rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; say that Ctrl-C or SIGTERM ended it, unless what it was at has said more."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted(INTERRUPTED, AGAIN) from error


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Put PP-OCR models on phones: train, slim, convert, validate on an ARM emulator.",
)


RESERVE = 8 << 20
"""Bytes that are set aside and let go before an error is told: where there was no memory, the sentence needs some."""


def _version(wanted: bool) -> None:
    if wanted:
        say(f"ppedge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    sweep_scratch()


def main(argv: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code.

    Codes: 0 done, 1 a gate failed, 2 bad input or usage, 3 something on the machine is missing, 130 interrupted, 70 a
    bug in ppedge.
    """
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments
    if not debug:
        warnings.simplefilter("ignore")  # the libraries' remarks to programmers are not the user's business
    interrupt_on_signals()
    reserve = bytearray(RESERVE)
    try:
        _require_names(arguments)
        app(args=[a for a in arguments if a != "--debug"], prog_name="ppedge")
    except Exception as error:
        del reserve
        if debug:
            raise
        if interrupted() and not isinstance(error, PpedgeError):
            error = Interrupted(INTERRUPTED, AGAIN)
        sentence, code = explain(error)
        sys.stdout.flush()
        say(f"ppedge: {sentence}", err=True)
        if _is_memory(error) or interrupted():
            os._exit(code)  # libraries that got no memory, or were cut short, may wait for ever at the end
        sys.exit(code)


def _require_names(arguments: list[str]) -> None:
    """Refuse empty arguments, and names that no manifest can hold, before any long work rather than at its end.

    Raises:
        PpedgeError: Names the argument.
    """
    for before, argument in zip(["ppedge", *arguments], arguments, strict=False):
        if not argument or (argument.startswith("--") and argument.find("=") == len(argument) - 1):
            what = argument or f'{before} ""'
            raise PpedgeError(f"{what}: nothing is given.", "Name something; a shell's variable may be empty.")
        require_utf8(argument)


def explain(error: BaseException) -> tuple[str, int]:
    """Turn an exception into one sentence (and a hint) and an exit code."""
    if _is_memory(error):
        return f"Too little memory. {MORE_MEMORY}", 3
    if isinstance(error, PpedgeError):
        return str(error), error.exit_code
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in _EXTRAS:
        return f"{error.name} is not installed. {WITH_PADDLE}", 3
    if isinstance(error, OSError):
        return _explain_os(error)
    from ppedge.process import last_words  # a library's error may be a page long

    what = f"unexpected {type(error).__name__}: {last_words(str(error))}"
    return f"{what}. This is a bug in ppedge: repeat with --debug and report it.", EXIT_BUG


def _is_memory(error: BaseException | None) -> bool:
    """Whether there was no memory, whatever libraries have made of that on its way here."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        if not isinstance(error, PpedgeError) and memory_ran_out(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


_EXTRAS = ("paddle", "paddlelite", "paddle2onnx", "onnx")


def _explain_os(error: OSError) -> tuple[str, int]:
    place = f"{error.filename}: " if error.filename else ""
    told, code = _OS_ERRORS.get(error.errno or 0, (f"{error.strerror or error}.", 2))
    return f"{place}{told}", code


_NOT_ALLOWED = ("not allowed to read or write here. Name another folder, or change its permissions.", 2)
_DISK_FULL = ("the disk is full. Free some space and repeat the command; earlier results are whole.", 3)
_NO_HANDLES = ("too many open files. Raise `ulimit -n`.", 3)
_OS_ERRORS = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: _DISK_FULL,
    errno.EFBIG: ("a file may not grow that large here. Raise `ulimit -f`, or use another file system.", 3),
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: ("this file system can only be read. Name a folder elsewhere.", 2),
    errno.ENOENT: ("no such file or folder. Check the name.", 2),
    errno.EEXIST: ("there already, and not a folder. Name another, or delete it.", 2),
    errno.ENOTDIR: ("a file stands where a folder is needed. Name another folder.", 2),
    errno.EISDIR: ("a folder stands where a file is needed. Name a file.", 2),
    errno.ENOTEMPTY: ("a folder that is not empty is in the way. Name another, or delete it.", 2),
    errno.ENAMETOOLONG: ("the name is too long for the file system. Name a shorter one.", 2),
    errno.ELOOP: ("links lead in a circle. Name the file or folder itself.", 2),
    errno.EMFILE: _NO_HANDLES,
    errno.ENFILE: _NO_HANDLES,
    errno.EIO: ("the device cannot be read or written. Check the disk.", 3),
}
