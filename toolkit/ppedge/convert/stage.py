"""The convert stage: the run's networks as ``.nb`` for Paddle Lite and ONNX, each checked as it is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from ppedge import artifacts
from ppedge.convert import imported, onnx
from ppedge.convert.inputs import picture_inputs
from ppedge.convert.lite import Precision, require_opt, to_nb
from ppedge.convert.onnx_file import set_characters
from ppedge.convert.rewrites import Rewriting
from ppedge.data.source import declared_spec
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.files.nb import summary
from ppedge.ocr.spec import ModelSpec
from ppedge.process import run_module
from ppedge.recipe.io import save
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import line_height
from ppedge.runs import RECIPE, Run
from ppedge.scratch import scratch
from ppedge.storage import read_json

_NB, _ONNX = "nb", "onnx"  # below the folder aside: networks as rewritten for these forms


@dataclass(frozen=True)
class _Source:
    """A network of the run that is exported once and converted to several files.

    Attributes:
        kind: ``float`` or ``quantized``.
        stage: The stage that left its weights; None for an inference model that is brought in.
        precisions: Of its .nb files.
        baseline: It is the network before slimming.
    """

    kind: str
    stage: str | None
    precisions: tuple[Precision, ...]
    baseline: bool = False

    @property
    def precision(self) -> Precision:
        """Of its inference model and its ONNX file."""
        return "fp32" if self.kind == "float" else "int8"

    def prefix(self, task: str) -> str:
        """Return what the names of its inference model's files begin with."""
        return artifacts.inference_prefix(task, self.precision, baseline=self.baseline)


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
    spec = declared_spec(recipe)
    model = _inference_model(recipe, run, spec.characters)
    newest: str | None = None
    if model is None:
        newest = _newest(run)
        sources = _sources(recipe, run, newest, say)
    else:
        sources = [_imported(recipe, model, say)]
    if "nb" in recipe.convert.formats:
        require_opt()
    files: dict[str, Any] = {}
    with run.writing("convert", force=force) as folder, scratch("onnx") as aside:
        if model:
            save(keep or recipe, folder / RECIPE)
            say(f"running {model.model} in Paddle")
            imported.bring_in(model, folder / sources[0].prefix(recipe.task), recipe.task, line_height(recipe))
        else:
            _export(recipe, run, sources, folder, aside, say)
        rewritten = _rewrite(recipe, spec, sources, folder, aside, say) if recipe.convert.rewrite == "exact" else {}
        for source in sources:
            files |= _convert(recipe, spec, source, folder, aside, say)
        outputs = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        run.write_manifest(
            folder,
            "convert",
            outputs=outputs,
            inputs=[model.model, model.params] if model else [run.recipe_path],
            metrics={"files": files, "rewrites": rewritten},
            parent=newest,
            model=spec.to_dict(),
            settings=recipe.convert.model_dump(mode="json"),
            seconds=round(time.monotonic() - began, 1),
        )
    return files


def _newest(run: Run) -> str:
    """Return the stage whose network is converted."""
    newest = run.newest_stage()
    if newest is None:
        raise PpedgeError(f"{run.path}: nothing is trained yet.", "Run `ppedge train` first.")
    run.require_fresh(newest)
    return newest


def _inference_model(recipe: Recipe, run: Run, characters: Sequence[str]) -> InferenceModel | None:
    """Return the model that the recipe brings in, held against the recipe; None if its network is trained here."""
    if not recipe.ships_as_it_came:
        return None
    if run.done("train"):
        raise PpedgeError(
            f"{run.path}: holds a network that was trained there.", "Name another folder with --out, or another run."
        )
    return imported.of_recipe(recipe, characters)


def _imported(recipe: Recipe, model: InferenceModel, say: Callable[[str], None]) -> _Source:
    """Say what is made of an inference model: it is float, or it is quantized."""
    if "nb" in recipe.convert.formats:
        imported.require_runnable_nb(model)
    asked = recipe.convert.precisions
    if imported.is_quantized(model):
        if "int8" not in asked or "nb" not in recipe.convert.formats:
            raise PpedgeError(
                f"{model.model}: is quantized, of which an int8 .nb can be made.", "Ask for int8 and the format nb."
            )
        say("the model is quantized: an int8 .nb is all that is written")
        return _Source("quantized", None, ("int8",))
    return _Source("float", None, _floats(recipe))


def _floats(recipe: Recipe) -> tuple[Precision, ...]:
    return tuple(p for p in get_args(Precision) if p in recipe.convert.precisions and p != "int8")


def _sources(recipe: Recipe, run: Run, newest: str, say: Callable[[str], None]) -> list[_Source]:
    quantized = newest == "slim" and run.manifest("slim")["quant"] != "none"
    floats = _floats(recipe)
    sources = [_Source("float", newest, floats)]
    if newest == "slim":
        sources.append(_Source("float", "train", floats[:1], baseline=True))
    if "int8" in recipe.convert.precisions and quantized:
        sources.append(_Source("quantized", "slim", ("int8",)))
    elif "int8" in recipe.convert.precisions:
        say("int8 is left out: the run has no quantized network (`ppedge slim --quant pact`)")
    return sources


def _export(
    recipe: Recipe, run: Run, sources: Sequence[_Source], folder: Path, aside: Path, say: Callable[[str], None]
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
    options = [str(word) for network in networks for word in ("--network", *network)]
    run_module("ppedge.convert.export", [run.path, *options], f"Exporting the networks of {run.path}")


def _rewrite(
    recipe: Recipe, spec: ModelSpec, sources: Sequence[_Source], folder: Path, aside: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Put each source's network aside, rewritten for what is made of it; return what was done, see `Rewriting`."""
    rewriting = Rewriting(recipe, aside, picture_inputs(recipe, spec))
    for source in sources:
        prefix = source.prefix(recipe.task)
        noted = _noted(folder / prefix)
        if "nb" in recipe.convert.formats and source.precisions:
            kept_float = noted["float_weights"]
            rewriting.add(folder / prefix, f"{_NB}/{prefix}", "nb", source.precision, kept_float, noted["layers"])
        if "onnx" in recipe.convert.formats and source.kind == "float":
            model = _for_onnx(folder, aside, prefix)
            rewriting.add(model, f"{_ONNX}/{prefix}", "onnx", "fp32", layers=noted["layers"])
    return rewriting.run(say)


def _for_onnx(folder: Path, aside: Path, prefix: str) -> Path:
    """Return the prefix of the network that an ONNX file is made of: one with a free batch, if that was exported."""
    return aside / prefix if InferenceModel.at(aside / prefix).model.is_file() else folder / prefix


def _noted(prefix: Path) -> dict[str, Any]:
    """Return what the export has noted beside a network: nothing of one that is brought in."""
    about = prefix.with_name(f"{prefix.name}.json")
    return dict(read_json(about)) if about.is_file() else {"float_weights": [], "layers": {}}


def _rewritten(aside: Path, form: str, prefix: str, otherwise: Path) -> Path:
    """Return the prefix of the network as rewritten for a form, or of the one that was not rewritten."""
    rewritten = aside / form / prefix
    return rewritten if InferenceModel.at(rewritten).model.is_file() else otherwise


def _convert(
    recipe: Recipe, spec: ModelSpec, source: _Source, folder: Path, aside: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    of = source.prefix(recipe.task)
    prefix = folder / of
    cases, noted = prefix.with_name(f"{prefix.name}.npz"), _noted(prefix)
    files: dict[str, Any] = {}
    if "nb" in recipe.convert.formats:
        for precision in source.precisions:
            name = artifacts.nb(recipe.task, precision, baseline=source.baseline)
            path = folder / name
            say(f"writing {name}")
            # What the recipe keeps in float may be float; everything else must be int8.
            model = _rewritten(aside, _NB, of, prefix)
            contents = summary(to_nb(model, path, precision, noted["float_weights"], noted["layers"], say))
            del contents["file"]  # where it was written for now
            files[name] = {"bytes": path.stat().st_size, "contents": contents}
    # The scales of a quantized model that is brought in lie in its graph, from which no ONNX file is made.
    if "onnx" in recipe.convert.formats and (source.kind == "float" or source.stage is not None):
        name = artifacts.onnx(recipe.task, source.precision, baseline=source.baseline)
        path = folder / name
        say(f"writing {name}")
        unquantized = source.kind == "quantized"
        model = aside / of if unquantized else _rewritten(aside, _ONNX, of, _for_onnx(folder, aside, of))
        found = _onnx(source, model, path, cases, spec.characters, say)
        files[name] = {"bytes": path.stat().st_size, **found}
    cases.unlink()
    prefix.with_name(f"{prefix.name}.json").unlink(missing_ok=True)
    return files


def _onnx(
    source: _Source,
    model: Path,
    path: Path,
    cases: Path,
    characters: Sequence[str],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Write a network as ONNX, give it a recogniser's characters, and compare it with Paddle."""
    layers: dict[str, Any] = {}
    if source.kind == "quantized":
        layers = {"quantized_layers": _int8_onnx(model, path)}
    else:
        onnx.to_onnx(model, path)
    if characters and not set_characters(path, characters):
        say(f"{path.name} carries no characters: one of them ends a line for those who read them from there")
    inputs, reference = onnx.load_cases(cases)
    if source.kind == "quantized":
        return {**layers, "mean_difference_to_paddle": onnx.check_mean(path, inputs, reference)}
    return {"difference_to_paddle": onnx.check(path, inputs, reference)}


def _int8_onnx(unquantized: Path, path: Path) -> int:
    """Write the quantized network as ONNX by way of the float network that has its weights; return its int8 layers."""
    exact = unquantized.with_name(f"{unquantized.name}.onnx")
    onnx.to_onnx(unquantized, exact)
    from ppedge.convert.qdq import Quantizer, to_qdq  # needs the onnx package, which to_onnx has asked for

    about = unquantized.with_name(f"{unquantized.name}.json")
    return to_qdq(exact, path, [Quantizer(**entry) for entry in read_json(about)["quantizers"]])
