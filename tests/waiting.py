"""Waiting for what other processes do."""

import time
from pathlib import Path


def ended(pid):
    """Whether a process is gone, or waits only for its parent to ask how it ended."""
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or " Z " in state.read_text()


def wait_for(value, seconds=60):
    """Return the first true value."""
    for _ in range(seconds * 50):
        if found := value():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come")
