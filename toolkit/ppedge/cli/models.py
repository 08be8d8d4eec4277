"""``ppedge models``: what published and slimmed models cost and measure, and the best within a budget."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ppedge.cli.options import Json
from ppedge.cli.output import Justify, emit, print_table, say
from ppedge.errors import GateError, PpedgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ppedge.catalog.table import Budget, Core, Model, Table

app = typer.Typer(add_completion=False)

TASKS = {"det": "detectors", "rec": "recognisers"}


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model of the table: how to get it.", show_default=False)
    ] = None,
    task: Annotated[Literal["det", "rec"] | None, typer.Option(help="Detectors or recognisers alone.")] = None,
    core: Annotated[Literal["a53", "a76"] | None, typer.Option(help="Show and limit this core alone.")] = None,
    budget: Annotated[
        str, typer.Option(metavar="30ms|150M", help="Those that take no more, in milliseconds or M instructions.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show what PP-OCR's models cost on a phone's core and measure, as published and slimmed; or how to get one.

    Costs are of one input of 320x320, or of a line of 320 pixels. A budget holds on both cores unless one is named.
    """
    from ppedge.catalog.table import CORES, Budget, read_table

    table = read_table()
    if name is not None:
        given = {"--task": task, "--core": core, "--budget": budget or None}
        if unmeant := [option for option, value in given.items() if value is not None]:
            raise PpedgeError(f"{unmeant[0]}: chooses among models, and NAME is one.", "Leave one of them out.")
        chosen = [table.find(name)]
        if not as_json:
            _show(chosen[0], table)
            return
    else:
        chosen = [model for model in table.models if task in (None, model.task)]
    cores: tuple[Core, ...] = CORES if core is None else (_core(core),)
    limit = Budget.parse(budget) if budget else None
    if limit is not None:
        chosen = _within(limit, chosen, cores)
    if as_json:
        emit(_value(table, chosen, cores))
        return
    for one in TASKS:
        of_task = [model for model in chosen if model.task == one]
        if of_task:
            _show_table(of_task, table, cores, limit)
    _say_what_figures_are(chosen, cores)


def _core(name: Literal["a53", "a76"]) -> Core:
    return "cortex-a53" if name == "a53" else "cortex-a76"


def _within(budget: Budget, models: Sequence[Model], cores: Sequence[Core]) -> list[Model]:
    """Return the models that keep within a budget; say for which task there is none, as the other's are shown.

    Raises:
        GateError: None does; the hint names those that take the least.
    """
    found = [model for model in models if budget.holds(model, cores)]
    least = []
    for task, word in TASKS.items():
        takes = {model.name: max(budget.takes(model, core) for core in cores) for model in models if model.task == task}
        if takes and not any(model.task == task for model in found):
            name = min(takes, key=lambda name: takes[name])
            least.append(f"Of {word}, {name} takes the least: {takes[name]:.1f} {budget.unit}.")
    where = " and ".join(cores)
    if not found:
        raise GateError(f"--budget: no model takes at most {budget} on {where}.", " ".join(least))
    for sentence in least:
        say(f"nothing else takes at most {budget} on {where}. {sentence}", err=True)
    return found


def _two_digits(value: float) -> str:
    from ppedge.validate.latency import two_digits

    return two_digits(value)


def _value(table: Table, models: Sequence[Model], cores: Sequence[Core]) -> dict[str, Any]:
    """Return the result as JSON has it: the models, with milliseconds, and the best of them by data."""
    from ppedge.validate.latency import band

    return {
        "runtime": table.runtime,
        "data": table.data,
        "band": band(),
        "models": [
            {**asdict(model), "milliseconds": {core: {one.soc: round(one.milliseconds, 2) for one in
                                                      model.estimates(core)} for core in cores}}
            for model in models
        ],
        "best": {task: {data: model.name for data, model in _best(models, task, cores)} for task in TASKS},
    }  # fmt: skip


def _best(models: Sequence[Model], task: str, cores: Sequence[Core]) -> Iterator[tuple[str, Model]]:
    """Yield the best model of a task for each data that any was measured on."""
    from ppedge.catalog.table import best

    of_task = [model for model in models if model.task == task]
    for data in dict.fromkeys(data for model in of_task for data in model.metrics):
        found = best(of_task, data, cores)
        if found is not None:
            yield data, found


def _show_table(models: Sequence[Model], table: Table, cores: Sequence[Core], budget: Budget | None) -> None:
    from ppedge.catalog.table import METRIC, PHONES

    task = models[0].task
    data = list(dict.fromkeys(name for model in table.of(task) for name in model.metrics))
    columns: dict[str, Justify] = {"model": "left", "input": "right", "KB": "right"}
    for core in cores:
        columns |= {f"{_short(core)}, M": "right", f"ms, {PHONES[core].split()[-1]}": "right"}
    columns |= dict.fromkeys(data, "right")
    say(f"{TASKS[task]}, {METRIC[task]} on {' and on '.join(data)}")
    print_table(columns, [_cells(model, data, cores) for model in models], lines=False)
    if budget is not None:
        for name, model in _best(models, task, cores):
            found = model.metrics[name]
            assert found is not None
            note = f"; {model.note}" if model.note else ""
            say(f"best on {name} within {budget}: {model.name}, {found.value:.4f} ({model.form}{note})")
    say("")


def _cells(model: Model, data: Sequence[str], cores: Sequence[Core]) -> list[str]:
    cells = [model.name, "x".join(map(str, model.size)), f"{model.nb_bytes / 1000:.0f}"]
    for core in cores:
        counted = "*" if model.counted else ""
        cells += [f"{model.instructions[core] / 1e6:.1f}{counted}", _two_digits(model.milliseconds(core))]
    for name in data:
        found = model.metrics.get(name)
        cells.append("—" if found is None else f"{found.value:.4f}")
    return cells


def _short(core: Core) -> str:
    return core.removeprefix("cortex-")


def _say_what_figures_are(models: Sequence[Model], cores: Sequence[Core]) -> None:
    """Say what stands in the columns, as far as their heads do not."""
    from ppedge.catalog.table import PHONES
    from ppedge.validate.latency import band

    counted = ", * counted" if any(model.counted for model in models) else ""
    phones = " and ".join(f"{PHONES[core]} ({core})" for core in cores)
    say(
        f"M: instructions of one inference, by the cost table{counted}; ms: estimated on {phones}, x{band()} either way"
    )
    say("ppedge models NAME says how to get one and what it was measured on; a dash is what nobody has measured")


def _show(model: Model, table: Table) -> None:
    """Say all that is known of a model."""
    from ppedge.catalog.table import CORES, METRIC
    from ppedge.validate.latency import band

    height, width = model.size
    say(f"{model.name}: {model.told}")
    if model.note:
        say(f"  {model.note}")
    if model.weights is not None:
        say(f"from: {model.source}")
        say(
            f"to train it further: recipe {model.recipe}, weights {model.weights} (`ppedge recipe copy {model.recipe}`)"
        )
    else:
        say(f"made as {model.source} says")
    say("commands:")
    for command in model.commands:
        say(f"  {command}")
    say(f"cost of one inference at 3x{height}x{width}, {model.nb_bytes:,} bytes, by {model.cost_by}:")
    how = "counted" if model.counted else "predicted"
    for core in CORES:
        phones = ", ".join(f"{one.soc} {_two_digits(one.milliseconds)} ms" for one in model.estimates(core))
        say(f"  {core}: {model.instructions[core] / 1e6:.1f} M instructions, {how}")
        say(f"    estimated, x{band()} either way: {phones}")
    for data, found in model.metrics.items():
        if found is None:
            say(f"{METRIC[model.task]} on {data}: not measured")
        else:
            say(f"{METRIC[model.task]} on {data}: {found.value:.4f}, {found.samples} {table.data[data]}")
            say(f"  by {found.by}")
