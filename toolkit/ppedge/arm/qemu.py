"""QEMU's command line for a guest, the counting plugin, and what a guest's death means."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import resource
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ppedge.arm.cores import CORES, PLAINEST, lacking
from ppedge.arm.elf import Function
from ppedge.arm.sandbox import Sandbox
from ppedge.cache import cache_root, compiled
from ppedge.errors import MissingError, PpedgeError, meant
from ppedge.process import MORE_MEMORY, death, last_words, memory_ran_out, tied_to_this_process

PLUGIN_SOURCE = Path(__file__).with_name("insn_count.c")
CLASSES = ("total", "load", "store", "fma", "dot", "simd", "branch", "integer")
FIRST_WATCHED = 16  # the plugin's marks from here on are places in the watched function
# All that a guest finds in its environment. Nothing of the host's reaches it: counts must not depend on who runs it.
GUEST_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def command(sandbox: Sandbox, cpu: str, program: Sequence[str | Path], options: Sequence[str] = ()) -> list[str]:
    """Return the command line that runs an arm64 program.

    Args:
        sandbox: Where QEMU and the userland are.
        cpu: QEMU's name of a core: ``cortex-a53``.
        program: The guest's program and its arguments.
        options: Further options of QEMU.

    Raises:
        MissingError: The sandbox is damaged.
    """
    loader = next(sandbox.host.glob("lib*/ld-linux*.so.*"), None)
    if loader is None:
        raise MissingError(f"{sandbox.host}: has no dynamic loader.", "Run `ppedge arm setup`.")
    libraries = ":".join(
        str(path)
        for path in sorted(sandbox.host.glob("*/*-linux-gnu")) + sorted(sandbox.host.glob("usr/lib/*-linux-gnu"))
    )
    root = sandbox.folder / "cores" / (cpu if cpu in CORES else PLAINEST)
    # QEMU's random numbers, which it hands to the guest, from a fixed seed.
    line = [
        loader,
        "--library-path",
        libraries,
        sandbox.host / "usr/bin/qemu-aarch64",
        "-L",
        root,
        "-cpu",
        cpu,
        "-seed",
        "1",
    ]
    return [str(word) for word in (*_fixed_addresses(), *line, *options, *program)]


def guest_python(sandbox: Sandbox) -> list[str]:
    """Return the guest's Python with the options that keep the host's packages out."""
    return [str(sandbox.guest / "usr/bin/python3"), "-s"]


@functools.cache
def _fixed_addresses() -> tuple[str, ...]:
    """``setarch -R`` where it is allowed (containers may forbid it): every process gets the same addresses."""
    program = shutil.which("setarch")
    if program is None:
        return ()
    tried = subprocess.run([program, platform.machine(), "-R", "true"], capture_output=True, check=False)
    return (program, platform.machine(), "-R") if tried.returncode == 0 else ()


@functools.cache
def known_cpus(sandbox: Sandbox) -> tuple[str, ...]:
    """Ask QEMU for the names of its cores."""
    # It answers with exit code 1.
    asked = subprocess.run(command(sandbox, "help", []), capture_output=True, text=True, check=False)
    return tuple(line.strip() for line in asked.stdout.splitlines() if line.startswith("  "))


def check_cpu(sandbox: Sandbox, cpu: str) -> None:
    """Refuse a core that QEMU does not know.

    Raises:
        PpedgeError: QEMU has no such core.
    """
    if cpu in CORES or cpu in known_cpus(sandbox):
        return
    hint = meant(cpu, known_cpus(sandbox)) or f"Use one of {', '.join(CORES)}."
    raise PpedgeError(f"{cpu}: no core that QEMU knows.", hint)


def plugin() -> Path:
    """Return the counting plugin, compiling it on first use.

    Raises:
        MissingError: There is no C compiler, or the cache folder cannot be written or trusted.
    """
    return compiled(PLUGIN_SOURCE, cache_root(), ["-O2"], "Counting ARM instructions")


def start(
    sandbox: Sandbox,
    cpu: str,
    program: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    words: IO[bytes],
    count_to: int | None = None,
    watch: Function | None = None,
) -> subprocess.Popen[bytes]:
    """Start a guest with pipes for its stdin and stdout.

    Args:
        sandbox: Where QEMU and the userland are.
        cpu: QEMU's name of a core.
        program: The guest's program and its arguments.
        environment: Added to `GUEST_ENVIRONMENT`; that is all the guest gets.
        words: Where its stderr goes.
        count_to: A file descriptor to which the counting plugin writes; None leaves the plugin out.
        watch: A function of the guest's: the plugin then reports at each entry into a block of it, too.

    Raises:
        PpedgeError: QEMU does not know the core.
        MissingError: The plugin cannot be compiled.
    """
    check_cpu(sandbox, cpu)
    options = [] if count_to is None else ["-plugin", f"{plugin()},fd={count_to}{_watched(watch)}"]
    process = subprocess.Popen(
        command(sandbox, cpu, program, options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=words,
        bufsize=0,
        env={**GUEST_ENVIRONMENT, **environment},
        pass_fds=() if count_to is None else (count_to,),
        cwd=sandbox.folder,
        start_new_session=True,  # Ctrl-C is the host's business
        preexec_fn=tied_to_this_process(),
    )
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))  # QEMU would write a core file into the sandbox
    return process


def _watched(function: Function | None) -> str:
    return "" if function is None else f",watch={function.address:x}:{function.code.hex()}"


def guest_error(what: str, cpu: str, returncode: int, words: str) -> PpedgeError:
    """Turn a guest's death into an error.

    Args:
        what: What the guest was to do.
        cpu: The core it ran on.
        returncode: Of QEMU.
        words: What the guest wrote to stderr.
    """
    told = [line for line in words.splitlines() if not line.startswith("qemu: uncaught target signal")]
    message = f"{what} on {cpu}: the guest {death(returncode)}: {last_words(os.linesep.join(told))}"
    if memory_ran_out(words):
        return MissingError(f"{what} on {cpu}: too little memory.", MORE_MEMORY)
    if returncode not in (-signal.SIGILL, 128 + signal.SIGILL):
        return PpedgeError(message)
    lacks = ", ".join(lacking(cpu))
    cause = f"the program uses an instruction that {cpu} lacks" + (f", which has no {lacks}" if lacks else "")
    return PpedgeError(
        f"{message} ({cause}).", "Choose a newer core, such as cortex-a76, or a program built for this one."
    )
