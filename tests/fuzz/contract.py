"""What must hold of one input, whatever is in it.

The command succeeds, or refuses the input in one sentence of bounded length that names the place and holds no control
characters, with exit code 2 or 3 (1 where the command's answer is no). Anything else is a finding: exit code 70, which
is the code of a bug, a sentence that breaks these rules, a result that is wrong, memory without bound, a process that
dies or does not end.
"""

from __future__ import annotations

import io
import traceback
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from hypothesis.strategies import SearchStrategy

import ppedge
from ppedge.cli.main import EXIT_BUG, explain, main

ACCEPTED, REFUSED = "accepted", ("exit 1", "exit 2", "exit 3")
BUG, SENTENCE, WRONG, MEMORY, HANG, ABORT = "exit 70", "bad sentence", "wrong result", "memory", "hang", "abort"
FINDINGS = (BUG, SENTENCE, WRONG, MEMORY, HANG, ABORT)
KINDS = (ACCEPTED, *REFUSED, *FINDINGS)

PACKAGE = f"{Path(ppedge.__file__).parent}/"
MOST_LINES = 4
MOST_CHARACTERS = 1500

Files = dict[str, bytes]
"""One input: the content of its files by name, relative to the folder that it is run in."""


class WrongResultError(Exception):
    """An input was accepted, and what came of it cannot be right."""


@dataclass(frozen=True)
class Target:
    """Something that reads inputs.

    Attributes:
        name: Unique within the target's module.
        whole: Returns an input that is accepted, of the kind that the others are made of by damage.
        inputs: Returns the strategy that draws inputs; called once a process.
        call: Reads the input that lies in a folder, which is the current one too. It raises what the command raises,
            and `WrongResultError`.
        told: What a refusal must name: one of these, or by default the name of one of the input's files.
    """

    name: str
    whole: Callable[[], Files]
    inputs: Callable[[], SearchStrategy[Files]]
    call: Callable[[Path], object]
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        kind: One of `KINDS`.
        words: What the user was told; of a finding, what is wrong.
        place: Of a finding, where it came from, as one line: findings with the same place are one fault.
        trace: Of a finding, the traceback.
        seconds: How long it took.
        memory: Bytes by which the largest memory that the process had so far exceeds what it had before the batch.
    """

    kind: str
    words: str = ""
    place: str = ""
    trace: str = ""
    seconds: float = 0.0
    memory: int = 0


def find_target(name: str) -> Target:
    """Return a target by ``MODULE.NAME``, the module being one of `fuzz.targets`."""
    module, _, own = name.partition(".")
    return next(target for target in import_module(f"fuzz.targets.{module}").TARGETS if target.name == own)


def command(*arguments: str | Path) -> None:
    """Run a command line in this process and raise what it raises; its exit code comes as `SystemExit`."""
    main([*map(str, arguments), "--debug"])


def judge(target: Target, folder: Path, names: Iterable[str]) -> Outcome:
    """Run one input and say what became of it.

    Args:
        target: What reads it.
        folder: Where the input's files lie; the current folder.
        names: Their names.
    """
    # As strict as the real standard output: text that is no Unicode must not be printed.
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    code, sentence, error = 0, "", None
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            target.call(folder)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else EXIT_BUG if ended.code else 0
    except WrongResultError as found:
        return Outcome(WRONG, str(found), str(found)[:40], _trace(found))
    except Exception as raised:
        error = raised
        sentence, code = explain(raised)
    output = printed.buffer.getvalue().decode(errors="replace")  # type: ignore[attr-defined]
    if error is not None and _ran_out_of_memory(error):
        return Outcome(MEMORY, sentence, _place(error), _trace(error))
    if code not in (0, 1, 2, 3):
        return Outcome(BUG, sentence or output[-MOST_CHARACTERS:], _place(error), _trace(error))
    told = target.told or tuple(Path(name).name for name in names)
    complaint = _complaint(code, sentence, output, told)
    if complaint:
        return Outcome(
            SENTENCE, f"{complaint}: {(sentence or output)!r}", f"{complaint}, {_place(error)}", _trace(error)
        )
    return Outcome(ACCEPTED if code == 0 else f"exit {code}", sentence)


def _complaint(code: int, sentence: str, output: str, told: tuple[str, ...]) -> str:
    """Return what is wrong with what the user is told, or nothing."""
    # Python writes what is no Unicode as an escape to standard error.
    sentence = sentence.encode(errors="backslashreplace").decode()
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in sentence + output):
        return "control characters"
    if code == 0:
        return ""
    if not (sentence or output).strip():
        return "refused without a word"
    if sentence.count("\n") >= MOST_LINES:
        return "too many lines"
    if len(sentence) > MOST_CHARACTERS:
        return "too long"
    if not any(name in sentence + output for name in told):
        return "does not name the file"
    return ""


def _ran_out_of_memory(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _place(error: BaseException | None) -> str:
    """Return the exception's type and the innermost line of the package that it passed."""
    if error is None:
        return "no exception"
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if frame.filename.startswith(PACKAGE)), frames[-1])
    return f"{type(error).__name__} in {last.filename.removeprefix(PACKAGE)}:{last.lineno} ({last.name})"


def _trace(error: BaseException | None) -> str:
    return "" if error is None else "".join(traceback.format_exception(error))
