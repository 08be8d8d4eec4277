"""Where training runs."""

from __future__ import annotations

import re

import paddle

from ppedge.errors import MissingError, PpedgeError


def set_device(name: str) -> str:
    """Choose the device of this process and return its name (``cpu``, ``gpu:0``).

    Args:
        name: ``auto`` (a GPU if there is one), ``cpu`` or ``gpu:N``.

    Raises:
        MissingError: A GPU is asked for that is not there.
        PpedgeError: The name is none of these.
    """
    found = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    if name == "auto":
        name = "gpu:0" if found else "cpu"
    if name == "gpu":
        name = "gpu:0"
    if name != "cpu" and not re.fullmatch(r"gpu:\d+", name):
        raise PpedgeError(f"--device {name}: not a device.", "Use auto, cpu or gpu:N.")
    if name != "cpu" and not paddle.is_compiled_with_cuda():
        raise MissingError(
            f"--device {name}: this Paddle is built for the CPU only.",
            "Install ppedge with the extra `gpu` instead of `cpu`, or use --device cpu.",
        )
    if name != "cpu" and int(name[4:]) >= found:
        raise MissingError(f"--device {name}: Paddle finds {found} GPUs.", "Check `nvidia-smi`, or use --device cpu.")
    paddle.set_device(name)
    return name
