"""A pickle of arrays, read without running what is in it and without growing beyond it.

Unpickling runs whatever a file asks for, and Python's unpickler trusts it: a tuple nested 300,000 deep overflows the
stack once it is hashed, and one string that ten thousand arrays share unfolds 2 MB to 20 GB. So the instructions are
carried out here, the few of them that a table of arrays needs, and what they build is held against the file's size.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

DTYPES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})
# A network of a thousand arrays takes some thirty thousand instructions; each may leave an object of some 100 bytes.
MAX_INSTRUCTIONS = 1_000_000
# What instructions that were cut or altered make Python raise.
DAMAGE = (pickle.UnpicklingError, LookupError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)

_ARGUMENTS = frozenset(
    "BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 SHORT_BINSTRING BINSTRING "
    "SHORT_BINBYTES BINBYTES BINBYTES8".split()
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NO_EFFECT = frozenset({"PROTO", "FRAME", "STOP"})


class RefusedError(Exception):
    """The pickle asks for something that no array needs."""


class _Dtype:
    """Stand-in for ``numpy.dtype``: remembers a type code, and the byte order that the pickle sets afterwards."""

    __slots__ = ("code",)

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or code not in DTYPES:
            raise ValueError(f"arrays of type {str(code)[:20]!r}" if isinstance(code, str) else "arrays of no type")
        self.code = code

    def set(self, state: Any) -> None:
        order = state[1]
        if not isinstance(order, str) or order not in ("<", ">", "=", "|"):
            raise ValueError("a byte order that is none")
        self.code = order + self.code[-2:]


class Array:
    """Stand-in for an array: the pickle sets its shape, type and bytes, which must fit each other.

    Attributes:
        value: The array, of this machine's byte order and in C order; None until the pickle has set it.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: np.ndarray | None = None


class _Budget:
    """Bytes that may still be built of one kind."""

    def __init__(self, size: int) -> None:
        self.left = size

    def pay(self, size: int, what: str) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueError(f"its {what} together are larger than the file")


def load(data: bytes) -> Any:
    """Return what a pickle holds; its arrays are `Array`, an ``OrderedDict`` is a plain dictionary.

    Raises:
        RefusedError: It asks for anything but arrays and plain containers.
        DAMAGE: It is not a whole pickle, or builds more than its own size holds.
    """
    return _Machine(len(data)).run(data)


class _Machine:
    """Carries out the instructions of one pickle, on a stack as the pickle module documents it.

    Args:
        size: Of the file, in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        # Each byte of an array lies in the file as itself, or as a character that is encoded first.
        self.arrays, self.encoded = _Budget(size), _Budget(size)
        self.admitted: dict[tuple[str, str], Callable[..., Any]] = {
            ("numpy.core.multiarray", "_reconstruct"): lambda *_: Array(),
            ("numpy._core.multiarray", "_reconstruct"): lambda *_: Array(),
            ("numpy", "ndarray"): lambda *_: Array(),
            ("numpy", "dtype"): _Dtype,
            ("_codecs", "encode"): self._encode,
            ("collections", "OrderedDict"): self._ordered,
        }

    def run(self, data: bytes) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count >= MAX_INSTRUCTIONS:
                raise ValueError("it has too many instructions")
            name = opcode.name
            if name in _ARGUMENTS:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _OPERATIONS:
                _OPERATIONS[name](self, argument)
            elif name not in _NO_EFFECT:
                raise RefusedError(f"the instruction {name}")
        (content,) = self.stack
        return content

    def pop_to_mark(self) -> list[Any]:
        mark = self.marks.pop()
        found = self.stack[mark:]
        del self.stack[mark:]
        return found

    def pop(self, _: object = None) -> Any:
        if self.marks and self.marks[-1] == len(self.stack):
            return self.marks.pop()
        return self.stack.pop()

    def pop_tuple(self, length: int) -> None:
        if len(self.stack) < length:
            raise LookupError("a tuple of what is not there")
        self.stack[len(self.stack) - length :] = [tuple(self.stack[len(self.stack) - length :])]

    def put(self, number: int | None) -> None:
        number = len(self.memo) if number is None else number
        if number > self.size:  # a whole file numbers its objects from 0
            raise ValueError(f"object number {number}")
        self.memo[number] = self.stack[-1]

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError("an entry of what is no list")
        self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError("an entry of what is no table")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing and showing a nested key would take as much of the stack as the file likes.
            if not isinstance(key, str | int):
                raise TypeError("a key that is not text")
            target[key] = value

    def find(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a name that is not text")
        if (module, name) not in self.admitted:
            raise RefusedError(f"{module[:80]}.{name[:80]}")
        self.stack.append(self.admitted[module, name])

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not callable(function) or not isinstance(arguments, tuple):
            raise TypeError("a call of what is no function")
        self.stack.append(function(*arguments))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Array):
            target.value = self._array(state)
        elif isinstance(target, _Dtype):
            target.set(state)
        else:
            raise RefusedError("to alter a function" if callable(target) else "to alter what is no array")

    def _array(self, state: Any) -> np.ndarray:
        _version, shape, dtype, fortran, values = state
        if not isinstance(dtype, _Dtype):
            raise TypeError("an array without a type")
        if not isinstance(shape, tuple) or not all(isinstance(side, int) and side >= 0 for side in shape):
            raise TypeError("an array without a shape")
        if not isinstance(values, str | bytes):
            raise TypeError("an array without values")
        self.arrays.pay(len(values), "arrays")
        kind = np.dtype(dtype.code)
        flat = np.frombuffer(values.encode("latin1") if isinstance(values, str) else values, kind)
        array = flat.reshape(shape, order="F" if fortran else "C")
        return np.array(array, dtype=kind.newbyteorder("="), order="C")

    def _encode(self, text: object, encoding: object) -> bytes:
        if encoding != "latin1":
            raise RefusedError(f"the codec {encoding[:80]!r}" if isinstance(encoding, str) else "a codec")
        if not isinstance(text, str):
            raise TypeError("to encode what is no text")
        self.encoded.pay(len(text), "texts")
        return text.encode("latin1")

    @staticmethod
    def _ordered(*arguments: object) -> dict[Any, Any]:
        if arguments:  # Python 3 writes an empty one and its items after it
            raise TypeError("a table that is a copy of another")
        return {}


_OPERATIONS: dict[str, Callable[[_Machine, Any], object]] = {
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": _Machine.pop,
    "POP_MARK": lambda machine, _: machine.pop_to_mark(),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.pop_tuple(1),
    "TUPLE2": lambda machine, _: machine.pop_tuple(2),
    "TUPLE3": lambda machine, _: machine.pop_tuple(3),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "APPEND": lambda machine, _: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_to_mark()),
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "BINGET": lambda machine, number: machine.stack.append(machine.memo[number]),
    "LONG_BINGET": lambda machine, number: machine.stack.append(machine.memo[number]),
    "GLOBAL": lambda machine, names: machine.find(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.find(machine.stack.pop(-2), machine.stack.pop()),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
