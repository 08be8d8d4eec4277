"""The network of an inference program: its operators as layers and functions, run one after the other.

It gives what Paddle gives when it runs the program, and can be traced, pruned, trained, quantized and exported as a
network that was built here. Its layers bear the names that the program has for their weights: ``conv2d_7`` holds
``conv2d_7.w_0`` and, where one is added behind it, its bias.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import paddle
from paddle import nn
from paddle.utils import unique_name

from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.models.imported.layers import Made, layer_of
from ppedge.models.imported.operators import FUNCTIONS, READ, Function, UnknownFormError
from ppedge.program.operator import Operator
from ppedge.program.program import Program

Task = Literal["det", "rec", "cls"]
_HANDING_ON = ("scale", "assign", "dropout")
_LAST = {"det": "sigmoid", "rec": "softmax", "cls": "softmax"}
_HINT = "`ppedge convert --from-inference` takes it as it is."
_ENDING = re.compile(r"\.[wb]_\d+(\.\d+)?$")  # a number more: a rewrite gave it other values


@dataclass(frozen=True)
class Step:
    """An operator of the network.

    Attributes:
        run: What computes it: a function, or the name of a layer.
        reads: Names of variables and parameters, in the order in which it takes them.
        writes: Names of the variables that it makes.
    """

    run: Function | str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Paused:
    """A network's run that has come to a step.

    Attributes:
        step: The step's place among all.
        found: What was computed before, as far as steps from here on read it, by name.
    """

    step: int
    found: dict[str, Any]

    @property
    def bytes(self) -> int:
        """What it takes of memory."""
        tensors = [one for one in self.found.values() if isinstance(one, paddle.Tensor)]
        return sum(int(one.size) * one.element_size() for one in tensors)


class ImportedNetwork(nn.Layer):
    """A network made of an inference program.

    Args:
        program: Its operators and weights; it stays as it is.
        task: What it is for.
        where: The file that it came from, for messages.
        prefix: What the names of parameters start with; see `ppedge.models.zoo.build`.

    Attributes:
        taught_at: Structured name of the layer whose input tells most of what a detector has seen: the first BatchNorm
            of its head. None if it has no such layer, and for the other tasks.

    Raises:
        PpedgeError: It has an operator that is not known, or one that is used in a way which is not.
    """

    def __init__(self, program: Program, task: Task, where: str, prefix: str = "") -> None:
        super().__init__()
        program = _simplified(program)
        self._task = task
        [self._input], [self._output] = program.inputs, program.outputs
        self._before_last = _before_last(program, task, where)
        self._maps = {name for one in program.operators for name in one.writes if len(program.shape(name)) == 4}
        with unique_name.guard(prefix):
            self._steps = [self._placed(op, made, program) for op, made in _made(program, where)]
        self.taught_at = self._first_of_head(program) if task == "det" else None

    @classmethod
    def read(cls, files: InferenceModel, task: Task, prefix: str = "") -> ImportedNetwork:
        """Build the network of an inference model.

        Raises:
            PpedgeError: A file is missing or damaged, or there is something in the program that is not known.
        """
        return cls(Program.read(files), task, str(files.model), prefix)

    def forward(self, x: paddle.Tensor | Paused) -> Any:
        """Run the network.

        Args:
            x: Pictures (N, 3, H, W) such as the program takes, or a run of this network that was paused.

        Returns:
            In eval mode what the program gives. In training mode, as `ppedge.models.network.Network` does, a dict:
            ``maps`` (N, 1, H, W), a detector's probability map, or ``logits``, what the last softmax is given.
        """
        found = _variables(self, x, self._output)
        if not self.training:
            return found[self._output]
        if self._task == "det":
            return {"maps": found[self._output]}
        return {"logits": found[self._before_last]}

    def place(self, layer: str) -> int:
        """Return which step a layer, by its structured name, runs in."""
        return next(number for number, step in enumerate(self._steps) if step.run == layer.split(".")[0])

    def pause(self, x: paddle.Tensor | Paused, layers: Collection[str]) -> Paused:
        """Run the network, without gradients, until just before the first of some layers runs.

        Args:
            x: As `forward` takes it.
            layers: Structured names, at least one.

        Raises:
            ValueError: The run was paused behind one of them.
        """
        end = min(self.place(layer) for layer in layers)
        if isinstance(x, Paused) and x.step > end:
            raise ValueError(f"paused before step {x.step}, behind step {end}")
        with paddle.no_grad():
            found = _run(self, x, end=end)
        needed = {self._output, *(name for step in self._steps[end:] for name in step.reads)}
        return Paused(end, {name: value for name, value in found.items() if name in needed})

    def features(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Return the last map (N, C, H, W) before the head; see `ppedge.models.network.Network.features`."""
        return [_variables(self, x, self._telling)[self._telling]]

    @property
    def _telling(self) -> str:
        """The variable that `features` returns."""
        if self.taught_at is not None:
            return next(step.reads[0] for step in self._steps if step.run == self.taught_at)
        made = [name for step in self._steps for name in step.writes if name in self._maps]
        return made[-1]

    def _placed(self, op: Operator, made: Made | Function, program: Program) -> Step:
        """Give a layer its place in the network, or parameters theirs that a function reads, and return the step."""
        if isinstance(made, Made):
            name = self._free(_ENDING.sub("", program.origins.get(made.weight, made.weight)))
            setattr(self, name, made.layer)
            return Step(name, (made.reads,), (made.writes,))
        reads = [self._held(name, program) for slot in READ for name in op.inputs.get(slot, ())]
        slots = op.outputs
        return Step(made, tuple(reads), tuple(slots[next(s for s in ("Out", "Output", "Y") if s in slots)]))

    def _held(self, name: str, program: Program) -> str:
        """Return what a step calls a variable, after making a parameter of it if it is a weight."""
        array = program.constant(name)
        if array is None:
            return name
        place = _plain(name)
        if place not in self._parameters:
            parameter = self.create_parameter(list(array.shape), default_initializer=nn.initializer.Assign(array))
            self.add_parameter(place, parameter)
        return place

    def _free(self, stem: str) -> str:
        plain = _plain(stem)
        names = [plain, *(f"{plain}_{number}" for number in range(1, len(self._sub_layers) + 1))]
        return next(name for name in names if not hasattr(self, name))

    def _first_of_head(self, program: Program) -> str | None:
        """Return the last BatchNorm before the first transposed convolution, if there are both."""
        kinds = [(step.run, getattr(self, step.run)) for step in self._steps if isinstance(step.run, str)]
        found = None
        for name, layer in kinds:
            if isinstance(layer, nn.Conv2DTranspose):
                return found
            if isinstance(layer, nn.BatchNorm2D):
                found = name
        return None


def _run(
    net: ImportedNetwork, x: paddle.Tensor | Paused, last: str | None = None, end: int | None = None
) -> dict[str, Any]:
    """Run the steps of a network until a variable is made or a step is reached, and return all variables."""
    begin, found = (x.step, dict(x.found)) if isinstance(x, Paused) else (0, {net._input: x})
    for step in net._steps[begin:end]:
        given = [found[name] if name in found else net._parameters[name] for name in step.reads]
        made = getattr(net, step.run)(*given) if isinstance(step.run, str) else step.run(*given)
        several = isinstance(made, list | tuple)  # an LSTM's states lie behind its output
        found.update(zip(step.writes, made if several else [made], strict=False))
        if last in step.writes:
            break
    return found


# There is nothing in it for Paddle to translate when it traces a network: the loop is over operators.
_variables = paddle.jit.not_to_static(_run)


def _plain(name: str) -> str:
    """Return a variable's name as one that a layer can have."""
    return re.sub(r"\W", "_", name)


def _simplified(program: Program) -> Program:
    """Return a copy without what nothing rests on: shapes that say what an attribute says too, and zero states."""
    program = program.copy()
    for op in program.operators:
        if op.type == "reshape2" and sum(side == -1 for side in op.get("shape") or [-1, -1]) <= 1:
            for slot in ("ShapeTensor", "Shape"):
                op.set_input(slot, [])
        if op.type == "rnn" and all(program.zeros(name) for name in op.inputs.get("PreState", ())):
            op.set_input("PreState", [])
            op.set_input("SequenceLength", [])
    program.drop_dead()
    return program


def _made(program: Program, where: str) -> Sequence[tuple[Operator, Made | Function]]:
    """Return what each operator becomes, in their order; those that nothing rests on any more are left out.

    Raises:
        PpedgeError: One is not known, or used in a way that is not.
    """
    found: list[tuple[Operator, Made | Function]] = []
    gone = set()
    for op in program.operators:
        if op.type in ("feed", "fetch") or op in gone:
            continue
        try:
            layer = layer_of(op, program)
            if layer is not None and layer.bias is not None:
                gone.add(layer.bias)
            if layer is None and op.type not in FUNCTIONS:
                raise UnknownFormError("which slimming does not know")
            found.append((op, layer if layer is not None else FUNCTIONS[op.type](op, program)))
        except (UnknownFormError, KeyError, TypeError) as error:
            how = str(error) if isinstance(error, UnknownFormError) else f"in a form that is not known ({error!r})"
            raise PpedgeError(f"{where}: has the operator {op.type} {how}.", _HINT) from error
    needed = set(program.outputs)
    kept = []
    for op, made in reversed(found):
        writes = [made.writes] if isinstance(made, Made) else op.writes
        if needed.intersection(writes):
            needed.update([made.reads] if isinstance(made, Made) else op.reads)
            kept.append((op, made))
    return kept[::-1]


def _before_last(program: Program, task: Task, where: str) -> str:
    """Return what the network's last activation is given.

    Raises:
        PpedgeError: It ends in something else than its task's activation.
    """
    name = program.outputs[0]
    writer = program.writer(name)
    while writer is not None and writer.type in _HANDING_ON:
        writer = program.writer(writer.input("X"))
    if writer is None or writer.type != _LAST[task]:
        ends = "nothing" if writer is None else writer.type
        raise PpedgeError(f"{where}: ends in the operator {ends}, not in {_LAST[task]}: it cannot be trained.", _HINT)
    return writer.input("X")
