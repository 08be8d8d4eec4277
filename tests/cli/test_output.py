"""What files say is printed as it is: it is no markup, and a terminal carries none of it out."""

import json
import re
import sys
from pathlib import Path

import pytest

import ppedge.arm
import ppedge.cli
from ppedge.cli.output import emit, print_table, say
from ppedge.errors import SHOWN, UNPRINTABLE, PpedgeError, printable, shown
from ppedge.progress import Reporter

NB = Path(ppedge.arm.__file__).with_name("selftest.nb")
HOSTILE = {
    "title": "\x1b]0;owned\x07",
    "colour": "\x1b[31m",
    "eight bits": "\x9b31m",
    "delete": "\x7f",
    "carriage return": "good\rbad",
    "new line": "good\nppedge: bad",
    "separator": "a\u2028b",
    "right to left": "\u202egnp.exe",
    "half a pair": "\udc80",
    "closing tag": "[/abc]",
    "style": "[bold]",
    "link": "[link=http://x]y",
    "emoji": ":smiley:",
}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def harmless(printed, text):
    """Nothing of it acts on a terminal, and nothing of it is gone."""
    assert not any(UNPRINTABLE.search(line) for line in printed.split("\n"))
    assert printable(text) in printed


@hostile
def test_lines_errors_and_progress(text, capsys):
    say(f"name: {text}")
    say(f"name: {text}", err=True)
    Reporter().say(f"name: {text}")
    with Reporter().task(text, 1) as step:
        step._told = -1000.0
        step.advance(text)
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and err.count("\n") == 3
    harmless(out, text)
    harmless(err, text)
    harmless(str(PpedgeError(text, text)), text)


@hostile
def test_bars_on_a_terminal(text, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Reporter().task(text, 2) as step:
        step.advance(text)
    assert "\x1b]0;" not in capsys.readouterr().err


@hostile
def test_tables(text, capsys):
    print_table({text: "left", "b": "right"}, [(text, [text, "1"])], title=text, width=100)
    out, _ = capsys.readouterr()
    assert out.count(printable(text)) == 4
    harmless(out, text)


@hostile
def test_json_reads_back(text, capsys):
    emit({text: [text]})
    out, _ = capsys.readouterr()
    assert not any(UNPRINTABLE.search(line) for line in out.split("\n"))
    assert json.loads(out) == {text: [text]}


def test_texts_of_any_script_stay_as_they_are():
    for text in ("京A·12345", "שלום", "نص", "क्षि", "👍🏽", "é", "\u3000", "a\u200cb"):
        assert printable(text) == text


def test_values_are_cut():
    table = {"k" * 1000: {"v": "w" * 1000}}
    for value in ("x" * 10**6, 10**5000, [[1] * 1000] * 1000, table, b"x" * 1000, 1 << 10**6, {1, "a"}):
        assert len(shown(value)) <= SHOWN


def test_a_value_without_end_is_shown():
    value = []
    value.append(value)
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert len(shown(value)) <= SHOWN and len(shown(deep)) <= SHOWN


@hostile
def test_names_of_operators(text, ppedge, tmp_path):
    length = len(b"conv2d")
    name = text.encode("utf-8", "surrogatepass")[:length].ljust(length, b"_")
    path = tmp_path / "named.nb"
    path.write_bytes(NB.read_bytes().replace(b"conv2d", name))
    for options in ([], ["-v"], [NB], ["--json"]):
        code, out, err = ppedge("inspect", path, *options)
        assert code in (0, 2), err
        assert not any(UNPRINTABLE.search(line) for line in (out + err).split("\n"))
        if code == 0 and not options:
            assert printable(name.decode()) in out


def test_lines_of_a_label_file(ppedge, tmp_path):
    (tmp_path / "l.txt").write_bytes(b"images/\x1b[2J\x1b]0;owned\x07x.jpg\tabc\n")
    code, out, err = ppedge("data", "check", "l.txt", "--kind", "recognition")
    assert code == 2
    assert "\x1b" not in out + err and r"images/\x1b[2J" in out


def test_no_command_prints_another_way():
    """A new command that used another way would let through what files say."""
    other = re.compile(r"\bprint\(|typer\.echo|click\.echo|Console\(|\.write\(sys|sys\.std(out|err)\.write")
    for path in Path(ppedge.cli.__file__).parent.glob("*.py"):
        if path.name != "output.py":
            assert not other.search(path.read_text()), path.name
