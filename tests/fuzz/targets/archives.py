"""Archives that are given to ``ppedge arm setup --lite``, up to the point where the emulator would be needed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest import mock

from hypothesis import strategies as st

from fuzz.contract import Files, Target
from fuzz.mutations import damaged
from ppedge.arm import lite, sysroot

_ARCHIVE = "lite.tar.gz"
_RELEASE = {"r/cxx/include/paddle_api.h": b"#pragma once", "r/cxx/lib/libpaddle_light_api_shared.so": b"\x7fELF"}
_PATHS = [
    "../x", "/tmp/x", "r/../../x", "r", "r/cxx", ".", "", "a/" * 60 + "b", "a/" * 2000 + "b", "x" * 300, "r/\x1b[2J",
    "r/é\udcff", "r/cxx/lib/libpaddle_light_api_shared.so",
]  # fmt: skip
_KINDS = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE,
          tarfile.BLKTYPE, tarfile.CONTTYPE, b"Z"]  # fmt: skip
_PACKERS: list[Callable[[bytes], bytes]] = [
    bytes, lambda d: gzip.compress(d, 1), lambda d: bz2.compress(d, 1), lambda d: lzma.compress(d, preset=0),
    lambda d: gzip.compress(gzip.compress(d, 1), 1),
]  # fmt: skip


@st.composite
def _odd_member(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(draw(st.sampled_from(_PATHS)))
    member.type = draw(st.sampled_from(_KINDS))
    member.linkname = draw(st.sampled_from(_PATHS))
    member.mode = draw(st.sampled_from([0o644, 0o755, 0, 0o7777]))
    data = draw(st.binary(max_size=16)) if member.type == tarfile.REGTYPE else b""
    member.size = len(data)
    if draw(st.integers(0, 4)) == 0:
        member.pax_headers = {draw(st.sampled_from(["size", "path", "GNU.sparse.map", "mtime", "hdrcharset"])): draw(
            st.sampled_from(["-1", "1e9", "x", "9" * 30, "../x", "0,1,2"]))}  # fmt: skip
    return member, data


def _packed(members: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a release with more members behind its own."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, data in _RELEASE.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def _inputs() -> st.SearchStrategy[Files]:
    forms = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    written = st.builds(_packed, st.lists(_odd_member(), max_size=3), forms)
    broken = st.one_of(written, written.flatmap(lambda data: damaged([data])))
    packed = st.builds(lambda data, pack: pack(data), broken, st.sampled_from(_PACKERS))
    return st.one_of(packed, packed.flatmap(lambda data: damaged([data]))).map(lambda data: {_ARCHIVE: data})


class _ReachedError(Exception):
    """The archive is a release as far as can be seen."""


def _register(folder: Path) -> None:
    with mock.patch.object(sysroot, "ensure", side_effect=_ReachedError):
        try:
            lite.register(folder / _ARCHIVE)
        except _ReachedError:
            return


TARGETS = [Target("lite", lambda: {_ARCHIVE: gzip.compress(_packed([]))}, _inputs, _register)]
