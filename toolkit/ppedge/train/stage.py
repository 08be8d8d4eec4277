"""The train stage: from a recipe to ``train/best.pdparams``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, get_args

import paddle

from ppedge.data.characters import charset_file
from ppedge.data.dataset import RecDataset
from ppedge.data.samples import pictures_of
from ppedge.data.shared import say_shared
from ppedge.data.source import Split, label_files, reporting_split, say_what_chose
from ppedge.errors import PpedgeError
from ppedge.metrics.few import few_of, figures_of
from ppedge.metrics.scores import Metric
from ppedge.progress import Reporter
from ppedge.recipe.compare import require_same
from ppedge.recipe.io import load_recipe, save
from ppedge.recipe.road import Recipe
from ppedge.runs import RECIPE, Run
from ppedge.train.centers import start_centers
from ppedge.train.columns import require_columns
from ppedge.train.course import BEST, LAST, METRICS, Course
from ppedge.train.events import FOLDER, events, require_writer
from ppedge.train.loop import fit
from ppedge.train.start import start_weights
from ppedge.train.task import Task
from ppedge.train.trainees.build import build_trainee

NOT_THE_COURSE = ("slim", "convert", "validate", "train.workers", "train.checkpoint_every", "train.weights_check")
"""Keys of a recipe on which the steps of a training do not depend."""


def run_train(
    recipe: Recipe,
    run: Run,
    *,
    device: str,
    resume: bool = False,
    force: bool = False,
    skip_bad: bool = False,
    tensorboard: bool = False,
    reporter: Reporter,
) -> dict[str, Any]:
    """Train and return the stage's metrics, measured on ``data.test`` where there is one.

    The weights are chosen on ``data.eval`` alone.

    Args:
        recipe: What to train.
        run: Where results go.
        device: For the manifest; the caller has set it.
        resume: Go on from the checkpoint of an interrupted attempt; of a finished training, say so and do nothing.
        force: Replace an earlier result or attempt.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        tensorboard: Write event files too; see `ppedge.train.events`.
        reporter: Progress.

    Raises:
        MissingError: There is nothing to write event files with.
        PpedgeError: Bad data or weights, an earlier result without ``force``, a checkpoint of other settings, or an
            interruption.
    """
    began = time.monotonic()
    _check_attempt(recipe, run, resume=resume, force=force)
    if resume and not force and run.nothing_left("train"):
        _require_trained_so(recipe, run)
        reporter.say(f"{run.stage('train')}: the training is finished, nothing is left to do")
        return dict(run.manifest("train")["metrics"])
    check_files(recipe)
    if tensorboard:
        require_writer()
    task = Task(recipe)
    train, skipped = task.samples("train", skip_bad=skip_bad, reporter=reporter)
    evaluation, skipped_eval = task.samples("eval", skip_bad=skip_bad, reporter=reporter)
    aside = read_test(task, reporter, skip_bad=skip_bad)
    measuring: dict[Split, Sequence[Any]] = {"eval": evaluation, "test": aside or ()}
    for split, measured in measuring.items():
        say_shared(reporter.say, split, measured, pictures_of(train))
    if skipped + skipped_eval:
        reporter.say(f"left out {skipped} bad training samples and {skipped_eval} bad evaluation samples")
    net = task.build()
    start_weights(net, task, reporter)
    first = paddle.distributed.get_rank() == 0
    # Of several processes, the first alone puts results in place.
    place = run.writing("train", force=force, resume=resume) if first else nullcontext(run.partial("train"))
    logging = events(run.path / FOLDER) if tensorboard and first else nullcontext(lambda entry: None)
    with place as folder, logging as log:
        if resume and not (folder / LAST).is_file():
            reporter.say(f"{run.path}: no checkpoint of an interrupted training to go on from: it starts anew")
        if first:
            save(recipe, folder / RECIPE)
        trainee = build_trainee(task, net, reporter.say)
        if isinstance(dataset := task.dataset(train, longest=trainee.longest_text), RecDataset):
            require_columns(task, trainee, dataset, reporter.say)
            start_centers(task, trainee, train, reporter.say, resumes=resume and (folder / LAST).is_file())
        course = Course(
            "train", trainee, task, recipe.train, train, evaluation, folder,
            workers=recipe.train.workers, heights=recipe.train.heights, amp=recipe.train.amp and device != "cpu",
            resume=resume, evaluate_first=recipe.train.weights is not None, reporter=reporter, log=log,
        )  # fmt: skip
        result = fit(course)
        if not first:
            return result.best
        parameters = sum(int(p.size) for p in net.parameters())
        say_what_chose(reporter.say_once, recipe)
        tested = measure_test(task, net, aside, reporter)
        metrics = {**(result.best if tested is None else tested.summary()), "parameters": parameters}
        run.write_manifest(
            folder,
            "train",
            outputs=[RECIPE, BEST, METRICS] + ([LAST] if (folder / LAST).is_file() else []),
            inputs=[*stage_inputs(recipe), *weight_files(recipe).values()],
            metrics=metrics,
            seed=recipe.seed,
            device=device,
            steps=result.steps,
            skipped=skipped,
            **measured_on(recipe, result.best),
            **intervals_of(tested, aside),
            seconds=round(time.monotonic() - began, 1),
        )
    return metrics


def _check_attempt(recipe: Recipe, run: Run, *, resume: bool, force: bool) -> None:
    """Look at what an interrupted attempt has left.

    Raises:
        PpedgeError: There is something, and nothing is said of it; or it was begun with other settings.
    """
    checkpoint = run.partial("train") / LAST
    if run.interrupted("train") and not (resume or force):
        raise PpedgeError(
            f"{checkpoint}: an interrupted training lies there.", "Go on with --resume, or start anew with --force."
        )
    if resume and checkpoint.is_file() and (checkpoint.parent / RECIPE).is_file():
        then = load_recipe(checkpoint.parent / RECIPE)
        require_same(recipe, then, str(checkpoint), "was written", "start anew with --force", NOT_THE_COURSE)


def _require_trained_so(recipe: Recipe, run: Run) -> None:
    """Check that a finished training is the one that would go on.

    Raises:
        PpedgeError: It had other settings, or has read what is something else now.
    """
    other_way = "start anew with --force, or name another folder with --out"
    then = load_recipe(run.stage("train") / RECIPE)
    require_same(recipe, then, str(run.path), "was trained", other_way, NOT_THE_COURSE)
    changed = run.changed_input("train")
    if changed is not None:
        raise PpedgeError(f"{run.path}: was trained with another {changed}.", f"Restore it, or {other_way}.")


def read_test(task: Task, reporter: Reporter, *, skip_bad: bool) -> Sequence[Any] | None:
    """Return the samples that only report; None if the recipe keeps none aside.

    Raises:
        PpedgeError: A label or picture is bad and ``skip_bad`` is not set, or nothing is left.
    """
    if reporting_split(task.recipe) != "test":
        return None
    samples, skipped = task.samples("test", skip_bad=skip_bad, reporter=reporter)
    if skipped:
        reporter.say(f"left out {skipped} bad test samples")
    return samples


def measure_test(task: Task, net: paddle.nn.Layer, samples: Sequence[Any] | None, reporter: Reporter) -> Metric | None:
    """Measure a network on the samples that only report, as `read_test` gives them, and say if they are few."""
    if samples is None:
        return None
    metric = task.measure(net, samples)
    if sentence := few_of(task.recipe.task, "test", metric, samples):
        reporter.say_once(sentence)
    return metric


def measured_on(recipe: Recipe, chosen_by: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of its metrics: where they were measured, and what chose, if that is something else.

    Args:
        recipe: The recipe.
        chosen_by: The metrics on ``data.eval``.
    """
    split = reporting_split(recipe)
    return {"measured_on": split} | ({"chosen_by": dict(chosen_by)} if split == "test" else {})


def intervals_of(metric: Metric | None, samples: Sequence[Any] | None) -> dict[str, Any]:
    """Return what a manifest says of how sure its metrics are, where they are of pictures that only report."""
    if metric is None or samples is None:
        return {}
    return {"intervals": {name: [figure.low, figure.high] for name, figure in figures_of(metric, samples).items()}}


def check_files(recipe: Recipe) -> None:
    """Look for what the recipe names before any long work starts.

    Raises:
        PpedgeError: Names the key and the file that is missing.
    """
    if recipe.data.synth is None and not recipe.data.root.is_dir():
        raise PpedgeError(f"{recipe.name}: data.root: {recipe.data.root}: no such folder.", "Use --set data.root=DIR.")
    for key, path in weight_files(recipe).items():
        if not path.is_file():
            raise PpedgeError(f"{recipe.name}: {key}: {path}: no such file.", f"Use --set {key}=FILE.")


def weight_files(recipe: Recipe) -> dict[str, Path]:
    """Return the files of weights that training starts from, by key of the recipe."""
    train = recipe.train
    files = {"train.weights": train.weights, "train.backbone_weights": train.backbone_weights}
    for name, peer in train.peers.items():
        place = f"train.peers.{name}"
        files |= {f"{place}.weights": peer.weights, f"{place}.backbone_weights": peer.backbone_weights}
    return {key: path for key, path in files.items() if path is not None}


def stage_inputs(recipe: Recipe) -> list[Path]:
    """Return the files that stages with data read beside pictures: label files, and a character set of one's own."""
    labels = [path for split in get_args(Split) for path in label_files(recipe, split)]
    charset = charset_file(recipe)
    return labels if charset is None else [*labels, charset]
