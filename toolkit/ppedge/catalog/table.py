"""The table of models: ``models.json``, which ``benchmarks/models.py`` writes, and choosing by it.

Instructions and bytes are those of the ``.nb`` file at batch 1; milliseconds follow from them by
`ppedge.validate.latency` and are in no file. A figure that nobody has measured is None.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from ppedge.errors import PpedgeError, meant, shown
from ppedge.storage import read_state
from ppedge.validate.latency import Estimate, estimates

PATH = Path(__file__).with_name("models.json")
Task = Literal["det", "rec"]
Core = Literal["cortex-a53", "cortex-a76"]
CORES: tuple[Core, ...] = ("cortex-a53", "cortex-a76")
PHONES: dict[Core, str] = {"cortex-a53": "Snapdragon 625", "cortex-a76": "Snapdragon 855"}
"""The chip that stands for each core where there is room for one."""
METRIC: dict[Task, str] = {"det": "hmean", "rec": "exact"}
_STRICT = ConfigDict(extra="forbid")
_Count = Annotated[int, Field(gt=0)]


@dataclass(frozen=True)
class Figure:
    """A metric as it was measured.

    Attributes:
        value: From 0 to 1; `METRIC` of the model's task.
        samples: Pictures or lines that it was measured on.
        by: The command that measured it, with the data's name for its folder; or the page that has it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    value: Annotated[float, Field(ge=0, le=1)]
    samples: _Count
    by: str


@dataclass(frozen=True)
class Model:
    """A model, what it costs and what it measures.

    Attributes:
        name: Short, in the table alone.
        title: In words.
        task: ``det`` or ``rec``.
        form: ``published``: weights and numbers as published. ``approximate``: the same with ``--rewrite approximate``.
            ``fine-tuned`` and ``slimmed``: made of one of them, as `source` says.
        recipe: By which it is trained or brought in; None for an inference model that was slimmed as it came.
        weights: The file that `commands` take; None where `source` is a page.
        source: Where the weights are to be had, or the page that says how the model is made.
        commands: That make the ``.nb`` file.
        precision: Of the ``.nb`` file.
        size: Height and width in pixels of the input that `instructions` are of.
        nb_bytes: Size of the ``.nb`` file; to the thousand where `cost_by` is a page.
        instructions: Of one warm inference on one thread, by core.
        counted: Under the emulator; else predicted by the cost table.
        cost_by: The command, or the page.
        metrics: By data.
        note: What the figures depend on; may be empty.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")]
    title: str
    task: Task
    form: Literal["published", "approximate", "fine-tuned", "slimmed"]
    recipe: str | None
    weights: str | None
    source: str
    commands: list[str]
    precision: Literal["fp32", "int8"]
    size: tuple[_Count, _Count]
    nb_bytes: _Count
    instructions: dict[Core, _Count]
    counted: bool
    cost_by: str
    metrics: dict[str, Figure | None]
    note: str

    @property
    def told(self) -> str:
        """Title, form and precision; a title that says the form already has it once."""
        form = "" if self.form in self.title else f", {self.form}"
        return f"{self.title}{form}, {self.precision}"

    def estimates(self, core: Core) -> list[Estimate]:
        """Return what an inference may take on the phones whose kernels a core stands for."""
        return estimates(core, self.instructions[core], self.nb_bytes)

    def milliseconds(self, core: Core) -> float:
        """Return what an inference may take on the chip that stands for a core, within `latency.band`."""
        return next(one.milliseconds for one in self.estimates(core) if one.soc == PHONES[core])


@dataclass(frozen=True)
class Table:
    """All models.

    Attributes:
        schema: Of the file.
        made_by: What wrote it.
        runtime: The build of Paddle Lite whose kernels the predicted instructions are of.
        data: What each name in a model's `metrics` stands for.
        models: By task, and from the oldest on.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    schema: Literal[1]
    made_by: str
    runtime: str
    data: dict[str, str]
    models: list[Model]

    def find(self, name: str) -> Model:
        """Return a model by its name.

        Raises:
            PpedgeError: There is none; the nearest name is in the hint.
        """
        by_name = {model.name: model for model in self.models}
        return by_name[known_name(name, by_name)]

    def of(self, task: Task) -> list[Model]:
        """Return the models of a task."""
        return [model for model in self.models if model.task == task]


@dataclass(frozen=True)
class Budget:
    """What an inference may take at most, on each core that is asked for.

    Attributes:
        most: Milliseconds as estimated for `PHONES`, or millions of instructions.
        unit: Of it.
    """

    most: float
    unit: Literal["ms", "M"]

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read a budget as a command line has it: ``30ms``, or ``150M`` instructions.

        Raises:
            PpedgeError: It is none.
        """
        found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?(ms|M)", text)
        if found is None or not float(found[1]):
            raise PpedgeError(
                f"--budget {shown(text)}: neither milliseconds nor millions of instructions.",
                "Write --budget 30ms or --budget 150M.",
            )
        return cls(float(found[1]), "ms" if found[2] == "ms" else "M")

    def __str__(self) -> str:
        """As it is told."""
        return f"{self.most:g} ms" if self.unit == "ms" else f"{self.most:g} M instructions"

    def takes(self, model: Model, core: Core) -> float:
        """Return what a model takes on a core, in this unit."""
        return model.milliseconds(core) if self.unit == "ms" else model.instructions[core] / 1e6

    def holds(self, model: Model, cores: Sequence[Core]) -> bool:
        """Whether a model keeps within it on every core."""
        return all(self.takes(model, core) <= self.most for core in cores)


def read_table(path: Path = PATH) -> Table:
    """Read the table.

    Raises:
        PpedgeError: The file is missing or damaged.
    """
    table: Table = read_state(path, Table, "a table of models", "Install ppedge anew.")
    return table


def known_name(name: str, known: Collection[str]) -> str:
    """Return a model's name.

    Raises:
        PpedgeError: None has it.
    """
    if name in known:
        return name
    raise PpedgeError(f"{shown(name)}: no such model.", f"{meant(name, known)} `ppedge models` lists all.".strip())


def best(models: Sequence[Model], data: str, cores: Sequence[Core]) -> Model | None:
    """Return the model that measures the most on data, of several the one of fewest instructions; None if none has."""
    measured = [(found.value, model) for model in models if (found := model.metrics.get(data)) is not None]
    if not measured:
        return None
    return max(measured, key=lambda one: (one[0], -max(one[1].instructions[core] for core in cores)))[1]
