"""Bringing a network in: what stands for the train stage where somebody else has trained.

It leaves what a training leaves, so that everything behind it goes on as with a network trained here: weights, the
recipe, metrics; and beside them the program that the network is built from, and the labels that it gives the pictures.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from ppedge.brought.labels import Labelled, kept_apart, label
from ppedge.brought.pictures import HINT, summed
from ppedge.convert import imported
from ppedge.convert.rewriting import runner
from ppedge.data.characters import charset_file
from ppedge.data.formats import write_lines
from ppedge.data.kept import LABELS
from ppedge.data.shared import say_shared
from ppedge.data.source import declared_spec, label_files, read_samples
from ppedge.data.unlabelled import pictures_from
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.models.imported.network import ImportedNetwork
from ppedge.models.weights import state_of, write_pdparams
from ppedge.program.passes import FOR_ONNX, rewrite_checked
from ppedge.program.program import Program
from ppedge.progress import Reporter
from ppedge.recipe.io import save
from ppedge.recipe.networks import Imported
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import case_shapes, line_height
from ppedge.runs import RECIPE, Run
from ppedge.train.course import BEST
from ppedge.train.stage import intervals_of, measure_test, measured_on, read_test
from ppedge.train.task import PROGRAM, NetEngine, Task

LEAST = 2
EQUAL = 1e-4
"""Largest difference between the network and Paddle's run of its program: the order of sums is another."""


def run_bring_in(
    recipe: Recipe, run: Run, *, device: str, force: bool = False, skip_bad: bool = False, reporter: Reporter
) -> dict[str, Any]:
    """Bring the recipe's inference model into a run and return the stage's metrics.

    Args:
        recipe: As `ppedge.brought.labels.completed` gives it.
        run: Where results go.
        device: For the manifest; the caller has set it.
        force: Replace an earlier result.
        skip_bad: Leave bad pictures and labels out instead of refusing.
        reporter: Progress.

    Raises:
        PpedgeError: The model is not what the recipe says, is quantized, or has something that slimming does not know;
            a picture is bad and ``skip_bad`` is not set; or there is a result and no ``force``.
    """
    began = time.monotonic()
    assert isinstance(recipe.model, Imported) and recipe.model.pictures is not None
    files, charset = _opened(recipe), charset_file(recipe)
    pictures = pictures_from(recipe, recipe.model.pictures, HINT)
    if len(pictures) < LEAST:
        raise PpedgeError(
            f"{recipe.model.pictures}: holds {len(pictures)} pictures; slimming needs some to learn from and some kept "
            "apart.",
            HINT,
        )
    with run.writing("train", force=force) as folder:
        kept = InferenceModel.at(folder / PROGRAM)
        x = np.random.default_rng(recipe.seed).uniform(-1, 1, case_shapes(recipe.task, line_height(recipe))[0])
        _rewritten(recipe, files, x.astype(np.float32), reporter).write(kept)
        task = Task(recipe, program=kept)
        net = task.build()
        net.eval()
        difference = _require_equal(net, files, x.astype(np.float32))
        reporter.say(f"{files.model}: built as layers, which differ from Paddle's run of it by {difference:.1e}")
        aside = read_test(task, reporter, skip_bad=skip_bad)
        say_shared(reporter.say, "test", aside or (), map(str, pictures))
        learned, apart = _write_labels(recipe, task, net, pictures, folder, reporter, skip_bad=skip_bad)
        save(recipe, folder / RECIPE)
        write_pdparams(folder / BEST, state_of(net))
        agreement = _agreement(recipe, task, net, folder)
        tested = measure_test(task, net, aside, reporter)
        figures = agreement if tested is None else tested.summary()
        metrics = {**figures, "parameters": sum(int(p.size) for p in net.parameters())}
        run.write_manifest(
            folder,
            "train",
            outputs=[RECIPE, BEST, kept.model.name, kept.params.name, *LABELS.values()],
            inputs=[files.model, files.params, *label_files(recipe, "test"), *([charset] if charset else [])],
            metrics=metrics,
            seed=recipe.seed,
            device=device,
            difference=difference,
            pictures={"train": learned, "eval": apart},
            source=summed(recipe.model.pictures, pictures),
            **measured_on(recipe, agreement),
            **intervals_of(tested, aside),
            seconds=round(time.monotonic() - began, 1),
        )
    return metrics


def _opened(recipe: Recipe) -> InferenceModel:
    """Return the recipe's model, held against the recipe."""
    files = imported.of_recipe(recipe, declared_spec(recipe).characters)
    if imported.is_quantized(files):
        raise PpedgeError(
            f"{files.model}: is quantized already; only a float model can be slimmed.",
            "Bring in the float model that it was made of, or convert this one as it is: `ppedge convert "
            "--from-inference`.",
        )
    return files


def _rewritten(recipe: Recipe, files: InferenceModel, x: np.ndarray, reporter: Reporter) -> Program:
    """Return a model's program after the exact rewrites that leave fewer operators between its convolutions.

    The convert stage makes them too, and the others; but channels are chosen, and learn, better without what they fold.
    """
    program = Program.read(files)
    if recipe.convert.rewrite == "none":
        return program

    program, _, steps = rewrite_checked(program, FOR_ONNX, runner([x], "fp32"), lambda tried: {})
    for step in steps:
        result = step.refused or f"largest difference {step.difference:.1e}"
        reporter.say(f"rewriting, {step.name}, {len(step.changes)} places: {result}")
    return program


def _require_equal(net: ImportedNetwork, files: InferenceModel, x: np.ndarray) -> float:
    """Return the largest difference between a network and Paddle's run of the program that was brought in.

    Raises:
        PpedgeError: It is too large, or the network takes one picture at a time only.
    """
    with open_engine("paddle", files.model) as engine, paddle.no_grad():
        wanted = engine.run([x])[0]
        try:
            found = net(paddle.to_tensor(np.concatenate([x, x[..., ::-1]]))).numpy()
        except (ValueError, RuntimeError) as error:
            raise PpedgeError(
                f"{files.model}: takes one picture at a time only, and training needs several.",
                "Export it with a free batch, or convert it as it is: `ppedge convert --from-inference`.",
            ) from error
    difference = float(np.abs(found[:1] - wanted).max()) if found.shape[1:] == wanted.shape[1:] else float("inf")
    if not difference <= EQUAL:
        raise PpedgeError(
            f"{files.model}: built as layers, its output differs by {difference:.1e} from Paddle's run of it.",
            "Convert it as it is: `ppedge convert --from-inference`.",
        )
    return difference


def _write_labels(
    recipe: Recipe,
    task: Task,
    net: ImportedNetwork,
    pictures: Sequence[Path],
    folder: Path,
    reporter: Reporter,
    *,
    skip_bad: bool,
) -> tuple[int, int]:
    """Write what the network says of the pictures; return how many it learns from, and how many are kept apart.

    Raises:
        PpedgeError: A picture is bad and ``skip_bad`` is not set, or the network has nothing to say of two.
    """
    with reporter.task("labelling", len(pictures)) as bar:
        found = label(NetEngine(net), task.spec, pictures, bar.advance)
    _require_good(found, recipe, skip_bad=skip_bad)
    if found.problems:
        reporter.say(f"left out {len(found.problems)} bad pictures: {found.problems[0]} first")
    if found.silent:
        reporter.say(f"left out {found.silent} pictures {_SILENT[recipe.task]}")
    learned, apart = kept_apart(found.lines, recipe.seed)
    for split, lines in (("train", learned), ("eval", apart)):
        write_lines(folder / LABELS[split], lines)
    reporter.say(f"{len(learned)} pictures to learn from, {len(apart)} kept apart to hold it against the original on")
    return len(learned), len(apart)


_SILENT = {
    "det": "in which the network finds no text",
    "rec": "in which the network reads no text",
    "cls": "that the network takes for lines upside down",
}


def _require_good(found: Labelled, recipe: Recipe, *, skip_bad: bool) -> None:
    if found.problems and not skip_bad:
        more = f", and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
        raise PpedgeError(f"{found.problems[0]}{more}.", "Leave bad pictures out with --skip-bad.")
    if len(found.lines) > 1:
        return
    assert isinstance(recipe.model, Imported)
    raise PpedgeError(
        f"{recipe.model.pictures}: leaves {len(found.lines)} pictures to slim on: {len(found.problems)} are bad, and "
        f"there are {found.silent} {_SILENT[recipe.task]}.",
        "Name pictures such as the network is for.",
    )


def _agreement(recipe: Recipe, task: Task, net: ImportedNetwork, folder: Path) -> dict[str, float]:
    """Return the metric of the network against its own labels: what slimming starts from."""
    made = {split: [folder.resolve() / name] for split, name in LABELS.items()}
    here = recipe.model_copy(update={"data": recipe.data.model_copy(update=made)})
    return task.evaluate(net, read_samples(here, "eval")[0])
