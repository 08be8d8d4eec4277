"""How far a network is from another one, beside its metrics."""

import numpy as np
import pytest

from ppedge.metrics.accuracy import measure
from ppedge.train.task import OUTPUT_ERROR, NetEngine, Task
from small import tiny_recipe


@pytest.mark.parametrize("task", ["det", "rec"])
def test_the_error_beside_an_original_is_that_of_the_outputs(task, det_data, rec_data):
    recipe = tiny_recipe(task, det_data if task == "det" else rec_data)
    work = Task(recipe)
    original = work.build()
    samples, _ = work.samples("eval")
    assert work.compare(original, original, samples) == {**work.evaluate(original, samples), OUTPUT_ERROR: 0.0}
    other = work.build()
    for parameter in other.parameters():
        parameter.set_value(parameter * 1.05)
    seen = {}

    class Noted(NetEngine):
        def run(self, inputs):
            found = super().run(inputs)
            seen.setdefault(self.net, []).extend(np.ravel(array) for array in found)
            return found

    for net in (original, other):
        measure(Noted(net), work.spec, samples, recipe.metric, ignore=recipe.metric_ignore)
    wanted, found = (np.concatenate(seen[net]).astype(np.float64) for net in (original, other))
    expected = np.mean((found - wanted) ** 2) / np.var(wanted)
    metrics = work.compare(other, original, samples)
    assert metrics[OUTPUT_ERROR] == pytest.approx(expected, rel=1e-4) and expected > 0
    assert {name: metrics[name] for name in metrics if name != OUTPUT_ERROR} == work.evaluate(other, samples)
    assert work.rank({"hmean": 0.1, OUTPUT_ERROR: 0.1}) > work.rank({"hmean": 0.9, OUTPUT_ERROR: 0.2})
