"""YAML that anybody may have written: one sentence with the line, in bounded time, for a file and for ``--set``."""

from pathlib import Path

import pytest

from ppedge.errors import SHOWN, PpedgeError
from ppedge.recipe.io import load
from ppedge.recipe.text import MAX_BYTES, MAX_VALUES, parse

BASE = """\
name: base
task: det
model:
  backbone: {name: MobileNetV3}
  neck: {name: DBFPN}
  head: {name: DBHead}
data: {train: [t.txt]}
"""
BOMB = "\n".join(
    f"{a}: &{a} [{','.join([b] * 9)}]" for a, b in zip("abcdefghi", "x *a *b *c *d *e *f *g *h".split(), strict=True)
)
MERGES = "\n".join(
    f"{a}: &{a} {{<<: [{','.join([b] * 9)}]}}" for a, b in zip("bcdefgh", "*a *b *c *d *e *f *g".split(), strict=True)
)
VALUES = {
    "month": ("2024-13-01", "'2024-13-01' is no timestamp"),
    "second": ("2024-01-01 00:00:99", "is no timestamp"),
    "tag timestamp": ("!!timestamp x", "'x' is no timestamp"),
    "tag int": ('!!int ""', "'' is no int"),
    "tag int of a word": ("!!int x", "'x' is no int"),
    "tag float": ("!!float x", "'x' is no float"),
    "tag bool": ("!!bool x", "'x' is no bool"),
    "tag binary": ("!!binary é", "failed to convert base64"),
    "tag omap": ("!!omap {a: 1}", "expected a sequence"),
    "tag pairs": ("!!pairs [1]", "expected a mapping"),
    "tag python": ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "long tag": (f"!{'x' * 10_000} y", "could not determine a constructor"),
    "digits": ("9" * 5000, "a number of 5000 characters"),
    "hexadecimal": (f"0x{'f' * 100_000}", "a number of 100002 characters"),
    "sexagesimal": (f"1{':01' * 50_000}", "a number of 150001 characters"),
    "alias": ("*nowhere", "found undefined alias"),
    "long alias": (f"*{'n' * 10_000}", "found undefined alias"),
    "brackets": ("[" * 100_000, "more than 64 levels"),
    "deep": ("[" * 900 + "]" * 900, "more than 64 levels"),
    "deep maps": ("{a: " * 900 + "1" + "}" * 900, "more than 64 levels"),
    "dashes": ("- " * 900 + "x", "more than 64 levels"),
    "long": ("x" * (MAX_BYTES + 1), f"longer than {MAX_BYTES} characters"),
    "key that is a list": ("{[1, 2]: 3}", "found unhashable key"),
    "control character": ("a\x1b[31mb", "special characters are not allowed"),
    "two documents": ("a\n--- b", "but found another document"),
}


def sentence(tmp_path, text, overrides=()):
    path = tmp_path / "r.yml"
    path.write_text(text)
    with pytest.raises(PpedgeError) as error:
        load(path, overrides)
    assert error.value.exit_code == 2
    told = str(error.value).replace(str(path), "r.yml")
    assert len(told) < 8 * SHOWN and told.isprintable()
    return told


@pytest.mark.parametrize(("value", "told"), VALUES.values(), ids=VALUES)
def test_values_that_are_none(tmp_path, value, told):
    if value.startswith("- "):
        value = f"\n{value}"
    found = sentence(tmp_path, f"{BASE}seed: {value}\n")
    assert told in found
    assert found.startswith("r.yml:" if "longer than" not in told else "r.yml: not YAML: longer")
    assert told in sentence(tmp_path, BASE, [f"seed={value}"])


@pytest.mark.parametrize(
    ("value", "line"), [("2024-13-01", 8), ("!!bool x", 8), ("[1,\n 2,\n !!int x]", 10), ("\n  a\x07", 9)]
)
def test_the_line_is_that_of_the_value(tmp_path, value, line):
    assert f"r.yml:{line}: not YAML: " in sentence(tmp_path, f"{BASE}seed: {value}\n")


@pytest.mark.parametrize("text", [BOMB, f"a: &a {{x: 1, y: 2}}\n{MERGES}"], ids=["lists", "merges"])
def test_aliases_that_unfold(tmp_path, text):
    told = f"its aliases, written out, are more than {MAX_VALUES} values"
    assert told in sentence(tmp_path, f"{text}\nname: x\n")
    assert told in sentence(tmp_path, BASE, [f"data={{{text.replace(chr(10), ', ')}}}"])


def test_aliases_that_nest(tmp_path):
    chain = "\n".join([f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 3000)])
    told = sentence(tmp_path, f"a0: &a0 [x]\n{chain}\n{BASE}")
    assert "its aliases, written out, are more than 100000 values or 64 levels" in told


def test_aliases_are_read_as_ever():
    value, _ = parse("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n")
    assert value == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    "change",
    [
        "task: {long}",
        "seed: {long}",
        "{long}: 1",
        "train: {{{long}: 1}}",
        "train: {{epochs: {long}}}",
        "train: {{losses: [{{name: {long}}}]}}",
        "schema: 1{digits}",
        "data: {{train: {long}}}",
        "seed: [{long}, {long}]",
        "slim: {{prune: {long}}}",
    ],
)
def test_values_are_cut(tmp_path, change):
    line = change.format(long="k" * 1000, digits="0" * 90)
    base = "".join(one for one in BASE.splitlines(True) if not one.startswith(line.partition(":")[0] + ":"))
    told = sentence(tmp_path, f"{base}{line}\n")
    assert "..." in told or "a number of" in told


def test_overrides_are_cut(tmp_path):
    assert "..." in sentence(tmp_path, BASE, [f"seed={'x' * 10_000}"])
    assert "unknown key train.a." in sentence(tmp_path, BASE, ["train" + ".a" * 5000 + "=1"])


def test_a_file_without_end():
    with pytest.raises(PpedgeError, match="longer than"):
        load(Path("/dev/zero"))
