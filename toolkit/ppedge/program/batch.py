"""Programs for one picture or line at a time, of those that take any number."""

from __future__ import annotations

from paddle.base import core
from paddle.base.proto import framework_pb2

from ppedge.program.operator import Operator
from ppedge.program.program import Program


def of_one(program: Program) -> Program:
    """Return a program that takes one picture or line, its shapes inferred anew by Paddle.

    The first states of an LSTM, which Paddle's exporter computes from the batch, become constants.

    Raises:
        RuntimeError: Paddle cannot infer the shapes.
        ValueError: Likewise.
    """
    program = program.copy()
    states = {name for one in program.operators if one.type == "rnn" for name in one.inputs.get("PreState", ())}
    for operator in list(program.operators):
        if states & set(operator.writes) and operator.type.startswith("fill_constant"):
            program.insert([_constant(operator)], before=operator)
            program.remove(operator)
    program.drop_dead()
    description = core.ProgramDesc(program.described().SerializeToString())
    block = description.block(0)
    for name in program.inputs:
        block.find_var(name.encode()).set_shape([1, *program.shape(name)[1:]])
    for described in (block.op(index) for index in range(block.op_size())):
        if described.type() not in ("feed", "fetch"):
            described.infer_shape(block)
    made = Program(framework_pb2.ProgramDesc.FromString(description.serialize_to_string()), program.weights)
    made.origins = dict(program.origins)
    return made


def _constant(operator: Operator) -> Operator:
    """Return what fills a state (layers, batch, hidden) for a batch of one."""
    shape = [1 if side < 0 else side for side in operator.get("shape")]
    attributes = {"shape": shape, "value": operator.get("value"), "str_value": operator.get("str_value", "")}
    attributes |= {"dtype": operator.get("dtype"), "force_cpu": False, "place_type": -1}
    return Operator.make("fill_constant", {}, operator.outputs, attributes)
