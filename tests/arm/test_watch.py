"""The counting plugin tells apart what lies between entries into a watched function's code."""

import struct

import numpy as np
import pytest

from ppedge.arm import qemu
from ppedge.arm.elf import Function, exported_function
from ppedge.errors import PpedgeError

EXIT = [0xD2800BA8, 0xD2800000, 0xD4000001]  # exit(0)
SET_UP = [0xD10403E3, 0xD2800009]  # two instructions that do nothing here


def mark(k):
    """Five instructions: prctl(0x4e4e4e4e, k)."""
    return [0xD289C9C0, 0xF2A9C9C0, 0xD2800001 | k << 5, 0xD28014E8, 0xD4000001]


CODE_AT = 64 + 56  # where the programs that `make_program` makes have their code, relative to a page
LOOP = [0x4E26CCA4, 0x71000442, 0x54FFFFC1]  # fmla; subs w2, w2, #1; b.ne to the fmla
PROGRAM = [*SET_UP, *mark(1), 0x52800082, *LOOP, *mark(2), *EXIT]  # mov w2, #4


def lines_of(sandbox, program, function, tmp_path):
    with (tmp_path / "counted").open("w+b") as counted, (tmp_path / "words").open("w+b") as words:
        process = qemu.start(
            sandbox, "cortex-a53", [program], environment={}, words=words, count_to=counted.fileno(), watch=function
        )
        process.stdin.close()
        process.stdout.close()
        assert process.wait(30) == 0
        return [list(map(int, line.split())) for line in (tmp_path / "counted").read_text().splitlines()]


def code(words):
    return struct.pack(f"<{len(words)}I", *words)


def test_each_turn_of_a_watched_loop_is_a_line(sandbox, make_program, tmp_path):
    # The first turn begins in the block of the mov before the loop, the other three at the loop's own first block.
    begin = CODE_AT + 4 * PROGRAM.index(LOOP[0])
    lines = lines_of(sandbox, make_program(PROGRAM), Function(begin, code(LOOP)), tmp_path)
    assert [line[0] for line in lines] == [1, *[qemu.FIRST_WATCHED] * 3, 2]
    totals = [line[1] for line in lines[1:]]
    assert totals == [1 + 3, 3, 3, 3 + 5]  # the mov and a turn; turns; a turn and the second mark's own


def test_places_are_bytes_from_the_functions_begin(sandbox, make_program, tmp_path):
    lines = lines_of(sandbox, make_program(PROGRAM), Function(CODE_AT, code(PROGRAM)), tmp_path)
    places = [line[0] - qemu.FIRST_WATCHED for line in lines if line[0] >= qemu.FIRST_WATCHED]
    mov, fmla = 4 * PROGRAM.index(0x52800082), 4 * PROGRAM.index(LOOP[0])
    assert places == [0, mov, fmla, fmla, fmla, fmla + 12, 4 * (len(PROGRAM) - len(EXIT))]


def test_code_that_is_elsewhere_is_not_watched(sandbox, make_program, tmp_path):
    begin = CODE_AT + 4 * PROGRAM.index(LOOP[0])
    program = make_program(PROGRAM)
    for other in (Function(begin + 4, code(LOOP)), Function(begin, code([LOOP[0], LOOP[0], LOOP[2]]))):
        assert [line[0] for line in lines_of(sandbox, program, other, tmp_path)] == [1, 2]


def library(symbol, words):
    """The bytes of a shared library of one section of code, its dynamic symbols and their names."""
    text, names = code(words), b"\0other\0" + symbol + b"\0"
    at = 64
    strings_at, symbols_at = at + len(text), at + len(text) + len(names)
    address = 0x1040
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 18, 0, 0, 0, 0)  # an imported one
    symbols += struct.pack("<IBBHQQ", 7, 18, 0, 1, address + 4, len(text) - 4)
    sections = [
        (0,) * 10,
        (0, 1, 6, address, at, len(text), 0, 0, 4, 0),
        (0, 11, 2, 0, symbols_at, len(symbols), 3, 0, 8, 24),
        (0, 3, 2, 0, strings_at, len(names), 0, 0, 1, 0),
    ]
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 183, 1, 0, 0, symbols_at + len(symbols), 0, 64, 0, 0, 64, 4, 0)
    return header + text + names + symbols + b"".join(struct.pack("<IIQQQQIIQQ", *section) for section in sections)


def test_an_exported_function_is_found(tmp_path):
    path = tmp_path / "lib.so"
    path.write_bytes(library(b"run", [1, 2, 3]))
    assert exported_function(path, "run") == Function(0x1044, code([2, 3]))


@pytest.mark.parametrize("symbol", ["walk", "other", "ru"])
def test_a_function_that_is_not_exported(tmp_path, symbol):
    path = tmp_path / "lib.so"
    path.write_bytes(library(b"run", [1, 2, 3]))
    with pytest.raises(PpedgeError, match=rf"lib\.so: exports no {symbol}\."):
        exported_function(path, symbol)


def test_what_is_no_library(tmp_path):
    path, whole = tmp_path / "lib.so", library(b"run", [1, 2, 3])
    with pytest.raises(PpedgeError, match="cannot be read"):
        exported_function(path, "run")
    for cut in (b"", b"text", whole[:60], whole[:-100]):
        path.write_bytes(cut)
        with pytest.raises(PpedgeError, match="not an arm64 library, or damaged"):
            exported_function(path, "run")
    generator = np.random.default_rng(0)
    for _ in range(200):  # no traceback, whatever lies in the file
        broken = bytearray(whole)
        broken[generator.integers(len(broken))] = generator.integers(256)
        path.write_bytes(bytes(broken))
        try:
            exported_function(path, "run")
        except PpedgeError:
            continue
