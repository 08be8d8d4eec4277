"""The characters that a recipe's metric ignores, where a network is measured."""

from ppedge.train.task import Task
from small import tiny_recipe


def test_training_and_slimming_measure_without_the_characters_that_the_recipe_ignores(rec_data):
    """With all characters ignored nothing is left to be read wrong."""
    recipe = tiny_recipe("rec", rec_data)
    task = Task(recipe)
    net, samples = task.build(), task.samples("eval")[0]
    assert task.evaluate(net, samples)["exact"] < 1
    everything = Task(recipe.model_copy(update={"metric_ignore": "".join(task.charset.characters)}))
    assert everything.evaluate(net, samples) == {"exact": 1.0, "ned": 1.0}
