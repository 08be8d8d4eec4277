"""``ppedge validate``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from ppedge.cli.main import emit
from ppedge.cli.options import Force, Json, RunFolder, SkipBad, run_and_recipe

app = typer.Typer(add_completion=False)


@app.command()
def validate(
    run: RunFolder = None,
    engine: Annotated[
        Literal["onnxruntime", "paddlelite"] | None, typer.Option(help="What runs the models on ARM.")
    ] = None,
    cpu: Annotated[str | None, typer.Option(help="cortex-a53, cortex-a76, or any core that QEMU knows.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Evaluation pictures (crops) to run.")] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Also show what quantizing costs each layer.")] = False,
    force: Force = False,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Run a converted run's models on an emulated ARM core and compare with the PC.

    Prints differences, the metric on both sides and ARM instructions per inference; a gate of the recipe that does not
    hold ends in exit code 1.
    """
    given = {"engine": engine, "cpu": cpu, "limit": limit}
    overrides = [f"validate.{key}={value}" for key, value in given.items() if value is not None]
    opened, recipe = run_and_recipe(run, overrides)

    from ppedge.progress import Reporter
    from ppedge.validate.stage import require_passed, run_validate

    report = run_validate(recipe, opened, force=force, skip_bad=skip_bad, layers=layers, reporter=Reporter())
    if as_json:
        emit(report)
    else:
        for line in report_lines(report):
            typer.echo(line)
    require_passed(report, opened.stage("validate"))


def report_lines(report: dict[str, Any]) -> list[str]:
    """Return a report as lines for a person."""
    from ppedge.validate import explain
    from ppedge.validate.gates import shown

    lines = []
    base = next((m["instructions"]["total"] for m in report["models"] if m["baseline"]), None)
    for model in report["models"]:
        total = model["instructions"]["total"]
        ratio = f" ({total / base:.3f} of the network before slimming)" if base and not model["baseline"] else ""
        shape = "x".join(map(str, model["input_shape"]))
        lines.append(f"{model['file']}: {total / 1e6:.1f} M instructions at {shape} on {report['cpu']}{ratio}")
        if model["baseline"]:
            continue
        lines.append(
            f"  {model['samples']} samples: largest difference {shown(model['max_difference'], 2)}, "
            f"mean {shown(model['mean_difference'], 2)}"
        )
        pairs = [f"{k} {v:.4f} -> {model['candidate_metrics'][k]:.4f}" for k, v in model["reference_metrics"].items()]
        lines.append(f"  {model['reference']} -> {model['candidate']}: {', '.join(pairs)}")
    lines += explain.lines(report)
    lines += [
        f"  gate {row['gate']} ({row['model']}): {shown(row['value'])} <= {row['limit']:.6g} "
        + ("passed" if row["passed"] else "FAILED")
        for row in report["gates"]
    ]
    return lines
