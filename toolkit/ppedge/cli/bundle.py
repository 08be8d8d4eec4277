"""``ppedge bundle``: the folder a phone needs; ``ppedge bundle verify``: whether it is still what was built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import click
import typer
from typer.core import TyperCommand, TyperGroup

from ppedge.cli.options import Force, Json, RecognizerName
from ppedge.cli.output import emit, say
from ppedge.errors import GateError, MissingError, PpedgeError

if TYPE_CHECKING:
    from ppedge.bundle.android import LiteFiles


class BundleGroup(TyperGroup):
    """``build`` is what a first word that is no command's name belongs to: ``ppedge bundle DET_RUN REC_RUN``."""

    default = "build"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name before arguments that name none."""
        return super().parse_args(ctx, args if args and args[0] in self.commands else [self.default, *args])


class _NamedAsGroup(click.Context):
    @property
    def command_path(self) -> str:
        assert self.parent is not None
        return self.parent.command_path


class BuildCommand(TyperCommand):
    """In help and messages it has the name that people type, which is the group's."""

    context_class = _NamedAsGroup


app = typer.Typer(cls=BundleGroup, add_completion=False)


@app.command(cls=BuildCommand)
def build(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DET_RUN REC_RUN [CLS_RUN]", help="Converted runs.", show_default=False),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RUN",
            help="Put in a further recogniser, which the app's settings and --recognizer offer; may be repeated.",
            show_default=False,
        ),
    ] = None,
    recognizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --also: the name of REC_RUN's, the one that reads unless another is chosen; "
            "by default that of its folder.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The bundle's folder.")] = Path("bundle"),
    precision: Annotated[
        Literal["fp32", "int8"] | None, typer.Option(help="By default int8 if both runs have it, else fp32.")
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Put ONNX twins in, which `ppedge ocr` runs on a PC; an app needs none.")
    ] = False,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Make golden cases of this picture; may be repeated. By default of evaluation pictures.",
            show_default=False,
        ),
    ] = None,
    golden: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT",
            min=0,
            help="Evaluation pictures to make golden cases of; by default 5. Fewer take less space; 0: no self-test.",
            show_default=False,
        ),
    ] = None,
    allow_failed_gates: Annotated[
        bool, typer.Option("--allow-failed-gates", help="Take runs whose gates failed when they were validated.")
    ] = False,
    into: Annotated[
        Path | None, typer.Option(metavar="APP", help="Also put the bundle into the app's folder, android_demo.")
    ] = None,
    lite_android: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also put Paddle Lite's Android release, unpacked, into the app.")
    ] = None,
    allow_4k_pages: Annotated[
        bool, typer.Option("--allow-4k-pages", help="Take a library that phones with 16 KB pages cannot load.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make the folder that a phone needs: models, character set, constants, golden cases, manifest.

    Without runs, the bundle that is at --out goes into the app, or with --lite-android Paddle Lite alone does.
    A run that failed a gate of its validation is refused. `ppedge bundle verify DIR` checks a bundle.
    """
    if not runs and (into is None or also or recognizer):
        raise PpedgeError("Name the runs to make a bundle of.", "`ppedge bundle DET_RUN REC_RUN [CLS_RUN] --out DIR`.")
    if pictures and golden is not None:
        raise PpedgeError("--golden: --pictures names the golden pictures.", "Leave one of the two out.")
    if lite_android is not None and into is None:
        raise PpedgeError("--lite-android: it goes into an app.", "Name the app's folder with --into android_demo.")

    from ppedge.bundle import android
    from ppedge.cli.bundle_told import told
    from ppedge.progress import Reporter

    reporter = Reporter()
    if into is not None:
        android.require_app(into)
    # Looked at before anything is built: a release that does not do is known at once.
    release = android.find_release(lite_android, allow_4k_pages) if lite_android is not None else None
    result: dict[str, Any] = {}
    if runs:
        from ppedge.bundle.build import build_bundle

        result = build_bundle(
            runs,
            out,
            recognizer=recognizer,
            also=[_named_run(text) for text in also or ()],
            precision=precision,
            onnx=onnx,
            pictures=pictures or (),
            count=golden,
            allow_failed_gates=allow_failed_gates,
            force=force,
            say=reporter.say,
        )
    if into is not None:
        result |= _install(into, out, release, bundle_needed=bool(runs) or lite_android is None)
    if as_json:
        emit(result)
        return
    for line in told(result):
        say(line)


def _named_run(text: str) -> tuple[str, Path]:
    """Return what ``--also NAME=RUN`` names."""
    name, equals, run = text.partition("=")
    if not (name and equals and run):
        raise PpedgeError(f"--also {text}: is not of the form NAME=RUN.", "`--also english=runs/en_rec`.")
    return name, Path(run)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle.", show_default=False)],
    on_arm: Annotated[
        Path | None,
        typer.Option(
            "--on-arm",
            metavar="APP",
            help="Also run the app's Java, of the folder android_demo, on the ARM emulator: its self-test.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PICTURE",
            help="With --on-arm: have the app read this picture, or all of a folder, too; may be repeated.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Of the pictures, read so many.", show_default=False)] = None,
    recognizer: RecognizerName = None,
    cpu: Annotated[str, typer.Option(metavar="CPU", help="With --on-arm: the emulated core.")] = "cortex-a53",
    as_json: Json = False,
) -> None:
    """Check every byte of a bundle, the models' headers and the golden cases; exit code 1 if something is wrong.

    --on-arm needs a registered runtime of Paddle Lite (`ppedge arm setup --lite DIR --java`) and a JDK.
    """
    from ppedge.bundle.manifest import read_unsealed
    from ppedge.bundle.verify import listed, verify_bundle

    if recognizer is not None and not pictures:
        raise PpedgeError("--recognizer: is for --pictures; all else is checked of all recognisers.", "Leave it out.")
    if on_arm is None and (pictures or limit):
        raise PpedgeError("--pictures, --limit: nothing reads them.", "Name the app's folder: --on-arm android_demo.")
    problems = verify_bundle(folder)
    told: dict[str, Any] = {"bundle": str(folder), "passed": not problems, "problems": problems}
    if not as_json:
        for line in problems or [
            f"{folder}: {len(list(listed(read_unsealed(folder))))} files and the manifest are as built"
        ]:
            say(line)
    lacking: MissingError | None = None
    if on_arm is not None and not problems:
        try:
            told["on_arm"] = _on_arm(folder, on_arm, cpu, pictures or [], limit, recognizer)
            told["passed"] = told["on_arm"]["passed"]
            shown = on_arm_lines(told["on_arm"])
        except MissingError as error:
            lacking = error
            told["on_arm"] = {"not_run": error.message}
            shown = [f"not run on ARM: {error.message}"]
        if not as_json:
            for line in shown:
                say(line)
    if as_json:
        emit(told)
    if lacking is not None:
        raise lacking
    if problems:
        raise GateError(f"{folder}: {len(problems)} problems.", "Build the bundle again.")
    if not told["passed"]:
        raise GateError(f"{folder}: the app's self-test failed on {cpu}.", "The first stage that failed is to blame.")


def _on_arm(
    folder: Path, app_folder: Path, cpu: str, pictures: list[Path], limit: int | None, recognizer: str | None
) -> dict[str, Any]:
    """Run the app on the emulated core; what it is doing is told."""
    from ppedge.bundle.on_arm import run_on_arm
    from ppedge.cli.ocr import pictures_in
    from ppedge.progress import Reporter

    files = [file for path in pictures for file in pictures_in(path)][:limit]
    return run_on_arm(folder, app_folder, cpu, files, recognizer, Reporter().say)


def on_arm_lines(found: dict[str, Any]) -> list[str]:
    """Return what a run of the app on the emulated core gave, for a person."""
    from ppedge.bundle.on_arm import worst_checks
    from ppedge.figures import held

    lines = [f"the app {found['app']} on {found['cpu']}, Paddle Lite {found['runtime']}:"]
    for check in worst_checks(found["checks"]):
        stage = check["stage"] + (f" of {check['recognizer']}" if "recognizer" in check else "")
        difference, tolerance = held(check["difference"], check["tolerance"], digits=2)
        size = "no number" if check["difference"] is None else difference
        words = f"  {stage}: at most {size} {check['unit']} apart, {tolerance} are allowed"
        lines.append(words if check["passed"] else f"{words}: FAILED ({check['detail']})")
    lines.append(f"  memory: {found['memory'] / 1e6:.0f} MB with the JVM's own")
    read = found["pictures"]
    if read is not None:
        share = "none" if read["share"] is None else f"{read['share']:.2%}"
        lines.append(
            f"  {read['pictures']} pictures: {read['same']} of {read['lines']} lines read as by {read['engine']}"
            f"{' with ' + read['recognizer'] if 'recognizer' in read else ''} "
            f"({share}), corners at most {read['corner']:.2g} pixels apart, scores {read['score']:.2g}"
        )
        for one in read["different"]:
            lines.append(f"    {one['picture']}: {one['pc']!r} here, {one['app']!r} in the app")
    return lines


def _install(into: Path, out: Path, release: LiteFiles | None, *, bundle_needed: bool) -> dict[str, Any]:
    """Put a bundle and Paddle Lite into the app; return what went where."""
    from ppedge.bundle import android

    result: dict[str, Any] = {}
    if bundle_needed or out.exists():
        result["assets"] = str(android.install_bundle(out, into))
        result |= android.of_no_use(out)
    if release is not None:
        result["lite"] = android.install_lite(release, into)
    return result
