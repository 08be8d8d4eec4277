"""Fixtures of those that rewrite programs."""

import numpy as np
import pytest


@pytest.fixture
def check(tmp_path):
    """Apply passes to a network, and hold the outputs for some inputs against those before.

    Returns the types of operators, the changes and the program.
    The program must convert as well: opt dies of attributes that it misses.
    """

    from ppedge.convert.lite import to_nb
    from program.tiny import outputs_of, program_of, types

    def run(make, forward, passes, spec, *shapes):
        program = program_of(tmp_path / "net", make, forward, spec)
        before = [outputs_of(program, tmp_path / "before", shape)[0] for shape in shapes]
        changes = [change for one in passes for change in one(program)]
        for shape, theirs in zip(shapes, before, strict=True):
            mine = outputs_of(program, tmp_path / "after", shape)[0]
            assert mine.shape == theirs.shape and np.abs(mine - theirs).max(initial=0) < 1e-5
        if changes:
            to_nb(tmp_path / "after" / "out", tmp_path / "out.nb", "fp32")
        return types(program), changes, program

    return run
