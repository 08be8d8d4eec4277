from importlib import resources
from pathlib import Path

import pytest

from ppedge.errors import PpedgeError
from ppedge.ocr.charset import BLANK, BUILT_IN, Charset, dictionaries


def test_en_number_has_the_classes_of_the_official_weights():
    charset = Charset.from_name_or_file("en_number")
    assert charset.size == 97
    assert charset.characters[:11] == tuple("0123456789:")
    assert charset.characters[79] == "!"  # after ':' to '~'
    assert charset.characters[-3:] == ("/", " ", " ")
    assert charset.encode(" ") == [96]  # the second of the two spaces, which PaddleOCR's labels name
    assert charset.decode([95, 96]) == "  "


def test_plates_are_provinces_letters_digits():
    charset = Charset.from_name_or_file("plates")
    assert charset.size == 1 + 31 + 26 + 10
    assert charset.missing("皖A12345粤O新Z9") == ""


def test_ascii_is_all_that_can_be_printed():
    assert sorted(BUILT_IN["ascii"]) == [chr(code) for code in range(32, 127)]


@pytest.mark.parametrize(
    ("name", "classes", "begins", "ends"),
    [
        ("ppocr_keys_v1", 6624, "'疗绚", "續紹懮"), ("en_dict", 96, "012", "./ "), ("ic15_dict", 37, "012", "xyz"),
        ("korean_dict", 3689, '!"#', " "), ("ta_dict", 129, "ta_", "(? "), ("latin_dict", 186, ' !"', "‘€™"),
        ("chinese_cht_dict", 8422, "", ""), ("ppocrv4_doc_dict", 15630, "", ""),
    ],
)  # fmt: skip
def test_dictionaries_of_paddleocr_are_known_by_the_names_of_their_files(name, classes, begins, ends):
    charset = Charset.from_name_or_file(name)
    assert charset.size == classes
    text = "".join(charset.characters)
    assert text.startswith(begins) and text.endswith(ends)
    assert Charset.from_name_or_file(name.removesuffix("_dict")).characters == charset.characters
    assert name in dictionaries()


def test_dictionaries_are_those_of_official_weights_to_the_byte(shared_data):
    for name in ("ppocr_keys_v1", "en_dict"):
        file = shared_data / "weights" / f"{name}.txt"
        assert Charset.from_name_or_file(file, as_is=True).characters == Charset.from_name_or_file(name).characters


def test_a_path_is_no_name_of_a_dictionary(tmp_path, monkeypatch):
    (tmp_path / "en_dict.txt").write_text("a\n")
    monkeypatch.chdir(tmp_path)
    assert Charset.from_name_or_file("en_dict.txt").characters == ("a",)
    with pytest.raises(PpedgeError, match="neither a readable UTF-8 file"):
        Charset.from_name_or_file("../dictionaries/en_dict")


def test_the_docs_list_every_dictionary():
    page = (Path(__file__).parents[2] / "docs/weights.md").read_text()
    assert {name for name in dictionaries() if f"`{name}`" not in page} == set()


def test_dictionaries_come_with_their_licence():
    folder = resources.files("ppedge.ocr") / "dictionaries"
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "paddleocr" in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", [*BUILT_IN, *dictionaries()])
def test_encode_is_undone_by_decode(name):
    charset = Charset.from_name_or_file(name)
    text = "".join(dict.fromkeys(c for c in charset.characters if len(c) == 1))
    classes = charset.encode(text)
    assert charset.decode(classes) == text
    assert BLANK not in classes


def test_a_file_may_hold_a_space_a_tab_and_line_separators(tmp_path):
    path = tmp_path / "chars.txt"
    path.write_bytes("\ufeffa\r\n \r\n\u2028\r\n京\r\n".encode())
    assert Charset.from_name_or_file(path).characters == ("a", " ", "\u2028", "京")


def test_of_a_network_that_exists_a_line_is_a_class_whatever_it_holds(tmp_path):
    path = tmp_path / "chars.txt"
    path.write_bytes("a\nb\na\n\nฤๅ\r\np\t\n x \n\u2028\nc\rd\n\n".encode())
    charset = Charset.from_name_or_file(path, as_is=True)
    assert charset.characters == ("a", "b", "a", "", "ฤๅ", "p\t", " x ", "\u2028", "c\rd", "")
    assert charset.decode([5, 3, 4, 6]) == "ฤๅap\t"
    assert charset.encode("abฤๅa") == [3, 2, 5, 3]
    assert charset.missing("ฤaๅฤๅๅ") == "ฤๅ"
    assert list(charset.unknown("ฤaๅฤๅๅ")) == ["ฤ", "ๅ", "ๅ"]


def test_a_character_with_a_class_of_its_own_is_not_read_as_part_of_a_longer_entry():
    charset = Charset(("ab", "a", "b", "cd", "cde"))
    assert charset.encode("abcde") == [2, 3, 5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n\nb\n", "line 2: an empty line.*The dictionary of a network that exists stays as it is"),
        ("a\nbc\n", "line 2: 'bc' is more than one character"),
        ("a\nb\na\n", "line 3: 'a' is on line 1 already.*The dictionary of a network that exists stays as it is"),
        ("a\rb\r", "line 1: 'a.*more than one character"),
        ("", "holds no characters"),
        ("a\n\n", "line 2: an empty line"),  # only the last line's end is no line
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "chars.txt"
    path.write_text(content)
    with pytest.raises(PpedgeError, match=f"chars.txt.*{message}"):
        Charset.from_name_or_file(path)


def test_a_file_that_does_not_end_is_no_character_set():
    with pytest.raises(PpedgeError, match="/dev/zero: longer than a character set"):
        Charset.from_name_or_file("/dev/zero")


def test_neither_name_nor_file_names_the_built_in_ones(tmp_path):
    with pytest.raises(PpedgeError, match="en_number, plates, ascii"):
        Charset.from_name_or_file("klingon")
    (tmp_path / "latin1").write_bytes("é".encode("latin-1"))
    with pytest.raises(PpedgeError, match="latin1"):
        Charset.from_name_or_file(tmp_path / "latin1")


def test_text_outside_the_set_names_the_characters_once():
    with pytest.raises(PpedgeError, match="'éß'"):
        Charset("abc").encode("aéßé")


@pytest.mark.parametrize("index", [BLANK, 4, -1])
def test_decode_refuses_what_is_no_character(index):
    with pytest.raises(PpedgeError, match=r"outside 1 \.\. 3"):
        Charset("abc").decode([1, index])


def test_canonical_classes():
    charset = Charset("aAb  é")
    assert charset.canonical() == [0, 1, 2, 3, 4, 4, 6]  # the two spaces read the same
    assert charset.canonical(ignore_case=True) == [0, 1, 1, 3, 4, 4, 6]
