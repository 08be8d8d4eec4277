"""The two structured names of an LSTM's parameter: ``lstm.weight_ih_l0`` and ``lstm.0.cell_fw.weight_ih``."""

from __future__ import annotations

import re

_CELL = re.compile(r"(?P<lstm>.*)\.(?P<layer>\d+)\.cell(?P<direction>_fw|_bw|)\.(?P<kind>(weight|bias)_[ih]h)")


def short_name(name: str) -> str:
    """Return the first of both names, given either; a name of any other tensor comes back as it is."""
    cell = _CELL.fullmatch(name)
    if cell is None:
        return name
    return f"{cell['lstm']}.{cell['kind']}_l{cell['layer']}{'_reverse' if cell['direction'] == '_bw' else ''}"
