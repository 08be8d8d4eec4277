"""Archives that are no release of Paddle Lite, or a hostile one: one sentence, and nothing is written elsewhere."""

import gzip
import io
import random
import tarfile

import pytest

from ppedge.arm import lite
from ppedge.errors import MissingError, PpedgeError


def member(name, size=0, kind=tarfile.REGTYPE, link=""):
    found = tarfile.TarInfo(name)
    found.size, found.type, found.linkname = size, kind, link
    return found


def archive(path, members):
    """Write headers alone, with an empty body where one is small."""
    data = b"".join(
        one.tobuf(tarfile.GNU_FORMAT) + bytes(-(-one.size // 512) * 512 if one.size < 1 << 20 else 0) for one in members
    )
    path.write_bytes(gzip.compress(data + bytes(1024), 1))
    return path


def deep(kind):
    return [member("././@LongLink", 512, kind) for _ in range(3000)]


HOSTILE = {
    "above": ([member("../evil", 3)], "evil"),
    "absolute": ([member("/tmp/ppedge-evil", 3)], None),
    "link out": ([member("a", kind=tarfile.SYMTYPE, link="../../.."), member("a/evil", 3)], "outside"),
    "absolute link": ([member("a", kind=tarfile.SYMTYPE, link="/etc/passwd")], "absolute"),
    "hard link out": ([member("a", kind=tarfile.LNKTYPE, link="../../etc/passwd")], "outside"),
    "device": ([member("a", kind=tarfile.CHRTYPE)], "special file"),
    "pipe": ([member("a", kind=tarfile.FIFOTYPE)], "special file"),
    "huge": ([member("a", 1 << 40)], "more than"),
    "huge together": ([member(f"a{n}", 1 << 10) for n in range(3)] + [member("b", 5 << 30)], "more than"),
    "long names without end": (deep(tarfile.GNUTYPE_LONGNAME), "headers without end"),
    "extended headers without end": (deep(tarfile.XHDTYPE), "cannot be unpacked"),
    "a long name that is huge": ([member("././@LongLink", 8 << 30, tarfile.GNUTYPE_LONGNAME)], "not a tar archive"),
    "cut": ([member("a", 2 << 20)], "unexpected end of data"),
    "control characters": ([member("\x1b]0;x\x07/../../evil", 3)], "outside"),
}


@pytest.mark.parametrize(("members", "told"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives(tmp_path, members, told):
    path = archive(tmp_path / "a.tar.gz", members)
    with pytest.raises(PpedgeError) as error:
        lite.register(path)
    assert error.value.exit_code == 2 and str(error.value).isprintable()
    assert (told or "not a release") in error.value.message
    assert error.value.message.count("\n") == 0 and len(error.value.message) < len(str(path)) + 200
    assert [one.name for one in tmp_path.iterdir()] == ["a.tar.gz"]


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(lite, "_MAX_MEMBERS", 3)
    with pytest.raises(PpedgeError, match="more than 3 files"):
        lite.register(archive(tmp_path / "a.tar.gz", [member(f"a{n}") for n in range(4)]))


# Without the time in it, since the processes that share the tests must see the same names.
@pytest.mark.parametrize(
    "data",
    [
        b"not a tar", b"", gzip.compress(b"not a tar", mtime=0), gzip.compress(bytes(2000), mtime=0)[:20],
        b"BZh9xx", b"\xfd7zXZ\0x",
    ],
)  # fmt: skip
def test_what_is_no_archive_is_one_sentence(tmp_path, data):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(data)
    with pytest.raises(PpedgeError) as error:
        lite.register(path)
    assert error.value.exit_code == 2
    assert error.value.message.startswith((f"{path}: not a ", f"{path}: cannot be unpacked ("))
    assert "\\n" not in error.value.message


def test_any_damage_is_an_error_of_ours(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("cxx/lib/a.so", "cxx/include/" + "n" * 120):
            tar.addfile(member(name, 700), io.BytesIO(bytes(700)))
    rng, path = random.Random(0), tmp_path / "a.tar"
    for _ in range(80):
        data = bytearray(buffer.getvalue())
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        with pytest.raises(PpedgeError):  # if nothing else, it is no release
            lite.register(path)


@pytest.mark.parametrize("value", ["[]", "{}", "null", '{"folder": 3}', '{"version": 1e999}', "{"])
def test_a_record_of_another_form_is_as_none(tmp_path, monkeypatch, value):
    monkeypatch.setattr(lite, "cache_root", lambda: tmp_path)
    (tmp_path / "lite.json").write_text(value)
    with pytest.raises(MissingError, match=r"lite\.json: not (a record|JSON)"):
        lite.registered()
