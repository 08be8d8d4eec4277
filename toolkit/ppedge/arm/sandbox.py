"""What a finished sandbox holds, and where; `ppedge.arm.sysroot` builds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppedge.errors import MissingError
from ppedge.storage import read_json


@dataclass(frozen=True)
class Sandbox:
    """A finished sandbox.

    Attributes:
        folder: Where it lies.
    """

    folder: Path

    @property
    def host(self) -> Path:
        """The tree that holds QEMU."""
        return self.folder / "host"

    @property
    def guest(self) -> Path:
        """The arm64 userland."""
        return self.folder / "guest"

    @property
    def site(self) -> Path:
        """The aarch64 wheels, unpacked."""
        return self.folder / "site"

    @property
    def about(self) -> dict[str, Any]:
        """What it was made from: ``python``, ``packages`` (name to version), ``wheels``.

        Raises:
            MissingError: The file that says so is damaged.
        """
        found = read_json(self.folder / "sandbox.json")
        if not isinstance(found, dict):
            raise MissingError("sandbox.json is damaged")
        return found
