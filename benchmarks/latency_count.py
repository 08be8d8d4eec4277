"""Counts what one inference of a published benchmark's network costs on Paddle Lite's runtime, core by core.

The networks are those of Paddle's model zoo at 1x3x224x224 with random weights: cost does not depend on them. The
result goes into ``latency.json``, from which ``latency_fit.py`` fits the latency model. Needs the registered runtime
(``ppedge arm setup --lite DIR``); one network takes 10 s to 5 minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ppedge.engines import open_engine
from ppedge.storage import read_json, write_json
from ppedge.validate.latency import DATA, EMULATED

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "resnet50", "squeezenet1_1")
SHAPE = (1, 3, 224, 224)


def build(network: str) -> Any:
    """Return a network of ``paddle.vision.models`` with random weights."""
    import paddle
    from paddle.vision import models

    paddle.seed(0)
    net = getattr(models, network)(pretrained=False)
    if network == "mobilenet_v2":
        net.classifier = net.classifier[1]  # opt dies of the Dropout before the last layer, which costs nothing anyway
    return net


def export(network: str, precision: str, prefix: Path) -> None:
    """Export a network; for int8, quantized as the slim stage does it, with scales from random pictures."""
    import paddle

    from ppedge.convert.export import export_float, export_quantized
    from ppedge.slim.int8.pact import calibrate, quantize

    net = build(network)
    if precision == "fp32":
        export_float(net, prefix, "det")
        return
    random = np.random.default_rng(0)
    quantize(net)
    calibrate(net, [paddle.to_tensor(random.standard_normal((2, *SHAPE[1:]), dtype=np.float32)) for _ in range(2)])
    fresh = build(network)
    quantize(fresh)
    fresh.set_state_dict(net.state_dict())
    export_quantized(fresh, prefix, "det")


def count(network: str, precision: str) -> dict[str, Any]:
    """Return the size of a network's ``.nb`` file and its instructions by class on each core."""
    from ppedge.convert.lite import to_nb

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{network}.{precision}.nb"
        export(network, precision, path.with_suffix(""))
        to_nb(path.with_suffix(""), path, "int8" if precision == "int8" else "fp32")
        found["bytes"] = path.stat().st_size
        for cpu in EMULATED:
            with open_engine("arm-paddlelite", path, cpu=cpu, count=True) as engine:
                engine.run([np.ones(SHAPE, np.float32)])
                found[cpu] = getattr(engine, "last_counts")  # noqa: B009 - the protocol has it not
                found["runtime"] = getattr(engine, "runtime")  # noqa: B009
    return found


def main() -> None:
    """Count one network in one precision."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("precision", choices=("fp32", "int8"))
    parser.add_argument("--data", type=Path, default=DATA, help="the data file that takes the counts")
    options = parser.parse_args()
    found = count(options.network, options.precision)
    data = read_json(options.data)
    runtime = found.pop("runtime")
    if data["runtime"] != runtime:
        sys.exit(f"{options.data}: holds counts of {data['runtime']}, not of {runtime}; count all networks anew.")
    data["counts"][f"{options.network}.{options.precision}"] = found
    write_json(options.data, data)


if __name__ == "__main__":
    main()
