"""Writes the tables and commands of docs/models.md, between its marks, from the table of ``ppedge models``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ppedge.catalog.table import CORES, METRIC, PHONES, Model, Table, Task, read_table
from ppedge.storage import atomic_write
from ppedge.validate.latency import two_digits

PAGE = Path(__file__).with_name("models.md")
NONE = "—"


def page() -> str:
    """Return the text of docs/models.md, with what stands between its marks made anew."""
    table = read_table()
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "detectors": lambda: _table(table, "det"),
        "recognisers": lambda: _table(table, "rec"),
        "measuring": lambda: _measuring(table),
        "commands": lambda: _commands(table.models),
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, part in parts.items():
        mark = f"<!-- {name}: written by docs/make_models.py -->"
        made = "\n".join([mark, "", *part(), "", f"<!-- end of {name} -->"])
        pattern = re.compile(f"{re.escape(mark)}.*?<!-- end of {name} -->", re.DOTALL)
        assert len(pattern.findall(text)) == 1, f"{PAGE}: not one place for {name}"
        text = pattern.sub(lambda _, made=made: made, text)  # type: ignore[misc]
    return text


def _table(table: Table, task: Task) -> Iterator[str]:
    models = table.of(task)
    data = list(dict.fromkeys(name for model in models for name in model.metrics))
    heads = ["model", "", "input", ".nb, KB"]
    for core in CORES:
        heads += [f"{core.removeprefix('cortex-')}, M", f"ms, {PHONES[core]}"]
    heads += [f"{METRIC[task]}, {name}" for name in data]
    yield _row(heads)
    yield _row(["---"] * 2 + ["---:"] * (len(heads) - 2), space="")
    for model in models:
        cells = [f"[{model.name}](#{model.name})", model.title, "x".join(map(str, model.size))]
        cells.append(f"{model.nb_bytes / 1000:.0f}")
        for core in CORES:
            millions = f"{model.instructions[core] / 1e6:.1f}{'*' if model.counted else ''}"
            cells += [millions, two_digits(model.milliseconds(core))]
        yield _row([*cells, *(_metric(model, name) for name in data)])


def _metric(model: Model, data: str) -> str:
    found = model.metrics.get(data)
    return NONE if found is None else f"{found.value:.4f}".removeprefix("0")


def _row(cells: Sequence[str], space: str = " ") -> str:
    return f"|{'|'.join(f'{space}{cell}{space}' if cell else ' ' for cell in cells)}|"


def _measuring(table: Table) -> Iterator[str]:
    """Yield what each name of data stands for, and the command that measures on it."""
    commands = {}
    for model in table.models:
        for data, found in model.metrics.items():
            if found is not None and found.by.startswith("ppedge "):
                commands.setdefault(data, found.by.replace(f"runs/{model.name}", "RUN"))
    for data, meaning in table.data.items():
        yield f"- *{data}*: {meaning}."
    yield ""
    yield "```"
    yield from (commands[data] for data in table.data)
    yield "```"


def _commands(models: Sequence[Model]) -> Iterator[str]:
    """Yield a section for each model: where it comes from, and the commands that make its file."""
    for k, model in enumerate(models):
        yield from ([""] if k else [])
        yield f"### {model.name}"
        yield ""
        note = f"; {model.note}" if model.note else ""
        yield f"{model.told}{note}. {_source(model)}"
        yield ""
        yield "```"
        yield from model.commands
        yield "```"


def _source(model: Model) -> str:
    if model.weights is None:
        page = Path(model.source).name
        return f"From [{page.removesuffix('.md')}]({page}), with its figures."
    return f"From {model.source}. To train it further: recipe `{model.recipe}`, weights `{model.weights}`."


if __name__ == "__main__":
    text = page()
    with atomic_write(PAGE) as file:
        file.write(text.encode())
