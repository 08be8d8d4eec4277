"""One module a kind of input. Each lists its targets in ``TARGETS``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

MODULES = (
    "recipes",
    "configs",
    "labels",
    "pictures",
    "models",
    "inference",
    "onnx_models",
    "charsets",
    "archives",
    "weights",
    "runs",
    "bundles",
    "releases",
)


def campaign_targets(only: Sequence[str] | None = None) -> list[str]:
    """Return the targets of the campaign by ``MODULE.NAME``; ``only`` those that are named, whole modules or targets.

    Raises:
        ValueError: There is no target of a name.
    """
    names = [
        f"{module}.{target.name}" for module in MODULES for target in import_module(f"{__name__}.{module}").TARGETS
    ]
    if not only:
        return names
    chosen = [name for name in names if name in only or name.partition(".")[0] in only]
    if not chosen:
        raise ValueError(f"no target {', '.join(only)}; there are {', '.join(names)}")
    return chosen
