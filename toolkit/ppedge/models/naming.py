"""The network's own names of weights that files have under Paddle's running numbers."""

from __future__ import annotations

import paddle

_WRAPPED = "._layer."  # where Paddle puts a quantized layer


def layer_names(net: paddle.nn.Layer) -> dict[str, str]:
    """Return the name of the layer that each parameter belongs to, by the parameter's running number."""
    found = {}
    for name, parameter in net.named_parameters():
        found[parameter.name] = name.replace(_WRAPPED, ".").rpartition(".")[0]
    return found
