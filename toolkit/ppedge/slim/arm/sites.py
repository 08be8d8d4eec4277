"""Sites: channels of a traced network that least squares can take out, with the linear layers that read them.

Nothing but the network's program and one run of it is needed: a site is a pruning group all of whose readers can be
refitted. Two kinds of readers are not refitted: those that do not run in eval mode, and those that are given means over
the picture alone, as the first layer of squeeze-and-excitation is: what channels that go told it on average becomes
part of its bias.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from ppedge.slim.arm.readers import Places, Reader, reader_of
from ppedge.slim.channels.groups import Group, Traced
from ppedge.slim.channels.outlets import Outlet
from ppedge.slim.watch import watch
from ppedge.train.recorder import INPUT


@dataclass(frozen=True)
class Reading:
    """A layer that reads a site's channels.

    Attributes:
        layer: Its structured name.
        norm: The BatchNorm behind it that takes part in the fit, or None.
        total: The place where the sum of its output and another map is seen (``LAYER:input``), or None.
        channels: For each place of the group on its input axis (two where a concatenation has the group twice), the
            index of each of the group's channels.
        given: Shape of its input.
    """

    layer: str
    norm: str | None
    total: str | None
    channels: tuple[tuple[int, ...], ...]
    given: tuple[int, ...]

    @property
    def input(self) -> str:
        """The place where its input is seen."""
        return f"{self.layer}{INPUT}"

    @property
    def output(self) -> str:
        """The place where what is fitted is seen."""
        return self.norm or self.layer

    @property
    def places(self) -> list[str]:
        """All places to look at."""
        return [self.input, self.output, *([self.total] if self.total else [])]

    def reader(self, net: nn.Layer) -> Reader:
        """Return the layer of a network as least squares see it."""
        layers = dict(net.named_sublayers())
        found = reader_of(layers[self.layer], layers[self.norm] if self.norm else None, self.given)
        assert found is not None  # such a layer makes no site
        return found

    def rows(self, reader: Reader) -> Places:
        """Return by which inputs each of the group's channels is read: (channels, taps)."""
        return np.concatenate([reader.rows_of(channels) for channels in self.channels], axis=1)


@dataclass(frozen=True)
class Site:
    """Channels that may go.

    Attributes:
        name: Structured name of the layer that makes them, the first one if several do.
        group: The channels.
        readings: Of the layers that are refitted, in the order in which they run.
        squeezes: Of those whose bias is mended.
        layers: Structured names of all layers that lose a channel.
    """

    name: str
    group: Group
    readings: tuple[Reading, ...]
    squeezes: tuple[Reading, ...]
    layers: tuple[str, ...]

    @property
    def channels(self) -> int:
        """How many there are."""
        return self.group.channels

    @property
    def looked_at(self) -> set[str]:
        """Structured names of the layers at which its readings look."""
        return {place.removesuffix(INPUT) for reading in self.readings for place in reading.places}

    @property
    def touched(self) -> set[str]:
        """Structured names of all layers that are changed or looked at when it is cut."""
        return self.looked_at | set(self.layers) | {reading.layer for reading in self.squeezes}


@dataclass(frozen=True)
class Sites:
    """All of a network.

    Attributes:
        found: In the order in which their first readers run.
        left: Groups that are none, by the layer that makes their channels: why.
        pinned: Layers whose channels are in no group: something reads them that is not known.
    """

    found: tuple[Site, ...]
    left: dict[str, str]
    pinned: tuple[str, ...]


def find_sites(
    net: nn.Layer, traced: Traced, picture: paddle.Tensor, *, streams: bool = False, taken: Collection[str] = ()
) -> Sites:
    """Find a network's sites.

    Args:
        net: In eval mode, as it was traced: its layers have these names.
        traced: Of the same network.
        picture: An input (N, 3, H, W).
        streams: Take residual streams too: channels that are added to between layers that read them.
        taken: Names of layers, or of what holds them, that are replaced in another way; groups that meet them are not
            looked at.
    """
    finder = _Finder(net, traced, picture)
    found, left = {}, {}
    for group in traced.groups:
        layers = _layers(group)
        if any(f"{layer}.".startswith(f"{name}.") for layer in layers for name in taken):
            continue
        name = group.name.removesuffix(".weight")
        while name in found or name in left:  # a layer may make channels of several groups
            name += "'"
        site = finder.site(name, group, layers)
        if isinstance(site, str):
            left[name] = site
        elif not streams and finder.is_stream(site):
            left[name] = "its channels are a residual stream"
        else:
            found[name] = site
    order = list(traced.outlets)
    ordered = sorted(found.values(), key=lambda site: order.index(site.readings[0].layer))
    grouped = {member.name.rpartition(".")[0] for group in traced.groups for member in group.producers}
    mixing = [layer for layer in order if layer not in grouped and finder.mixes(layer)]
    return Sites(tuple(ordered), left, tuple(mixing))


class _Finder:
    def __init__(self, net: nn.Layer, traced: Traced, picture: paddle.Tensor) -> None:
        self._layers = dict(net.named_sublayers())
        self._outlets = traced.outlets
        self._order = {layer: number for number, layer in enumerate(traced.outlets)}
        readers = {layer for group in traced.groups for layer in self._members(group)}
        totals = {f"{o.total}{INPUT}" for layer, o in self._outlets.items() if layer in readers and o.total}
        places = {*(f"{layer}{INPUT}" for layer in readers), *readers, *totals}
        self._shapes = {place: tuple(value.shape) for place, value in watch(net, places, picture).items()}

    def _members(self, group: Group) -> dict[str, list[tuple[int, ...]]]:
        """Return the layers that read a group, and the channels' indices on their input axes."""
        found: dict[str, list[tuple[int, ...]]] = {}
        for name, axis, indices in group.members:
            layer, _, parameter = name.rpartition(".")
            if parameter == "weight" and axis == _input_axis(self._layers.get(layer)):
                found.setdefault(layer, []).append(indices)
        return found

    def site(self, name: str, group: Group, layers: tuple[str, ...]) -> Site | str:
        """Return a group's site, or why it is none."""
        readings, squeezes = [], []
        for layer, channels in self._members(group).items():
            if layer not in self._shapes:
                continue
            outlet = self._outlets[layer]
            if outlet.runs > 1:
                return f"{layer}, which reads it, runs {outlet.runs} times"
            reading = self._reading(outlet, channels)
            if _is_pooled(self._layers[layer], reading.given):
                squeezes.append(reading)
            elif reader_of(self._layers[layer], None, reading.given) is None:
                return f"{layer}, which reads it, cannot be refitted"
            else:
                readings.append(reading)
        if not readings:
            return "means over the picture alone are read of it" if squeezes else "nothing that runs reads it linearly"
        readings.sort(key=lambda reading: self._order[reading.layer])
        return Site(name, group, tuple(readings), tuple(squeezes), layers)

    def _reading(self, outlet: Outlet, channels: list[tuple[int, ...]]) -> Reading:
        given = self._shapes[f"{outlet.layer}{INPUT}"]
        norm = None if outlet.norm is None else self._layers[outlet.norm]
        reader = reader_of(self._layers[outlet.layer], norm, given)
        fitted = outlet.norm if reader is not None and reader.norm is not None else None
        total = f"{outlet.total}{INPUT}" if outlet.total and fitted == outlet.norm else None
        if total is not None and self._shapes.get(total) != self._shapes[outlet.layer]:
            total = None  # it does not run
        return Reading(outlet.layer, fitted, total, tuple(channels), given)

    def mixes(self, layer: str) -> bool:
        """Whether a layer makes channels of its own of those it reads."""
        return _input_axis(self._layers.get(layer)) is not None

    def is_stream(self, site: Site) -> bool:
        """Whether some of a site's channels are made behind a layer that reads them already."""
        first = self._order[site.readings[0].layer]
        return any(self._order[member.name.rpartition(".")[0]] >= first for member in site.group.producers)


def _layers(group: Group) -> tuple[str, ...]:
    return tuple(dict.fromkeys(member.name.rpartition(".")[0] for member in group.members))


def _input_axis(layer: nn.Layer | None) -> int | None:
    """Return the axis of a layer's weight that its inputs are on, if it reads all its channels together."""
    if isinstance(layer, nn.Linear | nn.Conv2DTranspose):
        return 0
    if isinstance(layer, nn.Conv2D) and layer._groups == 1:
        return 1
    return None


def _is_pooled(layer: nn.Layer, given: Sequence[int]) -> bool:
    """Whether a layer is given one value a channel and picture."""
    places = given[1:-1] if isinstance(layer, nn.Linear) else given[2:]
    return int(np.prod(places)) == 1
