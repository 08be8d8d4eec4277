"""The child process of train_step.py that holds PaddleOCR: ``paddleocr_step.py DIR CONFIG BATCH.npz``.

It builds network and loss of a PaddleOCR 2.x configuration, says how many weights it trains, and then takes a training
step for each line that it reads, answering with the step's loss and its seconds of wall and processor time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import ppedge  # noqa: F401  Before Paddle: ppedge/__init__.py says why.

import paddle  # isort: skip

import numpy as np
import yaml

LABELS = {
    "det": ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask"),
    "rec": ("label_ctc", "label_sar", "length", "filled"),
}


def set_classes(config: dict[str, Any], classes: int) -> None:
    """Tell a recogniser's heads and losses their classes, as PaddleOCR's trainer does it."""
    config["Architecture"]["Head"]["out_channels_list"] = {"CTCLabelDecode": classes, "SARLabelDecode": classes + 2}
    for term in config["Loss"]["loss_config_list"]:
        if "SARLoss" in term:
            term["SARLoss"] = {"ignore_index": classes + 1}


def main() -> None:
    folder, path, data = sys.argv[1:]
    sys.path.insert(0, folder)
    from ppocr.losses import build_loss
    from ppocr.modeling.architectures import build_model

    config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    arrays = np.load(data)
    paddle.set_device("cpu")
    paddle.seed(1)
    task = config["Architecture"]["model_type"]
    if task == "rec":
        set_classes(config, int(arrays["classes"]))
    net, loss = build_model(config["Architecture"]), build_loss(config["Loss"])
    net.train()
    batch = [paddle.to_tensor(arrays[name]) for name in ("image", *LABELS[task])]
    learning = [p for p in net.parameters() if not p.stop_gradient]
    l2 = paddle.regularizer.L2Decay(float(config["Optimizer"]["regularizer"]["factor"]))
    optimizer = paddle.optimizer.Adam(1e-3, parameters=learning, weight_decay=l2)
    print(sum(int(p.size) for p in learning), flush=True)
    for _ in sys.stdin:
        wall, used = time.perf_counter(), time.process_time()
        given = net(batch[0], data=batch[1:]) if task == "rec" else net(batch[0])
        total = loss(given, batch)["loss"].mean()
        total.backward()
        optimizer.step()
        optimizer.clear_grad()
        value = float(total)
        print(value, time.perf_counter() - wall, time.process_time() - used, flush=True)


if __name__ == "__main__":
    main()
