"""Operators that change nothing, and those of which nobody reads what they make."""

from __future__ import annotations

from ppedge.program.affine import affine_of
from ppedge.program.changes import Change
from ppedge.program.operator import Operator
from ppedge.program.program import Program


def drop_identities(program: Program) -> list[Change]:
    """Take out copies, dropout of inference, and scaling by 1.

    One between the network's input and its output is left: a network computes something.
    """
    changes = []
    for operator in list(program.operators):
        if not _changes_nothing(program, operator):
            continue
        source, target = operator.input("X"), operator.output("Out")
        before, behind = program.writer(source), program.readers(target)
        if before is None or program.writer(target) is None:
            continue
        if before.type == "feed" and any(one.type == "fetch" for one in behind):
            continue
        program.read_instead(target, source)
        program.remove(operator)
        changes.append(Change("identities", target, f"{operator.type} that changes nothing taken out"))
    program.drop_dead()
    return changes


def _changes_nothing(program: Program, operator: Operator) -> bool:
    if operator.type == "assign":
        return True
    if operator.type == "dropout":
        return operator.get("is_test", False) and operator.get("dropout_implementation") == "upscale_in_train"
    affine = affine_of(program, operator) if operator.type == "scale" else None
    return affine is not None and float(affine.scale) == 1 and float(affine.shift) == 0


def drop_dead_operators(program: Program) -> list[Change]:
    """Take out operators that no output depends on, as heads for training alone."""
    return [Change("dead", one.writes[0], f"{one.type} taken out: no output reads it") for one in program.drop_dead()]
