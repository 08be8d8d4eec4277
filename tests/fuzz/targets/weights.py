"""Weights (``.pdparams``), what is shown and taken out of them, and what else is kept in that form: the checkpoint of a
training.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzz.contract import Files, Target, WrongResultError, command
from fuzz.mutations import NAMES, damaged
from fuzz.pickles import altered_pickle, deep, memo_bomb, odd_state
from ppedge.models.weight_parts import PLACES, pick
from ppedge.models.weights import read_pdparams, write_pdparams

_WEIGHTS, _CHECKPOINT = "w.pdparams", "last.ckpt"
_TABLE = {
    "conv.weight": np.linspace(0, 1, 54, dtype=np.float32).reshape(2, 3, 3, 3),
    "bn._mean": np.float32([1, 2]),
    "count": np.array(3, np.int64),
}
_POSITION = {
    "step": np.array(4), "best_step": np.array(2), "metrics_bytes": np.array(100),
    "fingerprint": np.frombuffer(b"0123abcd", np.uint8),
}  # fmt: skip
_STATE = {
    **{f"net/{name}": value for name, value in _TABLE.items()},
    "optimizer/conv.weight/moment1_0": np.zeros((2, 3, 3, 3), np.float32),
    **{f"position/{name}": value for name, value in _POSITION.items()},
}
_HOSTILE = st.one_of(
    st.builds(
        deep,
        st.sampled_from([50, 1000, 5000, 300_000]),
        st.sampled_from([b"", b"(", b"]", b"}K\x01"]),
        st.sampled_from([b"\x85", b"a", b"t", b"s"]),
        st.sampled_from([b"%s", b"}%sK\x01s", b"}X\x01\x00\x00\x00a%ss"]),
    ),
    st.builds(memo_bomb, st.just(1 << 20), st.integers(2, 3000)),
)


def _contents(table: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    # The layouts of Paddle 2.0 and of later ones, in each of the protocols that its versions wrote.
    tables = [
        table,
        {name: (name, value) for name, value in table.items()},
        {**table, "StructuredToParameterName@@": {}},
    ]
    originals = [pickle.dumps(one, protocol=protocol) for one in tables for protocol in (2, 4)]
    rarely = st.integers(0, 39).flatmap(lambda number: _HOSTILE if number == 0 else altered_pickle(originals))
    return st.one_of(damaged(originals), altered_pickle(originals), odd_state(table), rarely)


def _weights() -> st.SearchStrategy[Files]:
    return _contents(_TABLE).map(lambda data: {_WEIGHTS: data})


def _read(folder: Path) -> None:
    """Read weights; what is accepted is no larger than its file, and is the same once written and read."""
    path = folder / _WEIGHTS
    state = read_pdparams(path)
    if sum(value.nbytes for value in state.values()) > path.stat().st_size:
        raise WrongResultError("the arrays are larger than the file that they are in")
    write_pdparams(folder / "again.pdparams", state)
    again = read_pdparams(folder / "again.pdparams")
    if sorted(again) != sorted(state) or any(again[name].tobytes() != value.tobytes() for name, value in state.items()):
        raise WrongResultError("the weights are others once written and read")


def _checkpoints() -> st.SearchStrategy[Files]:
    positions = st.sampled_from([np.array(-5), np.array(np.nan), np.array([1, 2]), np.array("x"), np.array(2.5), None])
    names = st.sampled_from(
        [*(f"position/{name}" for name in _POSITION), "position/x", "position", "other/x", "net/", "/"]
    )
    odd = st.builds(lambda name, value: pickle.dumps({**_STATE, name: value}, protocol=4), names, positions)
    return st.one_of(_contents(_STATE), odd).map(lambda data: {_CHECKPOINT: data})


def _resume(folder: Path) -> None:
    """Read a checkpoint; what is accepted stands at a step from which a training can go on."""
    from ppedge.train.checkpoint import read

    position = read(folder / _CHECKPOINT).position
    if not (isinstance(position.step, int) and position.step >= 0):
        raise WrongResultError(f"a training cannot go on from {position}")


_DISTILLED = {f"{part}.backbone.{name}": value for part in ("Student", "Teacher") for name, value in _TABLE.items()}


def _distilled() -> st.SearchStrategy[Files]:
    pieces = st.sampled_from(
        [*PLACES, *NAMES, "Student", "Teacher", "thresh", "ctc_head.fc.bias", "0.cell.bias_ih", ""]
    )
    names = st.lists(pieces, min_size=1, max_size=4).map(".".join)
    odd = st.dictionaries(names, st.sampled_from(list(_TABLE.values())), max_size=6)
    whole = st.builds(lambda more: pickle.dumps({**_DISTILLED, **more}, protocol=4), odd)
    return st.one_of(_contents(_DISTILLED), odd.map(pickle.dumps), whole).map(lambda data: {_WEIGHTS: data})


def _show(folder: Path) -> None:
    command("weights", "show", folder / _WEIGHTS)


def _pick(folder: Path) -> None:
    """Take a network out of a checkpoint; each of its arrays is the one that stands there under the whole name."""
    state = read_pdparams(folder / _WEIGHTS)
    own, part = pick(state, folder / _WEIGHTS)
    prefix = "" if part is None else f"{part}."
    if not own.keys() <= {name.removeprefix(prefix) for name in state}:
        raise WrongResultError("a network has arrays that the file does not hold")
    if any(state[prefix + name] is not value for name, value in own.items()):
        raise WrongResultError("a network has another's arrays")


TARGETS = [
    Target("show", lambda: {_WEIGHTS: pickle.dumps(_DISTILLED, protocol=4)}, _distilled, _show),
    Target("parts", lambda: {_WEIGHTS: pickle.dumps(_DISTILLED, protocol=4)}, _distilled, _pick),
    Target("pdparams", lambda: {_WEIGHTS: pickle.dumps(_TABLE, protocol=4)}, _weights, _read),
    Target("checkpoint", lambda: {_CHECKPOINT: pickle.dumps(_STATE, protocol=4)}, _checkpoints, _resume),
]
