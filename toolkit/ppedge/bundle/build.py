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
from ppedge.bundle.pictures import golden_pictures, most_lines
from ppedge.bundle.sources import Source, chain, choose_precision, open_source, validated
from ppedge.engines import open_engine
from ppedge.engines.base import Engine
from ppedge.errors import PpedgeError
from ppedge.ocr.pipeline import Classifier, Detector, Recognizer
from ppedge.ocr.spec import ModelSpec
from ppedge.recipe.io import load_recipe
from ppedge.recipe.road import Recipe
from ppedge.runs import versions


def build_bundle(
    runs: Sequence[Path],
    out: Path,
    *,
    precision: str | None = None,
    onnx: bool = False,
    pictures: Sequence[Path] = (),
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Make the folder that a phone needs.

    Equal runs and pictures give equal bytes on one machine: the golden outputs are computed with one thread.

    Args:
        runs: The detector's, the recogniser's and, if there is one, the direction classifier's.
        out: The folder; it appears whole.
        precision: ``fp32`` or ``int8``; by default int8 if detector and recogniser have it. A classifier that lacks it
            is taken in the precision that it has.
        onnx: Put the ONNX twins in as well.
        pictures: Files to make the golden cases of; by default up to five evaluation pictures of the detector's run.
        force: Replace a bundle that is there.
        say: Told what is being done.

    Returns:
        ``bundle``, ``precision``, ``models`` (by task: file, bytes, precision, opt_version), ``golden`` (pictures),
        ``lines`` (in them), ``golden_engine``, ``bytes`` (of the whole folder).

    Raises:
        PpedgeError: A run is not what it must be, ``out`` may not be replaced, a picture cannot be read, no line is
            found in it, or an engine failed; ``out`` is as before.
    """
    if len(runs) not in (2, 3):
        raise PpedgeError(f"A bundle is made of two or three runs, not {len(runs)}.", "DET_RUN REC_RUN [CLS_RUN].")
    sources = [open_source(path, task) for path, task in zip(runs, manifest.TASKS, strict=False)]
    chosen = choose_precision(sources[:2], precision)
    precisions = {s.task: chosen if chosen in s.precisions else choose_precision([s], None) for s in sources}
    recipe = load_recipe(sources[0].run.recipe_path)
    _tell_validation(sources, say)
    with whole_folder(out, replace=lambda folder: _replaceable(folder, force)) as folder:
        models = {s.task: _add_model(folder, s, precisions[s.task], onnx) for s in sources}
        manifest.write_charset(folder, tuple(sources[1].spec["characters"]))
        engine = golden_engine()
        say(f"computing golden outputs with {engine['name']} {engine['version']}, {chosen}")
        golden = _add_golden(folder, sources, precisions, engine["name"], recipe, pictures, say)
        name = " + ".join(source.name for source in sources)
        manifest.write_manifest(folder, name, models, golden, engine)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shown = ("file", "bytes", "precision", "opt_version")
    return {
        "bundle": str(out),
        "precision": chosen,
        "models": {task: {key: model[key] for key in shown} for task, model in models.items()},
        "golden": len(golden),
        "lines": sum(case["lines"] for case in golden),
        "golden_engine": engine,
        "bytes": size,
    }


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


def _tell_validation(sources: Sequence[Source], say: Callable[[str], None]) -> None:
    for source in sources:
        passed = validated(source)
        if not passed:
            what = "has not been validated as it stands" if passed is None else "did not pass its gates"
            say(f"note: {source.run.path} {what} (`ppedge validate {source.run.path}`)")


def _add_model(folder: Path, source: Source, precision: str, onnx: bool) -> dict[str, Any]:
    """Copy a model's files into the bundle and return its entry of the manifest."""
    task = source.task
    shipped = artifacts.nb(task, precision)
    source.copy(shipped, folder / manifest.model_file(task))
    if onnx:
        source.copy(artifacts.onnx(task, precision), folder / manifest.twin_file(task))
    links = chain(source, shipped)
    return manifest.model_entry(folder, task, source.spec, precision=precision, chain=links)


def _add_golden(
    folder: Path,
    sources: Sequence[Source],
    precisions: dict[str, str],
    engine: str,
    recipe: Recipe,
    pictures: Sequence[Path],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Write the golden cases into the bundle and return their entries of the manifest."""
    with _networks(sources, precisions, engine) as (detector, recognizer, classifier):
        most = most_lines(recognizer.charset.size)
        chosen = golden_pictures(recipe, pictures, lambda image: [box.quad for box in detector(image)], most, say)
        golden = []
        for number, picture in enumerate(chosen, 1):
            case = write_golden(
                folder, f"{number:02d}", picture.source, picture.image, detector, recognizer, classifier
            )
            if not case["lines"]:
                raise PpedgeError(
                    f"{picture.name}: the detector finds no line in it, so that as a golden case it proves nothing.",
                    "Name other --pictures.",
                )
            golden.append(case)
    if not golden:
        raise PpedgeError(
            f"{sources[0].run.path}: the detector finds no line in any picture that was looked at, so that no golden "
            "case would prove anything.",
            "See what it finds with `ppedge eval`, or name --pictures.",
        )
    return golden


@contextmanager
def _networks(
    sources: Sequence[Source], precisions: dict[str, str], engine: str
) -> Iterator[tuple[Detector, Recognizer, Classifier | None]]:
    with ExitStack() as stack:
        det, rec, *cls = [stack.enter_context(_open(s, precisions[s.task], engine)) for s in sources]
        detector = Detector(det, ModelSpec.from_dict(sources[0].spec))
        recognizer = Recognizer(rec, ModelSpec.from_dict(sources[1].spec), batch_size=1)
        classifier = Classifier(cls[0], ModelSpec.from_dict(sources[2].spec), batch_size=1) if cls else None
        yield detector, recognizer, classifier


def _open(source: Source, precision: str, engine: str) -> Engine:
    """Open what a .nb file was made of, with one thread: how sums are split over threads shows in the last bits."""
    files = [source.run.artifact("convert", name) for name in artifacts.needed_by(engine, source.task, precision)]
    return open_engine(engine, files[0], threads=1)
