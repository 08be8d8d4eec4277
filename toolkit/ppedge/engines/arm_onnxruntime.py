"""onnxruntime for aarch64 under QEMU: an ONNX model as a phone's processor computes it."""

from __future__ import annotations

from pathlib import Path

import ppedge.arm
from ppedge.arm import sysroot
from ppedge.arm.qemu import guest_python
from ppedge.cache import Progress
from ppedge.engines.arm_guest import ArmGuestEngine

WORKER = Path(ppedge.arm.__file__).with_name("ort_worker.py")


class ArmOnnxRuntimeEngine(ArmGuestEngine):
    """An ONNX model on onnxruntime in an emulated arm64 process.

    The sandbox is built if it is not there. Time under emulation says nothing about a phone; instructions do, as
    ratios.

    Args:
        path: An ONNX file with its weights inside.
        cpu: The emulated core: ``cortex-a53``, ``cortex-a76``, or any that QEMU knows.
        count: Count each run's instructions into ``last_counts``.
        timeout: Seconds that one answer may take.
        progress: Told what is being done if the sandbox must be built.

    Raises:
        PpedgeError: The model cannot be read or opened, or QEMU does not know the core.
        MissingError: The sandbox cannot be built on this machine.
    """

    name = "arm-onnxruntime"

    def __init__(
        self,
        path: str | Path,
        *,
        cpu: str = "cortex-a53",
        count: bool = False,
        timeout: float = 600.0,
        progress: Progress | None = None,
    ) -> None:
        sandbox = sysroot.ensure(progress)
        super().__init__(
            Path(path),
            sandbox,
            [*guest_python(sandbox), WORKER],
            cpu=cpu,
            count=count,
            environment={"PYTHONPATH": str(sandbox.site)},
            timeout=timeout,
        )
