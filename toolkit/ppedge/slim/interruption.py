"""What an interrupted slim stage goes on from: the network as it was cut, kept in the stage's working folder.

What was measured to cut it is not repeated. The courses of training behind it have checkpoints of their own. A stage
that was not interrupted rebuilds the network from here too, so that both compute the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ppedge.errors import PpedgeError
from ppedge.models.network import Network
from ppedge.models.weights import state_of, write_pdparams
from ppedge.recipe.compare import require_same
from ppedge.recipe.io import load_recipe, save
from ppedge.recipe.road import Recipe
from ppedge.runs import MANIFEST, RECIPE, RESUMED_FROM, Run
from ppedge.slim.context import Findings, Stage
from ppedge.slim.network import rebuilt
from ppedge.slim.plan import Plan
from ppedge.storage import read_state, sha256, write_json
from ppedge.train.stage import stage_inputs

CUT = "cut"
STATE = RESUMED_FROM["slim"]
"""Written last: where it is, the rest is whole."""
NOT_THE_CUT = ("convert", "validate")
"""Keys of a recipe on which the network that was cut does not depend."""


@dataclass(kw_only=True)
class _Kept(Findings):
    of: str


def keep(stage: Stage, plan: Plan, net: Network) -> None:
    """Keep a network that was cut by a plan, and what the stage has found so far."""
    folder = stage.folder / CUT
    folder.mkdir(exist_ok=True)
    plan.save(folder / "plan.json")
    write_pdparams(folder / "weights.pdparams", state_of(net))
    save(stage.recipe, folder / RECIPE)
    write_json(stage.folder / STATE, {"of": _fingerprint(stage.recipe, stage.run), **asdict(stage.found)})


def kept_plan(stage: Stage) -> Plan | None:
    """Return the plan that an interrupted attempt had come to, with its findings in the stage; None if there is none.

    Raises:
        PpedgeError: It had other data or settings, or its files are damaged.
    """
    path = stage.folder / STATE
    if not path.is_file():
        return None
    state = read_state(path, _Kept, "what an interrupted slimming leaves", "Start anew with --force.")
    if state.of != _fingerprint(stage.recipe, stage.run):
        kept = path.parent / RECIPE
        if kept.is_file():
            then = load_recipe(kept)
            require_same(stage.recipe, then, str(path), "was written", "start anew with --force", NOT_THE_CUT)
        raise PpedgeError(
            f"{path}: was written for another training, other label files or another character set.",
            "Restore them, or start anew with --force.",
        )
    stage.found = Findings(**{one.name: getattr(state, one.name) for one in fields(Findings)})
    stage.reporter.say("going on with the network that the interrupted slimming had ready")
    return Plan.load(stage.folder / CUT / "plan.json")


def cut_network(stage: Stage, plan: Plan) -> Network:
    """Return the network that was cut by a plan, in eval mode, as `keep` kept it."""
    return rebuilt(stage.task, plan, stage.folder / CUT / "weights.pdparams")


def clear(folder: Path) -> None:
    """Remove what only an interrupted stage needs; what says that it is whole comes first."""
    (folder / STATE).unlink(missing_ok=True)
    for left in (folder / CUT, *folder.glob(".*")):
        shutil.rmtree(left, ignore_errors=True)


def slim_inputs(recipe: Recipe) -> list[Path]:
    """Return the files that slimming reads beside pictures; the weights that training began with are none of them."""
    pictures = recipe.slim.prune.arm.distill.pictures
    listed = [pictures] if recipe.slim.prune.method == "arm" and pictures is not None and pictures.is_file() else []
    return [*stage_inputs(recipe), *listed]


def _fingerprint(recipe: Recipe, run: Run) -> str:
    """Return a hash of all that the cut depends on."""
    everything = [
        recipe.model_dump(mode="json", exclude={"convert", "validate_"}),
        sha256(run.stage("train") / MANIFEST),
        [sha256(path) for path in slim_inputs(recipe)],
    ]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()
