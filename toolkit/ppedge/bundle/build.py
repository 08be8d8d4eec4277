"""Building a bundle: from the converted runs of a detector and a recogniser to one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ppedge import artifacts
from ppedge.bundle import manifest
from ppedge.bundle.folder import whole_folder
from ppedge.bundle.golden import write_golden
from ppedge.bundle.pictures import COUNT, golden_pictures, most_lines
from ppedge.bundle.sources import Part, chain, open_parts, validated
from ppedge.data.kept import kept_recipe
from ppedge.engines import open_engine
from ppedge.engines.base import Engine
from ppedge.errors import GateError, PpedgeError
from ppedge.ocr.pipeline import Classifier, Detector, Recognizer
from ppedge.ocr.spec import ModelSpec
from ppedge.recipe.road import Recipe
from ppedge.runs import versions
from ppedge.validate.gates import told
from ppedge.validate.report import read_report


def build_bundle(
    runs: Sequence[Path],
    out: Path,
    *,
    recognizer: str | None = None,
    also: Sequence[tuple[str, Path]] = (),
    precision: str | None = None,
    onnx: bool = False,
    pictures: Sequence[Path] = (),
    count: int | None = None,
    allow_failed_gates: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Make the folder that a phone needs.

    Equal runs and pictures give equal bytes on one machine: the golden outputs are computed with one thread.

    Args:
        runs: The detector's, the recogniser's and, if there is one, the direction classifier's.
        out: The folder; it appears whole.
        recognizer: With ``also``, the name of the recogniser in ``runs``; by default that of its run's folder.
        also: Names and runs of further recognisers.
        precision: ``fp32`` or ``int8``; by default int8 if detector and recogniser have it. A classifier that lacks it
            is taken in the precision that it has, and so is a further recogniser unless it is asked for.
        onnx: Put the ONNX twins in as well.
        pictures: Files to make the golden cases of; by default evaluation pictures of the detector's run.
        count: How many of those at most, by default `pictures.COUNT`; 0: the bundle has no golden cases, and the app
            no self-test.
        allow_failed_gates: Take runs whose gates failed when they were validated.
        force: Replace a bundle that is there.
        say: Told what is being done.

    Returns:
        ``bundle``, ``precision``, ``models`` (by task: file, bytes, precision, opt_version; of several recognisers the
        first), ``recognizers`` (the same by name; only of several), ``golden`` (pictures), ``lines`` (in them),
        ``golden_sources`` (where the pictures come from, see `pictures.Picture`), ``golden_bytes``, ``golden_engine``,
        ``bytes`` (of the whole folder).

    Raises:
        GateError: A gate of a run failed when it was validated.
        PpedgeError: A run is not what it must be, a name is none, ``out`` may not be replaced, a picture cannot be
            read, no line is found in it, or an engine failed; ``out`` is as before.
    """
    parts = open_parts(runs, recognizer, also, precision)
    det = parts[0]
    recipe = kept_recipe(det.source.run)
    _require_gates(parts, say, allow_failed=allow_failed_gates)
    with whole_folder(out, replace=lambda folder: _replaceable(folder, force)) as folder:
        models, recognizers = _add_models(folder, parts, onnx)
        engine, golden = golden_engine(), []
        if pictures or count != 0:
            say(f"computing golden outputs with {engine['name']} {engine['version']}, {det.precision}")
            golden = _add_golden(
                folder, parts, engine["name"], recipe, pictures, COUNT if count is None else count, say
            )
        name = " + ".join(part.source.name for part in parts)
        manifest.write_manifest(folder, name, models, recognizers, golden, engine)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    several = {name: _shown(model) for name, model in recognizers.items()}
    by_task = {"rec": next(iter(several.values()))} | {task: _shown(model) for task, model in models.items()}
    return {
        "bundle": str(out),
        "precision": det.precision,
        "models": {task: by_task[task] for task in manifest.TASKS if task in by_task},
        **({"recognizers": several} if also else {}),
        "golden": len(golden),
        "lines": sum(case["lines"] for case in golden),
        "golden_sources": sorted({case["source"] for case in golden}),
        "golden_bytes": sum(file["bytes"] for case in golden for file in case["files"]),
        "golden_engine": engine,
        "bytes": size,
    }


def _shown(model: dict[str, Any]) -> dict[str, Any]:
    return {key: model[key] for key in ("file", "bytes", "precision", "opt_version")}


def golden_engine() -> dict[str, str]:
    """Return name and version of what computes golden outputs here: Paddle, or onnxruntime where Paddle is missing."""
    if find_spec("paddle") is None:
        return {"name": "onnxruntime", "version": metadata.version("onnxruntime")}
    packages = versions()
    return {"name": "paddle", "version": packages.get("paddlepaddle") or packages.get("paddlepaddle-gpu", "unknown")}


def _replaceable(folder: Path, force: bool) -> bool:
    if manifest.is_bundle(folder) and not force:
        raise PpedgeError(f"{folder}: there already.", "Use --force to replace it.")
    return manifest.is_bundle(folder)


def _require_gates(parts: Sequence[Part], say: Callable[[str], None], *, allow_failed: bool) -> None:
    """Refuse runs whose gates failed, or say so; say which have not been validated."""
    for part in parts:
        run, passed = part.source.run, validated(part.source)
        if passed is None:
            say(f"note: {run.path} has not been validated as it stands (`ppedge validate {run.path}`)")
        elif not passed:
            failed = [told(row) for row in read_report(run)["gates"] if not row["passed"]]
            what = f"{run.stage('validate')}: {len(failed)} gates failed: {'; '.join(failed)}"
            if not allow_failed:
                raise GateError(
                    f"{what}.",
                    f"Mend it and repeat `ppedge validate {run.path} --force`, or take the network as it is with "
                    "--allow-failed-gates.",
                )
            say(f"note: {what}; the network is taken all the same")


def _add_models(folder: Path, parts: Sequence[Part], onnx: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Copy the models' files into the bundle; return the entries of the recognisers by name, of the others by task."""
    models, recognizers = {}, {}
    for part in parts:
        entry = _add_model(folder, part, onnx)
        if part.task == "rec":
            recognizers[part.recognizer] = entry
        else:
            models[part.task] = entry
    return models, recognizers


def _add_model(folder: Path, part: Part, onnx: bool) -> dict[str, Any]:
    source, task, name = part.source, part.task, part.recognizer
    shipped = artifacts.nb(task, part.precision)
    source.copy(shipped, folder / manifest.model_file(task, name))
    if onnx:
        source.copy(artifacts.onnx(task, part.precision), folder / manifest.twin_file(task, name))
    if task == "rec":
        manifest.write_charset(folder, tuple(source.spec["characters"]), name)
    links = chain(source, shipped)
    return manifest.model_entry(folder, task, source.spec, precision=part.precision, chain=links, recognizer=name)


def _add_golden(
    folder: Path,
    parts: Sequence[Part],
    engine: str,
    recipe: Recipe,
    pictures: Sequence[Path],
    count: int,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Write the golden cases into the bundle and return their entries of the manifest."""
    with _networks(parts, engine) as (detector, recognizers, classifier):
        most = most_lines(sum(recognizer.charset.size for recognizer in recognizers.values()))
        chosen = golden_pictures(
            recipe, pictures, lambda image: [box.quad for box in detector(image)], most, say, count
        )
        golden = []
        for number, picture in enumerate(chosen, 1):
            case = write_golden(
                folder, f"{number:02d}", picture.source, picture.image, detector, recognizers, classifier
            )
            if not case["lines"]:
                raise PpedgeError(
                    f"{picture.name}: the detector finds no line in it, so that as a golden case it proves nothing.",
                    "Name another --pictures FILE, or leave --pictures out.",
                )
            golden.append(case)
    if not golden:
        run = parts[0].source.run.path
        # What has learned from drawn pictures and finds nothing in such ones has no use for others.
        other = "train it longer" if recipe.data.synth else "name pictures with text: --pictures FILE"
        raise PpedgeError(
            f"{run}: the detector finds no line in any picture that was looked at, so that no golden case would prove "
            "anything.",
            f"See what it finds with `ppedge eval {run}`, or {other}.",
        )
    return golden


@contextmanager
def _networks(
    parts: Sequence[Part], engine: str
) -> Iterator[tuple[Detector, dict[str, Recognizer], Classifier | None]]:
    with ExitStack() as stack:
        recognizers, classifier = {}, None
        for part in parts:
            network, spec = stack.enter_context(_open(part, engine)), ModelSpec.from_dict(part.source.spec)
            if part.task == "det":
                detector = Detector(network, spec)
            elif part.task == "rec":
                recognizers[part.recognizer] = Recognizer(network, spec, batch_size=1)
            else:
                classifier = Classifier(network, spec, batch_size=1)
        yield detector, recognizers, classifier


def _open(part: Part, engine: str) -> Engine:
    """Open what a .nb file was made of, with one thread: how sums are split over threads shows in the last bits."""
    run = part.source.run
    files = [run.artifact("convert", name) for name in artifacts.needed_by(engine, part.task, part.precision)]
    return open_engine(engine, files[0], threads=1)
