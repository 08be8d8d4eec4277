"""Makes the table of ``ppedge models`` and docs/models.md: what published and slimmed models cost and measure.

    .venv/bin/python benchmarks/models.py --work DIR --weights DIR --receipts DIR --plates DIR [--write]

Of each published model (``models_rows.py``) the weights are taken as they are, converted and priced by the cost table,
by calls of ``ppedge`` as a user makes them, and the exported program is measured on the data. Figures of fine-tuned
and slimmed models are those of the page that says how they were made. What is finished below ``--work`` is not done
again: an interrupted call goes on. ``--write`` writes toolkit/ppedge/catalog/models.json; afterwards
``docs/make_models.py`` writes the page.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_rows import MEASURED, PUBLISHED, SLIMMING_PAGE, WEIGHTS_PAGE, Measured, Published
from slim_compare import ppedge

from ppedge.artifacts import inference_model, nb, onnx
from ppedge.catalog.table import METRIC, PATH, Table, known_name
from ppedge.convert.rewriting import rewrite_in_place
from ppedge.cost.operators import CORES
from ppedge.cost.predicted import about
from ppedge.data.source import declared_spec, read_samples
from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.metrics.accuracy import evaluate
from ppedge.recipe.io import load_recipe
from ppedge.recipe.sizes import count_size
from ppedge.state import checked
from ppedge.storage import read_json, write_json

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
DATA = {
    "receipts": "scanned receipts, pictures of test.txt",
    "plates": "crops of Chinese licence plates; a plate's dot is ignored",
    "lines": "lines of the receipts of test.txt, as wide as they are; upper case letters and digits alone are compared",
}
SAMPLES = {"receipts": 40, "plates": 1000}
"""Of the data that figures of `WEIGHTS_PAGE` are of."""
DATA_OF = {"det": ("receipts",), "rec": ("plates", "lines")}
_HOW = {
    "receipts": ("data.eval=[test.txt]",),
    "plates": ("data.eval=[val.txt]", "data.labels=recognition", "metric=strict", "metric_ignore=·"),
    "lines": ("data.eval=[test.txt]", "data.labels=detection", "metric=upper_alnum", "rec_preprocess.max_width=2560"),
}
_ROOT = {"receipts": "receipts", "plates": "plates", "lines": "receipts"}
FOUND, FEW = "found.json", 2


@dataclass(frozen=True)
class Folders:
    """Where models are made and measured, and what of.

    Attributes:
        work: What is made; kept.
        weights: The ``.pdparams`` files.
        data: Of ``receipts`` and ``plates``.
    """

    work: Path
    weights: Path
    data: dict[str, Path]


class Row:
    """A published model, made and measured step by step; each figure is kept as soon as it is there."""

    def __init__(self, model: Published, folders: Folders) -> None:
        self.model, self.folders = model, folders
        self.run = folders.work / model.name / "run"
        self.kept = folders.work / model.name / FOUND
        self.found: dict[str, Any] = read_json(self.kept) if self.kept.is_file() else {}

    def measured(self, *, cost_alone: bool) -> dict[str, Any]:
        """Return the row as the table has it.

        Args:
            cost_alone: Of metrics take those that are there, and measure none.

        Raises:
            PpedgeError: A command failed.
        """
        if "cost" not in self.found:
            self._keep("cost", self._cost())
        for data in () if cost_alone else DATA_OF[self.model.task]:
            if data not in (*self.found, *self.model.known, *self.model.left_out):
                self._keep(data, self._metric(data))
        return self._row()

    def _keep(self, key: str, value: Any) -> None:
        self.found[key] = value
        write_json(self.kept, self.found)

    def _cost(self) -> dict[str, Any]:
        """Bring the model into a run, convert it, and return what its file costs."""
        shutil.rmtree(self.run.parent, ignore_errors=True)
        weights, root = self.folders.weights, self.folders.data["receipts"]
        if self.model.brought is None:
            bringing = self._bringing(str(weights / self.model.weights), str(root), self._few())
            ppedge("train", RECIPES / f"{self.model.recipe}.yml", "--out", self.run, *bringing, "--json")
            which = [str(self.run)]
        else:
            kind, path, *more = self.model.brought
            which = [kind, str(weights / path), *more, "--out", str(self.run)]
        measured = ["--format", "onnx"] if self.model.rewrite == "exact" else []
        formats = ("--format", "nb", *measured, "--precision", "fp32")
        ppedge("convert", *which, *formats, *self._rewrite, "--json")
        costs = ppedge("cost", self.run, "--precision", "fp32", "--predict", "--json")
        unknown = [cost["warning"] for cost in costs if cost["lower_bound"]]
        if unknown:
            raise PpedgeError(f"{self.model.name}: {unknown[0]}")
        return {
            "nb_bytes": (self.run / "convert" / nb(self.model.task, "fp32")).stat().st_size,
            "instructions": {cost["cpu"]: round(cost["instructions"]) for cost in costs},
        }

    def _few(self) -> Path:
        """Write a label file of a few pictures: a run has training data, even one that trains nothing."""
        few = self.run.parent / "few.txt"
        few.parent.mkdir(parents=True)
        labels = (self.folders.data["receipts"] / "test.txt").read_text(encoding="utf-8").splitlines()
        few.write_text("\n".join(labels[:FEW]) + "\n", encoding="utf-8")
        return few.absolute()

    @property
    def _rewrite(self) -> list[str]:
        return ["--rewrite", self.model.rewrite] if self.model.rewrite != "exact" else []

    def _bringing(self, weights: str, root: str, few: Path | None = None) -> list[str]:
        """Return the options of ``ppedge train`` that take weights as they are."""
        changes = [f"train.weights={weights}", "train.epochs=0", f"data.root={root}", "data.synth=null"]
        changes += ["data.labels=detection"] if self.model.task == "rec" else []
        changes += [f"data.train=[{few}]", f"data.eval=[{few}]"] if few else []
        return _set(*changes, *self.model.settings)

    def _metric(self, data: str) -> dict[str, Any]:
        """Return a metric on data, of what was exported: half the time of the network's layers one by one."""
        changes = (f"data.root={self.folders.data[_ROOT[data]]}", "data.synth=null", "data.test=[]", *_HOW[data])
        recipe = load_recipe(RECIPES / f"{self.model.recipe}.yml", list(changes))
        samples, _ = read_samples(recipe, "eval", skip_bad=False)
        if self.model.rewrite == "exact":
            name, path = "onnxruntime", self.run / "convert" / onnx(self.model.task, "fp32")
        else:  # of the ONNX file too GELU is exact
            name, path = "paddle", self._rewritten()
        with open_engine(name, path) as engine:
            spec, ignore = declared_spec(recipe), recipe.metric_ignore
            found = evaluate(engine, spec, samples, recipe.metric, ignore=ignore, batch_size=1)
        return {"value": round(found[METRIC[self.model.task]], 4), "samples": len(samples)}

    def _rewritten(self) -> Path:
        """Return the ``.pdmodel`` of the program as it is in the ``.nb``."""
        exported = [self.run / "convert" / name for name in inference_model(self.model.task, "fp32")]
        files = InferenceModel.at(self.run.parent / "rewritten")
        for source, target in zip(exported, (files.model, files.params), strict=True):
            shutil.copy2(source, target)
        rewrite_in_place(self.run.parent / "rewritten", self.model.rewrite)
        return files.model

    def _commands(self, run: str) -> list[str]:
        """Return what makes the file, as a user types it."""
        model = self.model
        if model.brought is not None:
            return [shlex.join(["ppedge", "convert", *model.brought, "--out", run, "--precision", "fp32"])]
        train = ["ppedge", "train", f"recipes/{model.recipe}.yml", "--out", run, *self._bringing(model.weights, "DIR")]
        convert = ["ppedge", "convert", run, "--precision", "fp32", *self._rewrite]
        taking = [f"ppedge weights {model.taking} --out {model.weights}"] if model.taking else []
        return [*taking, shlex.join(train), shlex.join(convert)]

    def _row(self) -> dict[str, Any]:
        model = self.model
        run = f"runs/{model.name}"
        metrics: dict[str, Any] = {}
        for data in DATA_OF[model.task]:
            if data in self.found:
                again = ["ppedge", "eval", run, *_set(f"data.root={_ROOT[data]}", *_HOW[data])]
                metrics[data] = {**self.found[data], "by": shlex.join(again)}
            elif data in model.known:
                metrics[data] = {"value": model.known[data], "samples": SAMPLES[data], "by": WEIGHTS_PAGE}
            else:
                metrics[data] = None
        return {
            "name": model.name,
            "title": model.title,
            "task": model.task,
            "form": "published" if model.rewrite == "exact" else "approximate",
            "recipe": model.recipe,
            "weights": model.weights,
            "source": model.source,
            "commands": self._commands(run),
            "precision": "fp32",
            "size": list(count_size(load_recipe(RECIPES / f"{model.recipe}.yml"))),
            **self.found["cost"],
            "counted": False,
            "cost_by": shlex.join(["ppedge", "cost", run, "--precision", "fp32", "--predict"]),
            "metrics": metrics,
            "note": model.note,
        }


def _set(*changes: str) -> list[str]:
    return [word for change in changes for word in ("--set", change)]


def taken(model: Measured) -> dict[str, Any]:
    """Return the row of a model whose figures stand on a page."""
    return {
        "name": model.name,
        "title": model.title,
        "task": model.task,
        "form": model.form,
        "recipe": model.recipe,
        "weights": None,
        "source": SLIMMING_PAGE,
        "commands": list(model.commands),
        "precision": model.precision,
        "size": list(model.size),
        "nb_bytes": model.nb_bytes,
        "instructions": dict(zip(CORES, (round(value * 1e6) for value in model.millions), strict=True)),
        "counted": True,
        "cost_by": SLIMMING_PAGE,
        "metrics": {
            data: found and {"value": found[0], "samples": found[1], "by": SLIMMING_PAGE}
            for data, found in model.metrics.items()
        },
        "note": model.note,
    }


def table(
    folders: Folders, names: Sequence[str], tell: Callable[[str], None], *, cost_alone: bool = False
) -> dict[str, Any]:
    """Return the table as its file holds it, with these models alone, or with all.

    Args:
        folders: Where models are made and measured.
        names: Of models; none: all.
        tell: Told which one is being made.
        cost_alone: Of metrics take those that are there, and measure none.

    Raises:
        PpedgeError: A command failed.
    """
    rows = []
    for model in (*PUBLISHED, *MEASURED):
        if names and model.name not in names:
            continue
        tell(f"models: {model.name}")
        rows.append(
            taken(model) if isinstance(model, Measured) else Row(model, folders).measured(cost_alone=cost_alone)
        )
    return {"schema": 1, "made_by": "benchmarks/models.py", "runtime": about()["runtime"], "data": DATA, "models": rows}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Make the table, and print or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="for runs; kept")
    parser.add_argument("--weights", type=Path, required=True, metavar="DIR", help="the .pdparams files")
    parser.add_argument("--receipts", type=Path, required=True, metavar="DIR", help="pictures with test.txt")
    parser.add_argument("--plates", type=Path, required=True, metavar="DIR", help="crops with val.txt")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these models, printed and not written")
    parser.add_argument("--cost-alone", action="store_true", help="measure nothing; take what is measured already")
    parser.add_argument("--write", action="store_true", help="write the table that ships with ppedge")
    options = parser.parse_args()
    data = {"receipts": options.receipts.absolute(), "plates": options.plates.absolute()}
    folders = Folders(options.work.absolute(), options.weights.absolute(), data)
    try:
        known = {model.name for model in (*PUBLISHED, *MEASURED)}
        for name in options.only:
            known_name(name, known)
        if options.only and options.write:
            raise PpedgeError("--write: the table has all models.", "Leave --only out.")
        made = table(folders, options.only, _tell, cost_alone=options.cost_alone)
        checked(Table, made, "the table", "a table of models", "Correct benchmarks/models_rows.py.")
    except PpedgeError as error:
        print(f"models: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    if options.write:
        write_json(PATH, made)
        return
    print(json.dumps(made, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
