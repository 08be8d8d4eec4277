"""The convert stage: the run's networks as ``.nb`` for Paddle Lite and ONNX, each checked as it is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from ppedge import artifacts
from ppedge.convert import imported, onnx
from ppedge.convert.inputs import picture_inputs
from ppedge.convert.lite import require_opt, to_nb
from ppedge.convert.one_line import takes_one_line
from ppedge.convert.onnx_file import set_characters
from ppedge.convert.rewrites import Rewriting
from ppedge.convert.sources import (
    Source,
    has_onnx,
    imported_source,
    inference_model_of,
    newest_of,
    sources_of,
)
from ppedge.data.characters import charset_file, require_same_characters
from ppedge.data.kept import kept_recipe
from ppedge.data.source import as_slimmed, declared_spec
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.files.nb_summary import summary
from ppedge.forkserver import ForkServer
from ppedge.ocr.spec import ModelSpec
from ppedge.process import Child, dealt
from ppedge.recipe.compare import require_same_network
from ppedge.recipe.io import save
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import line_height
from ppedge.runs import RECIPE, Run
from ppedge.scratch import scratch
from ppedge.storage import read_json

_NB, _ONNX = "nb", "onnx"  # below the folder aside: networks as rewritten for these forms
_ONE = "one"  # likewise: networks of one line at a time


def run_convert(
    recipe: Recipe,
    run: Run,
    *,
    keep: Recipe | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Convert and return, by file: bytes, and what is in it or how far it is from Paddle.

    A slimmed run's float network is the pruned one; the network as trained is converted too, into ``baseline/``, to
    compare with.

    Args:
        recipe: The run's recipe, with what the command line changed in its ``convert`` section.
        run: The run.
        keep: The recipe to keep with a run that begins here, with an inference model; by default ``recipe``.
        force: Replace an earlier result.
        say: Told what is being done.

    Raises:
        MissingError: A converter is not installed.
        PpedgeError: Nothing is trained, the inference model is not what the recipe says, a converter failed, or its
            result is wrong.
    """
    began = time.monotonic()
    spec = declared_spec(as_slimmed(recipe, run))
    model = inference_model_of(recipe, run, spec.characters)
    newest: str | None = None
    charset = charset_file(recipe)
    if model is None:
        require_same_characters(recipe, run)
        newest = newest_of(run)
        require_same_network(recipe, kept_recipe(run), str(run.path))
        sources = sources_of(recipe, run, newest, say)
    else:
        sources = [imported_source(recipe, model, say)]
    if "nb" in recipe.convert.formats:
        require_opt()
    files: dict[str, Any] = {}
    with run.writing("convert", force=force) as folder, scratch("onnx") as aside, ForkServer() as forks:
        if model:
            save(keep or recipe, folder / RECIPE)
            say(f"running {model.model} in Paddle")
            prefix = sources[0].prefix(recipe.task)
            one = aside / _ONE / prefix if "nb" in recipe.convert.formats and takes_one_line(model) else None
            imported.bring_in(model, folder / prefix, recipe.task, line_height(recipe), forks, one)
        else:
            _export(recipe, run, sources, folder, aside, forks, say)
        rewritten: dict[str, Any] = {}
        if recipe.convert.rewrite != "none":
            rewritten = _rewrite(recipe, spec, sources, folder, aside, forks, say)
        _write_onnx(recipe, sources, folder, aside, forks, say)
        for source in sources:
            added = rewritten.get(f"{_NB}/{source.prefix(recipe.task)}", {}).get("origins", {})
            files |= _convert(recipe, spec, source, folder, aside, say, added)
        outputs = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        run.write_manifest(
            folder,
            "convert",
            outputs=outputs,
            inputs=[model.model, model.params, *([charset] if charset else [])] if model else [run.recipe_path],
            metrics={"files": files, "rewrites": rewritten},
            parent=newest,
            model=spec.to_dict(),
            settings=recipe.convert.model_dump(mode="json"),
            seconds=round(time.monotonic() - began, 1),
        )
    return files


def _export(
    recipe: Recipe,
    run: Run,
    sources: Sequence[Source],
    folder: Path,
    aside: Path,
    forks: ForkServer,
    say: Callable[[str], None],
) -> None:
    """Put an inference model, with reference cases beside it, at the prefix of each source in the stage's folder.

    What only ONNX files are made of is put ``aside``, at the same prefixes: a recogniser once more with a free batch,
    and of a quantized network the float one that has its weights.
    """
    networks = [(source.stage, source.kind, folder / source.prefix(recipe.task)) for source in sources]
    if "onnx" in recipe.convert.formats:
        for source in sources:
            prefix = aside / source.prefix(recipe.task)
            if source.kind == "quantized":
                networks.append((source.stage, "unquantized", prefix))
            elif recipe.task == "rec":
                networks.append((source.stage, "batched", prefix))
    for _, _, prefix in networks:
        prefix.parent.mkdir(parents=True, exist_ok=True)
    say(f"exporting {', '.join(f'the {kind} network of {stage}' for stage, kind, _ in networks)}")
    children = [
        Child(
            [
                "ppedge.convert.export",
                run.path,
                *(word for stage, kind, prefix in part for word in ("--network", str(stage), kind, prefix)),
            ],
            f"Exporting the networks of {run.path}",
        )
        for part in dealt(networks)
    ]
    for ended in forks.run_children(children):
        if isinstance(ended, PpedgeError):
            raise ended


def _rewrite(
    recipe: Recipe,
    spec: ModelSpec,
    sources: Sequence[Source],
    folder: Path,
    aside: Path,
    forks: ForkServer,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Put each source's network aside, rewritten for what is made of it; return what was done, see `Rewriting`."""
    rewriting = Rewriting(recipe, aside, picture_inputs(recipe, spec))
    for source in sources:
        prefix = source.prefix(recipe.task)
        noted = _noted(folder / prefix)
        called = artifacts.nb(recipe.task, source.precision, baseline=source.baseline).removesuffix(".nb")
        if "nb" in recipe.convert.formats and source.precisions:
            kept_float = noted["float_weights"]
            model = _otherwise(aside, _ONE, prefix, folder / prefix)
            rewriting.add(model, f"{_NB}/{prefix}", called, "nb", source.precision, kept_float, noted["layers"])
        if "onnx" in recipe.convert.formats and source.kind == "float":
            model = _for_onnx(folder, aside, prefix)
            rewriting.add(model, f"{_ONNX}/{prefix}", called, "onnx", "fp32", layers=noted["layers"])
    return rewriting.run(forks, say)


def _for_onnx(folder: Path, aside: Path, prefix: str) -> Path:
    """Return the prefix of the network that an ONNX file is made of: one with a free batch, if that was exported."""
    return aside / prefix if InferenceModel.at(aside / prefix).model.is_file() else folder / prefix


def _noted(prefix: Path) -> dict[str, Any]:
    """Return what the export has noted beside a network: nothing of one that is brought in."""
    about = prefix.with_name(f"{prefix.name}.json")
    return dict(read_json(about)) if about.is_file() else {"float_weights": [], "layers": {}}


def _otherwise(aside: Path, form: str, prefix: str, otherwise: Path) -> Path:
    """Return the prefix of the network of a form, or where there is none, of another."""
    found = aside / form / prefix
    return found if InferenceModel.at(found).model.is_file() else otherwise


def _convert(
    recipe: Recipe,
    spec: ModelSpec,
    source: Source,
    folder: Path,
    aside: Path,
    say: Callable[[str], None],
    added: Collection[str],
) -> dict[str, Any]:
    """Write a source's files, and return what is in them; ``added`` are the weights that rewrites have added."""
    of = source.prefix(recipe.task)
    prefix = folder / of
    cases, noted = prefix.with_name(f"{prefix.name}.npz"), _noted(prefix)
    files: dict[str, Any] = {}
    if "nb" in recipe.convert.formats:
        for precision in source.precisions:
            name = artifacts.nb(recipe.task, precision, baseline=source.baseline)
            path = folder / name
            say(f"writing {name}")
            # What the recipe keeps in float may be float, and what stands in its place; everything else must be int8.
            model = _otherwise(aside, _NB, of, _otherwise(aside, _ONE, of, prefix))
            in_float = [*noted["float_weights"], *added]
            contents = summary(to_nb(model, path, precision, in_float, noted["layers"], say))
            del contents["file"]  # where it was written for now
            files[name] = {"bytes": path.stat().st_size, "contents": contents}
    if has_onnx(recipe, source):
        name = artifacts.onnx(recipe.task, source.precision, baseline=source.baseline)
        path = folder / name
        found = _onnx(source, aside / of, path, cases, spec.characters, say)
        files[name] = {"bytes": path.stat().st_size, **found}
    cases.unlink()
    prefix.with_name(f"{prefix.name}.json").unlink(missing_ok=True)
    return files


def _write_onnx(
    recipe: Recipe,
    sources: Sequence[Source],
    folder: Path,
    aside: Path,
    forks: ForkServer,
    say: Callable[[str], None],
) -> None:
    """Write the ONNX files of float networks, and aside that of the float network with a quantized one's weights."""
    models, names = {}, []
    for source in filter(lambda one: has_onnx(recipe, one), sources):
        of, name = source.prefix(recipe.task), artifacts.onnx(recipe.task, source.precision, baseline=source.baseline)
        names.append(name)
        if source.kind == "quantized":
            models[_exact(aside / of)] = aside / of
        else:
            models[folder / name] = _otherwise(aside, _ONNX, of, _for_onnx(folder, aside, of))
    if models:
        say(f"writing {', '.join(names)}")
        onnx.to_onnx(models, forks)


def _exact(unquantized: Path) -> Path:
    """Return the ONNX file of the float network that has a quantized one's weights."""
    return unquantized.with_name(f"{unquantized.name}.onnx")


def _onnx(
    source: Source,
    unquantized: Path,
    path: Path,
    cases: Path,
    characters: Sequence[str],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Finish a network's ONNX file: 8 bits, a recogniser's characters, and the comparison with Paddle."""
    layers: dict[str, Any] = {}
    if source.kind == "quantized":
        layers = {"quantized_layers": _int8_onnx(unquantized, path)}
    if characters and not set_characters(path, characters):
        say(f"{path.name} carries no characters: one of them ends a line for those who read them from there")
    inputs, reference = onnx.load_cases(cases)
    if source.kind == "quantized":
        return {**layers, "mean_difference_to_paddle": onnx.check_mean(path, inputs, reference)}
    return {"difference_to_paddle": onnx.check(path, inputs, reference)}


def _int8_onnx(unquantized: Path, path: Path) -> int:
    """Write the quantized network as ONNX by way of the float network that has its weights; return its int8 layers."""
    from ppedge.convert.qdq import Quantizer, to_qdq  # needs the onnx package, which to_onnx has asked for

    about = unquantized.with_name(f"{unquantized.name}.json")
    return to_qdq(_exact(unquantized), path, [Quantizer(**entry) for entry in read_json(about)["quantizers"]])
