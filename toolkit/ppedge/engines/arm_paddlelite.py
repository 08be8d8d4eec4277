"""Paddle Lite's own ARM runtime under QEMU: a .nb file as it runs on a phone."""

from __future__ import annotations

from pathlib import Path

from ppedge.arm import lite, sysroot
from ppedge.arm.elf import exported_function
from ppedge.cache import Progress
from ppedge.engines.arm_guest import ArmGuestEngine
from ppedge.files.nb import opt_version_of

# paddle::lite::RuntimeProgram::Run(), which calls one operator after the other.
OPERATOR_LOOP = "_ZN6paddle4lite14RuntimeProgram3RunEv"


class ArmPaddleLiteEngine(ArmGuestEngine):
    """A .nb model on Paddle Lite's runtime in an emulated arm64 process.

    Args:
        path: A .nb file.
        cpu: The emulated core: ``cortex-a53``, ``cortex-a76``, or any that QEMU knows.
        count: Count each run's instructions into ``last_counts``.
        trace: With counting, tell apart what lies between two turns of the runtime's loop over operators, into
            ``last_trace``.
        timeout: Seconds that one answer may take.
        allow_older_runtime: Run a file that a newer opt wrote; its outputs may be wrong.
        progress: Told what is being done if the sandbox must be built.

    Raises:
        PpedgeError: The model cannot be read or opened, the runtime is older than the opt that wrote it or (with
            ``trace``) does not export its loop, or QEMU does not know the core.
        MissingError: No runtime is registered (``ppedge arm setup --lite DIR``), or the sandbox cannot be built.
    """

    name = "arm-paddlelite"

    def __init__(
        self,
        path: str | Path,
        *,
        cpu: str = "cortex-a53",
        count: bool = False,
        trace: bool = False,
        timeout: float = 600.0,
        allow_older_runtime: bool = False,
        progress: Progress | None = None,
    ) -> None:
        runtime, model = lite.registered(), Path(path)
        lite.require_not_older(runtime, opt_version_of(model), model, allow_older=allow_older_runtime)
        super().__init__(
            model,
            sysroot.ensure(progress),
            [runtime.runner],
            cpu=cpu,
            count=count,
            environment={},
            timeout=timeout,
            watch=exported_function(runtime.folder / runtime.library, OPERATOR_LOOP) if trace else None,
        )
