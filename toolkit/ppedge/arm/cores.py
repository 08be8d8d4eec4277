"""The emulated cores: what a guest reads about the processor it runs on.

Runtimes choose their kernels by ``/proc/cpuinfo`` (Paddle Lite by part number, others by features), so a guest must not
see the host's. Part numbers are those of Arm's Technical Reference Manuals (MIDR_EL1.PartNum), but for the Cortex-A76:
Paddle Lite (its ``lite/core/device_info.cc``) knows that core by the numbers that phones give it, Qualcomm's 0x804 and
HiSilicon's 0xd40, and not by Arm's own 0xd0b, with which it runs int8 without the dot product. Features are those that
QEMU's model of the core reports through AT_HWCAP, by the kernel's names.
"""

from __future__ import annotations

from dataclasses import dataclass

_V8_0 = ("fp", "asimd", "evtstrm", "aes", "pmull", "sha1", "sha2", "crc32", "cpuid")
_V8_2 = (*_V8_0, "atomics", "fphp", "asimdhp", "asimdrdm", "lrcpc", "dcpop", "asimddp", "ssbs")


@dataclass(frozen=True)
class Core:
    """A core as ``/proc/cpuinfo`` describes it.

    Attributes:
        part: The part number.
        features: The kernel's names of the instruction set extensions.
        implementer: Who gave the part number: 0x41 is Arm, 0x51 Qualcomm.
    """

    part: int
    features: tuple[str, ...]
    implementer: int = 0x41

    def cpuinfo(self) -> str:
        """Return the text of ``/proc/cpuinfo`` for one such core."""
        return (
            "processor\t: 0\n"
            "BogoMIPS\t: 100.00\n"
            f"Features\t: {' '.join(self.features)}\n"
            f"CPU implementer\t: {self.implementer:#04x}\n"
            "CPU architecture: 8\n"
            "CPU variant\t: 0x0\n"
            f"CPU part\t: {self.part:#05x}\n"
            "CPU revision\t: 4\n\n"
        )


CORES = {
    "cortex-a35": Core(0xD04, _V8_0),
    "cortex-a53": Core(0xD03, _V8_0),
    "cortex-a57": Core(0xD07, _V8_0),
    "cortex-a72": Core(0xD08, _V8_0),
    "cortex-a76": Core(0x804, _V8_2, implementer=0x51),  # as a Snapdragon 855 says it
    "neoverse-n1": Core(0xD0C, _V8_2),
}
# What a core outside the table is described as: the features that every 64-bit core has.
PLAINEST = "cortex-a53"
# What programs are compiled for that die on an older core, in words.
NEWER_FEATURES = {"asimddp": "dot product", "asimdhp": "half precision", "atomics": "atomic updates (LSE)"}


def features(cpu: str) -> list[str] | None:
    """Return the instruction set extensions of a core by the kernel's names; None for a core outside the table."""
    core = CORES.get(cpu)
    return None if core is None else list(core.features)


def lacking(cpu: str) -> list[str]:
    """Name the newer features that a core lacks, as ``dot product (asimddp)``; none for a core outside the table."""
    core = CORES.get(cpu)
    return (
        [] if core is None else [f"{word} ({key})" for key, word in NEWER_FEATURES.items() if key not in core.features]
    )
