"""``ppedge arm``: the ARM emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ppedge.cli.groups import Group
from ppedge.cli.output import emit, say

app = typer.Typer(
    cls=Group, add_completion=False, help="The ARM emulator: set it up, see what is there.", no_args_is_help=True
)


def _tell(sentence: str) -> None:
    say(sentence, err=True)


@app.command()
def setup(
    lite: Annotated[
        Path | None,
        typer.Option(
            "--lite", metavar="DIR_OR_TARBALL", help="A release of Paddle Lite (armlinux armv8) to register, once."
        ),
    ] = None,
    with_java: Annotated[
        bool, typer.Option("--java", help="Put a JVM into it, too, for `ppedge bundle verify --on-arm`.")
    ] = False,
    arch: Annotated[Literal["armv8", "armv7"], typer.Option(help="armv7 is refused, with what is missing.")] = "armv8",
) -> None:
    """Build the emulator in the cache folder (no root), or register Paddle Lite's own ARM runtime.

    An emulator that is damaged is built anew.
    """
    from ppedge.errors import MissingError

    if arch == "armv7":
        raise MissingError(
            "No armv7 sandbox can be built: the package index has no onnxruntime wheel for armv7, and Paddle Lite's "
            "armv7 release, which would have to run in its place, has no runner here yet.",
            "Use armv8, the default.",
        )
    from ppedge.arm import lite as lite_runtime
    from ppedge.arm import sysroot

    sandbox = sysroot.ensure(_tell, anew=True)
    say(f"The ARM emulator is ready: {sandbox.folder}")
    if with_java:
        from ppedge.arm import java

        say(f"The ARM emulator's JVM is ready: {java.ensure(_tell, anew=True).folder}")
    if lite is not None:
        runtime = lite_runtime.register(lite, _tell)
        say(f"Paddle Lite's ARM runtime is registered: {runtime.version}, sha256 {runtime.sha256}")
        if remark := lite_runtime.age_unknown(runtime):
            say(remark)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what of the emulator is there."""
    from ppedge.arm import java, lite, sysroot
    from ppedge.errors import MissingError

    found = sysroot.status()
    found["java"] = java.status()
    try:
        runtime = lite.registered()
        found["paddlelite"] = {
            "version": runtime.version,
            "release": None if runtime.release is None else ".".join(map(str, runtime.release)),
            "sha256": runtime.sha256,
            "folder": str(runtime.folder),
        }
        remark = lite.age_unknown(runtime)
    except MissingError as error:
        found["paddlelite"] = None
        missing, remark = str(error), None
    if as_json:
        emit(found)
        return
    if found["ready"]:
        wheels = ", ".join(f"{name} {version}" for name, version in found["wheels"].items())
        qemu = found["packages"]["qemu-user"]
        say(f"The ARM emulator is ready: {found['folder']} ({found['bytes'] / 1e6:.0f} MB)")
        say(f"  QEMU {qemu}; Python {found['python']}, {wheels}")
    elif "damaged" in found:
        say(f"The ARM emulator in {found['folder']} is damaged: {found['damaged']}. Run `ppedge arm setup`.")
    else:
        say(f"The ARM emulator is not built yet ({found['folder']}). Run `ppedge arm setup`.")
    jvm = found["java"]
    say(f"JVM: {jvm['version']}" if jvm else "JVM: none. `ppedge arm setup --java` puts one there.")
    say(f"Paddle Lite's ARM runtime: {found['paddlelite']['version']}" if found["paddlelite"] else missing)
    if remark:
        say(f"  {remark}")
