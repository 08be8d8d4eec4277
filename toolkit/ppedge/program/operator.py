"""One operator of a program, over Paddle's own description of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddle.base.proto import framework_pb2

Value = bool | int | float | str | Sequence[bool] | Sequence[int] | Sequence[float] | Sequence[str]
# By Paddle's AttrType: the field of an attribute's description that holds its value, and whether it holds several.
_FIELDS = {
    0: ("i", False), 1: ("f", False), 2: ("s", False), 3: ("ints", True), 4: ("floats", True), 5: ("strings", True),
    6: ("b", False), 7: ("bools", True), 8: ("block_idx", False), 9: ("l", False), 10: ("blocks_idx", True),
    11: ("longs", True), 12: ("float64s", True), 13: ("var_name", False), 14: ("vars_name", True),
    15: ("float64", False),
}  # fmt: skip
_BOOL, _INT, _FLOAT, _STRING = (6, 7), (0, 3), (1, 4), (2, 5)  # one value, several


class Operator:
    """An operator; two are equal only if they are the same object.

    Args:
        description: Paddle's ``OpDesc``; it is edited in place, by the methods of this class alone.
    """

    def __init__(self, description: Any) -> None:
        self.description = description
        self._reads: tuple[str, ...] | None = None  # passes ask every operator again and again
        self._writes: tuple[str, ...] | None = None

    @classmethod
    def make(
        cls,
        kind: str,
        inputs: Mapping[str, Sequence[str]],
        outputs: Mapping[str, Sequence[str]],
        attributes: Mapping[str, Value] | None = None,
    ) -> Operator:
        """Return a new operator.

        Args:
            kind: Its type, as ``conv2d``.
            inputs: Names of variables by slot.
            outputs: Likewise.
            attributes: By name; see `set`.
        """
        description = framework_pb2.OpDesc(type=kind)
        for slots, wanted in ((description.inputs, inputs), (description.outputs, outputs)):
            for slot, names in wanted.items():
                slots.add(parameter=slot, arguments=names)
        made = cls(description)
        for name, value in (attributes or {}).items():
            made.set(name, value)
        return made

    def copy(self) -> Operator:
        """Return another operator of the same description."""
        description = framework_pb2.OpDesc()
        description.CopyFrom(self.description)
        return Operator(description)

    def __repr__(self) -> str:
        return f"{self.type}({self.inputs} -> {self.outputs})"

    @property
    def type(self) -> str:
        """Of the operator, as ``conv2d``."""
        return self.description.type

    @property
    def inputs(self) -> dict[str, list[str]]:
        """Names of variables by slot; slots without any are left out."""
        return _slots(self.description.inputs)

    @property
    def outputs(self) -> dict[str, list[str]]:
        """Likewise."""
        return _slots(self.description.outputs)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of all variables that it reads, one that is read twice twice."""
        if self._reads is None:
            self._reads = tuple(name for slot in self.description.inputs for name in slot.arguments)
        return self._reads

    @property
    def writes(self) -> tuple[str, ...]:
        """Names of all variables that it writes."""
        if self._writes is None:
            self._writes = tuple(name for slot in self.description.outputs for name in slot.arguments)
        return self._writes

    def input(self, slot: str) -> str:
        """Return the one variable of a slot.

        Raises:
            KeyError: There is none, or there are several.
        """
        return _only(self.inputs, slot)

    def output(self, slot: str) -> str:
        """Likewise, of what it writes."""
        return _only(self.outputs, slot)

    def set_input(self, slot: str, names: Sequence[str]) -> None:
        """Let a slot read other variables; the slot is made if there is none."""
        _set_slot(self.description.inputs, slot, names)
        self._reads = None

    def set_output(self, slot: str, names: Sequence[str]) -> None:
        """Likewise, of what it writes."""
        _set_slot(self.description.outputs, slot, names)
        self._writes = None

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute's value, a list if it holds several; ``default`` where the operator has none of it."""
        for attribute in self.description.attrs:
            if attribute.name == name and attribute.type in _FIELDS:
                field, several = _FIELDS[attribute.type]
                value = getattr(attribute, field)
                return list(value) if several else value
        return default

    def set(self, name: str, value: Value) -> None:
        """Set an attribute, of the type that it has, or of the type that the Python value tells where it is new.

        Raises:
            TypeError: The value is not of the attribute's type.
        """
        attribute = next((known for known in self.description.attrs if known.name == name), None)
        if attribute is None:
            attribute = self.description.attrs.add(name=name, type=_type_of(value))
        field, several = _FIELDS[attribute.type]
        if several:
            attribute.ClearField(field)
            getattr(attribute, field).extend(value)
        else:
            setattr(attribute, field, value)


def _slots(slots: Any) -> dict[str, list[str]]:
    return {slot.parameter: list(slot.arguments) for slot in slots if slot.arguments}


def _only(slots: Mapping[str, Sequence[str]], slot: str) -> str:
    names = slots.get(slot, ())
    if len(names) != 1:
        raise KeyError(slot)
    return names[0]


def _set_slot(slots: Any, wanted: str, names: Sequence[str]) -> None:
    slot = next((known for known in slots if known.parameter == wanted), None)
    if slot is None:
        slot = slots.add(parameter=wanted)
    slot.ClearField("arguments")
    slot.arguments.extend(names)


def _type_of(value: Value) -> int:
    several = isinstance(value, list | tuple)
    first: Any = next(iter(value), 0) if several else value  # type: ignore[arg-type]  # empty: of whole numbers
    for kind, types in ((bool, _BOOL), (int, _INT), (float, _FLOAT), (str, _STRING)):
        if isinstance(first, kind):
            return types[several]
    raise TypeError(f"no attribute holds {value!r}")
