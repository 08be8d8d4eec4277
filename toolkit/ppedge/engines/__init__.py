"""Whatever runs a model, behind one protocol."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppedge.errors import PpedgeError, meant

if TYPE_CHECKING:
    from ppedge.engines.base import Engine

# Name to module and class; a module is imported when its engine is opened, so that nothing needs Paddle but Paddle's
# own.
ENGINES = {
    "paddle": ("ppedge.engines.paddle", "PaddleEngine"),
    "onnxruntime": ("ppedge.engines.onnxruntime", "OnnxRuntimeEngine"),
    "arm-onnxruntime": ("ppedge.engines.arm_onnxruntime", "ArmOnnxRuntimeEngine"),
    "arm-paddlelite": ("ppedge.engines.arm_paddlelite", "ArmPaddleLiteEngine"),
}


def open_engine(name: str, path: str | Path, **options: Any) -> Engine:
    """Open a model.

    Args:
        name: One of `ENGINES`.
        path: The model's file.
        options: Of the engine: ``cpu`` and ``count`` for those under the emulator, ``threads`` for the others.

    Raises:
        PpedgeError: There is no such engine, it has no such option, or it cannot open the model.
        MissingError: What the engine needs is not on this machine.
    """
    if name not in ENGINES:
        hint = f"{meant(name, ENGINES)} Use one of {', '.join(ENGINES)}."
        raise PpedgeError(f"{name}: no such engine.", hint.strip())
    module, kind = ENGINES[name]
    engine: Engine = getattr(import_module(module), kind)(path, **options)
    return engine


def require_threads(engine: str, threads: int | None) -> dict[str, int]:
    """Return a number of threads as an option of an engine; nothing where none is asked for.

    Raises:
        PpedgeError: The engine runs under the emulator, with one core.
    """
    if threads is None:
        return {}
    if engine.startswith("arm-"):
        raise PpedgeError(f"--threads: {engine} emulates one core.", "Leave it out, or use --engine onnxruntime.")
    return {"threads": threads}
