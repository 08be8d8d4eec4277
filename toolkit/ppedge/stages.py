"""The stages as Python functions: what the commands of the same names do, without what those print of the results.

    from ppedge import stages

    run = stages.train("recipe.yml", changes=["train.epochs=2"])
    stages.slim(run, changes=["slim.prune.method=fpgm", "slim.quant.method=pact"])
    stages.convert(run)
    stages.validate(run)
    print(run.manifest("slim")["metrics"], stages.report(run))

Each tells its progress on standard error, leaves its files and a manifest in the run's folder, and raises the error
that the command ends in, a `PpedgeError`; a `GateError` is one, raised when the files are written. ``changes`` of the
recipe are written as ``--set`` takes them. `train` and `slim` import Paddle; `convert` and `validate` start it in
processes of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ppedge.data.kept import kept_recipe
from ppedge.errors import AGAIN, Interrupted
from ppedge.recipe.io import load_recipe
from ppedge.runs import RUNS, Run, open_run
from ppedge.signals import import_paddle

if TYPE_CHECKING:
    from ppedge.progress import Reporter
    from ppedge.recipe.road import Recipe


def train(
    recipe: str | Path,
    *,
    out: str | Path | None = None,
    changes: Sequence[str] = (),
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    skip_bad: bool = False,
    tensorboard: bool = False,
) -> Run:
    """Train a network by a recipe, in this process, and return its run.

    Args:
        recipe: The YAML file.
        out: The run's folder; by default ``runs/`` and the recipe's name.
        changes: Of the recipe, ``key=value`` each.
        device: ``auto``, ``cpu`` or ``gpu:N``.
        resume: Go on where an interrupted training stopped.
        force: Replace an earlier result.
        skip_bad: Leave bad labels and pictures out instead of refusing.
        tensorboard: Write event files for TensorBoard, too.

    Raises:
        PpedgeError: The recipe or its data are wrong, or there is a result and no ``force``.
        MissingError: Paddle is not installed, or what writes event files.
        Interrupted: By Ctrl-C; a checkpoint is kept.
    """
    loaded = load_recipe(Path(recipe), changes)
    run = Run(Path(out) if out is not None else RUNS / loaded.name)
    perform(
        "train", loaded, run, device=device, resume=resume, force=force, skip_bad=skip_bad, tensorboard=tensorboard,
        reporter=_reporter(),
    )  # fmt: skip
    return run


def slim(
    run: Run | str | Path,
    *,
    changes: Sequence[str] = (),
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    skip_bad: bool = False,
) -> Run:
    """Prune a trained run's network and make it 8 bit, by the recipe's section ``slim``; the arguments are `train`'s.

    Raises:
        PpedgeError: As `train`.
        GateError: The metric fell by more than ``slim.max_metric_drop``; the files are kept.
    """
    opened, recipe = _opened(run, changes)
    perform("slim", recipe, opened, device=device, resume=resume, force=force, skip_bad=skip_bad, reporter=_reporter())

    from ppedge.slim.stage import require_kept  # after Paddle, as all that needs it

    require_kept(opened)
    return opened


def convert(run: Run | str | Path, *, changes: Sequence[str] = (), force: bool = False) -> Run:
    """Write a run's ``.nb`` and ONNX files, by the recipe's section ``convert``; the arguments are `train`'s.

    Raises:
        PpedgeError: As `train`, or a file does not compute what the network does.
    """
    from ppedge.convert.stage import run_convert

    opened, recipe = _opened(run, changes)
    run_convert(recipe, opened, keep=kept_recipe(opened), force=force, say=_reporter().say)
    return opened


def validate(run: Run | str | Path, *, changes: Sequence[str] = (), force: bool = False, skip_bad: bool = False) -> Run:
    """Run a converted run's files on an emulated ARM core and compare with the PC; the arguments are `train`'s.

    Raises:
        PpedgeError: As `train`.
        GateError: A gate of ``validate.gates`` does not hold; report.json and its page are written.
    """
    from ppedge.validate.stage import require_passed, run_validate

    opened, recipe = _opened(run, changes)
    found = run_validate(recipe, opened, force=force, skip_bad=skip_bad, reporter=_reporter())
    require_passed(found, opened.stage("validate"))
    return opened


def report(run: Run | str | Path) -> Path:
    """Write the page on a run, as ``ppedge report`` does, and return its path.

    Raises:
        PpedgeError: No stage of the run is done, or a file of one is damaged.
    """
    from ppedge.report.page import write_report

    return write_report(_opened(run, ())[0])


def _opened(run: Run | str | Path, changes: Sequence[str]) -> tuple[Run, Recipe]:
    opened = open_run(run.path if isinstance(run, Run) else Path(run))
    return opened, kept_recipe(opened, changes)


def _reporter() -> Reporter:
    from ppedge.progress import Reporter

    return Reporter()


def go_on(recipe: Recipe, run: Run, *, device: str, force: bool, skip_bad: bool, reporter: Reporter) -> None:
    """Run the stages that are not done, or that rest on results or files which have been replaced since."""
    from ppedge.convert.lite import require_opt

    _same_recipe(recipe, run, force)
    redo = force
    for stage in recipe.stages:
        if not redo and run.done(stage) and run.fresh(stage) and _same_settings(stage, recipe, run):
            changed = _changed(stage, recipe, run)
            if changed is None:
                continue
            reporter.say(changed)
        redo = True
        if stage != "validate" and "nb" in recipe.convert.formats:
            require_opt()  # hours of training later would be late
        reporter.say(f"== {recipe.name}: {stage}")
        again = force or run.done(stage)
        try:
            resume = run.partial(stage).is_dir() and not again
            perform(stage, recipe, run, device=device, resume=resume, force=again, skip_bad=skip_bad, reporter=reporter)
        except Interrupted as error:
            # Here is no --resume: what has no earlier result goes on by itself.
            hint = AGAIN if again else "Repeat the command: it goes on from there."
            raise Interrupted(error.message, hint) from error


def _changed(stage: str, recipe: Recipe, run: Run) -> str | None:
    """Return why a stage that is done is repeated, in a sentence: it has read what is something else now."""
    from ppedge.brought.pictures import changed_pictures

    changed = run.changed_input(stage)
    if changed is not None:
        return f"{changed}: has changed since the stage {stage} read it, which is repeated"
    others = changed_pictures(recipe, run) if stage == "train" else None
    return None if others is None else f"{run.path}: was started with other {others}: the stage train is repeated"


def _same_settings(stage: str, recipe: Recipe, run: Run) -> bool:
    """Whether a stage that can be repeated by itself was last run with the recipe's settings."""
    settings = run.manifest(stage).get("settings")
    return settings is None or settings == recipe.model_dump(mode="json", by_alias=True)[stage]


def perform(
    stage: str,
    recipe: Recipe,
    run: Run,
    *,
    device: str,
    resume: bool,
    force: bool,
    skip_bad: bool,
    tensorboard: bool = False,
    reporter: Reporter,
) -> None:
    """Run one stage of a run by a recipe, whatever else is done; ``tensorboard`` is `train`'s.

    Raises:
        PpedgeError: As the stage's function.
    """
    if stage in ("train", "slim"):
        import_paddle()  # first of all: the modules below import it, in an order of their own

        from ppedge.brought.stage import run_bring_in
        from ppedge.cost.network import arm_counter, arm_pricer
        from ppedge.slim.stage import run_slim
        from ppedge.train.device import set_device
        from ppedge.train.stage import run_train

        used = set_device(device)
        if stage == "train" and recipe.brought_in:
            run_bring_in(recipe, run, device=used, force=force, skip_bad=skip_bad, reporter=reporter)
        elif stage == "train":
            run_train(
                recipe, run, device=used, resume=resume, force=force, skip_bad=skip_bad, tensorboard=tensorboard,
                reporter=reporter,
            )  # fmt: skip
        else:
            run_slim(
                recipe, run, device=used, count=arm_counter(recipe), price=arm_pricer(recipe), resume=resume,
                force=force, skip_bad=skip_bad, reporter=reporter,
            )  # fmt: skip
    elif stage == "convert":
        from ppedge.convert.stage import run_convert

        run_convert(recipe, run, force=force, say=reporter.say)
    else:
        from ppedge.validate.stage import run_validate

        run_validate(recipe, run, force=force, skip_bad=skip_bad, reporter=reporter)


def _same_recipe(recipe: Recipe, run: Run, force: bool) -> None:
    """Refuse to mix results of two recipes in one folder.

    Raises:
        PpedgeError: The run was started with another recipe.
    """
    from ppedge.recipe.compare import require_same

    if run.recipe_path.is_file() and not force:
        other_way = "start anew with --force, or name another folder with --out"
        require_same(recipe, kept_recipe(run), str(run.path), "was started", other_way)
