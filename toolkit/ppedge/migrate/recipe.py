"""The whole: a configuration, section by section, as a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml

from ppedge.errors import PpedgeError, printable
from ppedge.migrate.architecture import networks_of
from ppedge.migrate.config import Config, Finding, Verdict, read_config
from ppedge.migrate.data import pictures_of
from ppedge.migrate.losses import losses_of, sums_over_batch
from ppedge.migrate.source import Source, written
from ppedge.migrate.training import training_of
from ppedge.recipe.io import make_recipe
from ppedge.recipe.road import SCHEMA

_POSTPROCESS = {
    "thresh": "thresh",
    "box_thresh": "box_thresh",
    "max_candidates": "max_candidates",
    "unclip_ratio": "unclip_ratio",
    "use_dilation": "dilation",
    "score_mode": "score_mode",
}
_OF_POSTPROCESS = {
    "name": "the task says it",
    "model_name": "the network that ships is measured",
    "key": "the network that ships is measured",
    "multi_head": "CTC is what ships",
    "box_type": "boxes are quads",
}
_OF_METRIC = {
    "name": "the task says it",
    "base_metric_name": "the task says it",
    "main_indicator": "the best weights are those with the best hmean, or the best accuracy",
    "key": "the network that ships is measured",
}
_WITHOUT_EFFECT = {
    "profiler_options": "it is of the log",
    "wandb": "it is of the log",
}
_SECTIONS = ("Global", "Architecture", "Loss", "Optimizer", "PostProcess", "Metric", "Train", "Eval")


@dataclass(frozen=True)
class Migration:
    """What became of a configuration.

    Attributes:
        recipe: The recipe's keys, as YAML holds them.
        findings: What became of each key, by line.
        problem: Why the recipe is none that ppedge reads as it stands; None if it is one.
    """

    recipe: dict[str, Any]
    findings: list[Finding]
    problem: PpedgeError | None

    @property
    def summary(self) -> str:
        """How many keys became what, in one line."""
        return ", ".join(
            f"{sum(one.verdict == verdict for one in self.findings)} {verdict}" for verdict in get_args(Verdict)
        )

    @property
    def otherwise(self) -> list[Finding]:
        """What became of the keys that the recipe says otherwise, or cannot say."""
        return [one for one in self.findings if one.verdict in ("changed", "left out")]

    def text(self, origin: str) -> str:
        """Return the recipe as a file, which says at its head what was changed and what was left out.

        Args:
            origin: The configuration's name.
        """
        head = [f"From {origin}, a configuration of PaddleOCR, by `ppedge recipe from-paddleocr`."]
        head += [f"{one.verdict}: {one.key}: {one.sentence}" for one in self.otherwise]
        body = yaml.safe_dump(self.recipe, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
        return "".join(f"# {printable(line)}\n" for line in head) + body


def migrate(path: Path, overrides: Sequence[str] = ()) -> Migration:
    """Turn a configuration of PaddleOCR 2.x into a recipe.

    Args:
        path: Of the configuration.
        overrides: ``Section.key=value`` each, as PaddleOCR's ``-o`` takes them.

    Raises:
        PpedgeError: It is no such configuration, or of a network, loss or data set that ppedge has not.
    """
    config = read_config(path, overrides)
    if "Architecture" not in config.value:
        raise PpedgeError(
            f"{path}: not a configuration of PaddleOCR 2.x: it has no section Architecture.",
            "Name one of PaddleOCR's configs/.",
        )
    whole = Source(config, (), config.value)
    recipe = _recipe(config, {name: whole.section(name) for name in _SECTIONS})
    whole.close(_WITHOUT_EFFECT)
    problem = None
    try:
        make_recipe(recipe, path)
    except PpedgeError as error:
        problem = error
    findings = sorted(config.findings, key=lambda finding: finding.line or 0)
    return Migration(recipe, findings, problem)


def _recipe(config: Config, sections: Mapping[str, Source]) -> dict[str, Any]:
    networks = networks_of(sections["Architecture"])
    sections["Architecture"].close()
    pictures = pictures_of(sections["Train"], sections["Eval"], sections["Global"], networks.task)
    losses = losses_of(sections["Loss"], networks)
    summed = pictures.train.get("batch_size") if sums_over_batch(losses) else None
    train = training_of(sections["Global"], sections["Optimizer"], networks, summed if isinstance(summed, int) else 1)
    train |= pictures.train
    if networks.peers:
        train["peers"] = networks.peers
    if networks.net.guides:
        train["guides"] = networks.net.guides
    train["losses"] = losses
    return {
        "schema": SCHEMA,
        "name": _name(config.path),
        "task": networks.task,
        "data": pictures.data,
        "model": networks.net.model,
        **pictures.sections,
        **_postprocess(sections["PostProcess"], networks.task),
        **_metric(sections["Metric"], networks.task),
        "train": train,
    }


def _name(path: Path) -> str:
    """Return a recipe's name: that of the file, with what a name may not have replaced."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem).lstrip("_.-") or "recipe"


def _postprocess(source: Source, task: str) -> dict[str, Any]:
    section = {}
    if task == "det":
        for theirs, ours in _POSTPROCESS.items():
            if theirs in source:
                section[ours] = source.value(theirs)
                source.taken(theirs, f"det_postprocess.{ours}: {written(section[ours])}")
    source.close(_OF_POSTPROCESS)
    return {"det_postprocess": section} if section else {}


def _metric(source: Source, task: str) -> dict[str, Any]:
    """Return how a recogniser's texts are compared; PaddleOCR leaves spaces out unless it is told otherwise."""
    if task != "rec":
        source.close(_OF_METRIC)
        return {}
    if source.value("is_filter", False):
        metric = "upper_alnum"
        source.changed("is_filter", "metric: upper_alnum, letters and digits in upper case")
        source.not_needed("ignore_space", "spaces are left out with all that is no letter or digit")
    else:
        metric = "ignore_space" if source.value("ignore_space", True) else "strict"
        source.taken("ignore_space", f"metric: {metric}")
        source.not_needed("is_filter", "it is off")
    source.close(_OF_METRIC)
    return {"metric": metric}
