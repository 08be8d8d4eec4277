"""Closed-form reduction of a network: the channels of its sites cut, and what reads them refitted.

Site by site, from the picture on: the channels that the others replace best are taken out, and each layer that reads
them is fitted by least squares to what the original network's layer gives, from what the slimmed network's layer is
given. Where another map is added to what it gives, the sum is what is fitted to. So a site also mends, as far as it
can, what those before it have lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import nn

from ppedge.slim.arm.elimination import Fitted, eliminate
from ppedge.slim.arm.least_squares import Moments, fit
from ppedge.slim.arm.readers import Reader
from ppedge.slim.arm.sites import Reading, Site
from ppedge.slim.channels.groups import Group
from ppedge.slim.channels.sensitivity import silence
from ppedge.slim.resuming import Resumed
from ppedge.slim.watch import arrays

POSITIONS = 2048
"""Of each picture's map at most, at random: neighbours say nearly the same."""
ROWS = 72 * POSITIONS
"""Of all pictures together."""
FEWEST = 8
"""A site keeps no less than this part of its channels."""


@dataclass(frozen=True)
class Reduction:
    """What was done to a site.

    Attributes:
        site: The site.
        kept: Channels that stay, ascending.
        error: Squared error of what its readers give against the original's, relative to its variance: mean over their
            outputs, sum over the readers.
        error_before: The same with all channels.
    """

    site: Site
    kept: tuple[int, ...]
    error: float
    error_before: float

    @property
    def cut(self) -> bool:
        """Whether channels went."""
        return len(self.kept) < self.site.channels


def reduce_sites(
    student: nn.Layer,
    teacher: nn.Layer,
    sites: Sequence[Site],
    pictures: Sequence[paddle.Tensor],
    tolerance: float,
    *,
    counts: Mapping[str, int] | None = None,
    multiple: int = 8,
    exclude: Sequence[str] = (),
    advance: Callable[[], None] = lambda: None,
) -> list[Reduction]:
    """Cut the channels of sites.

    Channels that go are silenced: the network's shapes are as before, and cutting the groups of `kept_groups` leaves
    its outputs as they are.

    Args:
        student: A copy of the teacher, in eval mode; changed in place.
        teacher: The original network, in eval mode.
        sites: Of the network.
        pictures: Inputs (N, 3, H, W) from the user's own pictures; no labels are needed.
        tolerance: A site's error stays below this.
        counts: Channels to keep by site, whatever the error, one of those of `site_errors`; a site that is not named is
            left as it is. None: by the tolerance.
        multiple: Counts of channels are multiples of this.
        exclude: Starts of names of sites that are left as they are.
        advance: Called after each site.
    """
    reports: list[Reduction] = []
    work = _Work(student, teacher, pictures)
    for number, site in enumerate(sites):
        work.resume(sites[number:])
        if not site.name.startswith(tuple(exclude)) and (counts is None or site.name in counts):
            lossy = any(report.cut for report in reports)
            count = None if counts is None else counts[site.name]
            reports.append(work.reduce(site, tolerance, count, multiple, mend=lossy))
        advance()
    return reports


def site_errors(
    teacher: nn.Layer,
    sites: Sequence[Site],
    pictures: Sequence[paddle.Tensor],
    *,
    multiple: int = 8,
    exclude: Sequence[str] = (),
    advance: Callable[[], None] = lambda: None,
) -> dict[str, dict[int, list[float]]]:
    """Return how far off what each site's readers give is at each count of channels, all sites before it being whole.

    Args:
        teacher: The original network, in eval mode.
        sites: Of the network.
        pictures: Inputs (N, 3, H, W).
        multiple: Counts are multiples of this; a site's own count is there too.
        exclude: Starts of names of sites that are left out.
        advance: Called after each site.

    Returns:
        By site and kept count, the error by reader.
    """
    chosen = [site for site in sites if not site.name.startswith(tuple(exclude))]
    work, errors = _Work(teacher, teacher, pictures), {}
    found = work.gather([reading for site in chosen for reading in site.readings])
    for site in chosen:
        fitted = [found[reading].fitted(reading) for reading in site.readings]
        left = eliminate(fitted, multiple, _fewest(site, multiple))
        errors[site.name] = {count: elimination.errors for count, elimination in left.items()}
        advance()
    return errors


def kept_groups(reports: Sequence[Reduction]) -> dict[Group, list[int]]:
    """Return the kept channels by group, for `ppedge.slim.plan.Plan.from_groups`."""
    return {report.site.group: list(report.kept) for report in reports if report.cut}


def _fewest(site: Site, multiple: int) -> int:
    return site.channels // FEWEST // multiple * multiple


@dataclass
class _Gathered:
    """What a reader reads and should give."""

    reader: Reader
    moments: Moments
    totals: Moments

    def fitted(self, reading: Reading) -> Fitted:
        return Fitted(self.moments, self.totals.deviations, reading.rows(self.reader), self.reader.weight(),
                      self.reader.intercept)  # fmt: skip


class _Work:
    """The two networks and the pictures."""

    def __init__(self, student: nn.Layer, teacher: nn.Layer, pictures: Sequence[paddle.Tensor]) -> None:
        self._student, self._teacher = student, teacher
        self._ours, self._theirs = Resumed(student, pictures), Resumed(teacher, pictures)
        self._pictures: Sequence[tuple[Any, Any]] = [(one, one) for one in pictures]
        self._rng = np.random.default_rng(0)
        samples = sum(picture.shape[0] for picture in pictures)
        self._positions = max(min(POSITIONS, ROWS // samples), 1)

    def resume(self, sites: Sequence[Site]) -> None:
        """Let runs of both networks begin where the sites that are still to be cut do: before them nothing changes."""
        touched = set[str]().union(*(site.touched for site in sites))
        looked_at = set[str]().union(*(site.looked_at for site in sites))
        self._pictures = list(zip(self._ours.before(touched), self._theirs.before(looked_at), strict=True))

    def gather(self, readings: Collection[Reading]) -> dict[Reading, _Gathered]:
        """Look at what readers of the student are given, and what those of the teacher give."""
        found = {reading: _Gathered(reading.reader(self._student), Moments(), Moments()) for reading in readings}
        ours = {place for reading in readings for place in reading.places}
        theirs = {reading.total or reading.output for reading in readings}
        for own, other in self._pictures:
            given = arrays(self._student, ours, own)
            wanted = given if self._student is self._teacher else arrays(self._teacher, theirs, other)
            for reading, one in found.items():
                x, output = given[reading.input], given[reading.output]
                total = wanted[reading.total or reading.output]
                target = total - given[reading.total] + output if reading.total else total
                places = one.reader.sample(x.shape, output.shape, self._rng, self._positions)
                one.moments.add(one.reader.read(x, places), one.reader.made(target, places))
                values = one.reader.made(total, places)
                one.totals.add(values[:, :1], values)
        return found

    def reduce(self, site: Site, tolerance: float, count: int | None, multiple: int, *, mend: bool) -> Reduction:
        """Cut a site; one that stays whole is fitted too if there is something to mend."""
        found = self.gather(site.readings)
        fitted = {reading: found[reading].fitted(reading) for reading in site.readings}
        least = _fewest(site, multiple) if count is None else count
        left = eliminate(list(fitted.values()), multiple, least)
        if count is None:
            count = min((number for number, one in left.items() if one.error <= tolerance), default=site.channels)
        kept = left[count].kept
        before = left[site.channels].error
        if len(kept) == site.channels and not mend:
            return Reduction(site, tuple(kept), before, before)
        gone = sorted(set(range(site.channels)) - set(kept))
        if gone:
            self._mend_squeezes(site, gone)
            silence(self._student.state_dict(), site.group, gone)
        error, stale = 0.0, bool(gone and site.squeezes)
        for reading in site.readings:  # one by one: what a later one is given may depend on what an earlier one gives
            one = self.gather([reading])[reading] if stale else found[reading]
            error += self._refit(one, fitted[reading], gone)
            stale = True
        return Reduction(site, tuple(kept), error, before)

    def _refit(self, one: _Gathered, fitted: Fitted, gone: Sequence[int]) -> float:
        """Fit a reader anew without some channels and return its error."""
        stays, start = fitted.without(gone)
        result = fit(one.moments.of(stays.tolist()), one.totals.deviations, start=start,
                     intercept=one.reader.intercept)  # fmt: skip
        one.reader.put(result, stays)
        return result.error

    def _mend_squeezes(self, site: Site, gone: Sequence[int]) -> None:
        """Carry what layers that read means are told by channels that go in their biases."""
        layers = dict(self._student.named_sublayers())
        for reading in site.squeezes:
            layer = layers[reading.layer]
            if layer.bias is None:
                continue
            told = np.concatenate([arrays(self._student, [reading.input], x)[reading.input] for x, _ in self._pictures])
            told = told.reshape(len(told), -1).mean(0)
            weight = layer.weight.numpy()
            matrix = weight if isinstance(layer, nn.Linear) else weight[:, :, 0, 0].T
            lost = [channels[channel] for channels in reading.channels for channel in gone]
            layer.bias.set_value((layer.bias.numpy() + told[lost] @ matrix[lost]).astype(np.float32))
