import json

import numpy as np
import pytest

from ppedge.errors import PpedgeError
from ppedge.ocr.draw import draw_lines, draw_readings
from ppedge.ocr.pipeline import Classifier, Detector, Line, Pipeline, Recognizer
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess

DET = ModelSpec(
    "det",
    # Neither scaled nor normalised: the network sees the picture's values as 0 to 1.
    det_preprocess=DetPreprocess(limit_side=64, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    det_postprocess=DbPostprocess(),
)
REC = ModelSpec("rec", rec_preprocess=RecPreprocess(height=8, min_width=16), characters=tuple("abcd"))
CLS = ModelSpec("cls", cls_preprocess=ClsPreprocess(height=8, width=16), cls_postprocess=ClsPostprocess(0.9))


class BrightIsText:
    """A detector whose map is the picture's first channel."""

    name = "fake"

    def run(self, inputs):
        return [inputs[0][:, :1]]


class WidthReader:
    """A recogniser that says the letter its line's mean brightness stands for, and notes the batches it was given."""

    name = "fake"

    def __init__(self, classes=5):
        self.classes = classes
        self.batches = []

    def run(self, inputs):
        self.batches.append(inputs[0].shape)
        out = np.zeros((len(inputs[0]), 3, self.classes), np.float32)
        for row, line in zip(out, inputs[0], strict=True):
            row[:, 0] = 0.1
            row[1, 1 + round(float((line[0, 4, 2] + 1) / 2 * 255) / 60) % 4] = 0.9
        return [out]


def crop(letter, width):
    """A line that `WidthReader` reads as ``letter``."""
    return np.full((8, width, 3), "abcd".index(letter) * 60, np.uint8)


def test_texts_come_back_in_the_crops_order_and_a_line_is_never_padded_to_another():
    engine = WidthReader()
    crops = [crop("c", 60), crop("a", 20), crop("d", 40), crop("b", 10), crop("a", 60), crop("c", 60)]
    texts = Recognizer(engine, REC, batch_size=2)(crops)
    assert "".join(text.text for text in texts) == "cadbac"
    assert engine.batches == [(2, 3, 8, 60), (1, 3, 8, 60), (1, 3, 8, 20), (1, 3, 8, 40), (1, 3, 8, 16)]


def test_lines_narrower_than_the_least_width_go_together():
    engine = WidthReader()
    Recognizer(engine, REC)([crop("a", 3), crop("b", 7)])
    assert engine.batches == [(2, 3, 8, 16)]


def test_no_crops_no_texts():
    engine = WidthReader()
    assert Recognizer(engine, REC)([]) == []
    assert engine.batches == []


def picture():
    image = np.zeros((96, 160, 3), np.uint8)
    image[60:72, 10:60] = 180  # d
    image[20:32, 90:150] = 240  # a: 240 / 60 is 4, modulo 4
    image[21:33, 10:60] = 180
    return image


def test_lines_come_in_reading_order():
    lines = Pipeline(Detector(BrightIsText(), DET), Recognizer(WidthReader(), REC, batch_size=1))(picture())
    assert [line.text for line in lines] == ["d", "a", "d"]
    d = 49 * 11 * 1.5 / (2 * (49 + 11))
    assert lines[0].quad[0] == pytest.approx([10 - d, 21 - d], abs=0.01)
    assert lines[0].box_score == pytest.approx(180 / 255, abs=1e-3)


def test_a_line_as_json_is_plain():
    quad = np.array([[0, 0.123456], [5, 0], [5, 5], [0, 5]], np.float32)
    value = Line("x", 0.123456, quad, 1.0).to_dict()
    expected = {"text": "x", "score": 0.1235, "box": [[0, 0.1], [5, 0], [5, 5], [0, 5]], "box_score": 1.0,
                "turned": False}  # fmt: skip
    assert json.loads(json.dumps(value)) == expected


def test_an_empty_picture_has_no_lines():
    pipeline = Pipeline(Detector(BrightIsText(), DET), Recognizer(WidthReader(), REC))
    assert pipeline(np.zeros((50, 50, 3), np.uint8)) == []


def test_models_in_the_wrong_place_are_errors():
    with pytest.raises(PpedgeError, match="Not a detector"):
        Detector(BrightIsText(), REC)
    with pytest.raises(PpedgeError, match="Not a recogniser"):
        Recognizer(WidthReader(), DET)
    with pytest.raises(PpedgeError, match="not a map"):
        Detector(WidthReader(), DET)(picture())
    with pytest.raises(PpedgeError, match="not probabilities"):
        Recognizer(BrightIsText(), REC)([crop("a", 9)])
    with pytest.raises(PpedgeError, match="5 classes"):
        Recognizer(WidthReader(classes=97), REC)([crop("a", 9)])


def test_a_crop_without_pixels_is_an_error():
    with pytest.raises(PpedgeError, match="crop has the shape"):
        Recognizer(WidthReader(), REC)([np.zeros((0, 9, 3), np.uint8)])


@pytest.mark.parametrize("text", ["粤B12345", "yes", "(.)"])
def test_a_drawing_has_the_picture_with_boxes_and_the_texts_beside(text):
    image = picture()
    quad = np.array([[10, 60], [60, 60], [60, 72], [10, 72]], np.float32)
    drawing = draw_lines(image, [Line(text, 0.9, quad, 0.9), Line("", 0.0, quad, 0.9)])
    assert drawing.shape == (96, 320, 3)
    assert drawing[60, 30].tolist() != image[60, 30].tolist(), "the outline"
    np.testing.assert_array_equal(drawing[:50, :160], image[:50])
    page = drawing[62:71, 172:218]  # inside the box
    assert page.min() < 60, "ink"
    assert (drawing[:50, 160:] == 255).all()
    np.testing.assert_array_equal(image, picture(), err_msg="the picture given is left alone")


def inked(text):
    """The columns of a reading that hold ink, behind the reader's name; each character's by itself."""
    page = draw_readings(np.full((48, 400, 3), 255, np.uint8), [("PC", text)])[48:, 110:]
    return np.flatnonzero((page < 128).any(axis=(0, 2)))


@pytest.mark.parametrize("text", ["Größe 5,90 €", "价格", "naïve", "Ж", "fi", "ｆ１"])
def test_no_character_that_was_read_is_drawn_as_a_blank(text):
    alone = [inked(character).size for character in text if not character.isspace()]
    assert min(alone) > 0
    assert inked(text).max() > inked(text[:-1]).max() if len(text) > 1 else alone[0] > 8
    quad = np.array([[10, 60], [150, 60], [150, 80], [10, 80]], np.float32)
    assert draw_lines(picture(), [Line(text, 0.9, quad, 0.9)])[61:79, 170:].min() < 60


def test_the_letters_of_a_text_are_drawn_as_they_are_beside_characters_that_no_font_has():
    np.testing.assert_array_equal(inked("Total")[:20], inked("Total €")[:20])


class LeftIsBright:
    """A classifier for which a line is upside down by as much as its first column is dark."""

    name = "fake"

    def __init__(self):
        self.batches = []

    def run(self, inputs):
        self.batches.append(inputs[0].shape)
        upright = (inputs[0][:, 0, 4, 0] + 1) / 2
        return [np.stack([upright, 1 - upright], axis=1)]


def graded(*levels):
    """Lines whose first column has the given brightness, 0 to 1."""
    return [np.full((8, 16, 3), round(level * 255), np.uint8) for level in levels]


def test_directions_come_in_the_lines_order_with_their_scores():
    engine = LeftIsBright()
    told = Classifier(engine, CLS, batch_size=2)(graded(1.0, 0.0, 0.2))
    assert [direction.text for direction in told] == ["0", "180", "180"]
    assert [direction.score for direction in told] == pytest.approx([1.0, 1.0, 0.8], abs=1e-3)
    assert engine.batches == [(2, 3, 8, 16), (1, 3, 8, 16)]


def test_only_what_is_surely_upside_down_is_turned():
    assert Classifier(LeftIsBright(), CLS).upside_down(graded(1.0, 0.0, 0.08, 0.12, 0.4)) == [
        False, True, True, False, False,
    ]  # fmt: skip


class KeepsInput(WidthReader):
    def run(self, inputs):
        self.line = inputs[0][0, 0]
        return super().run(inputs)


class AlwaysSure:
    """A classifier to which every line is upside down."""

    name = "fake"

    def run(self, inputs):
        return [np.tile(np.float32([0.05, 0.95]), (len(inputs[0]), 1))]


@pytest.mark.parametrize("turned", [False, True])
def test_lines_are_turned_before_they_are_read(turned):
    image = np.zeros((96, 160, 3), np.uint8)
    image[20:40, 10:70], image[20:40, 70:130] = 140, 220
    reader = KeepsInput()
    classifier = Classifier(AlwaysSure(), CLS) if turned else None
    (line,) = Pipeline(Detector(BrightIsText(), DET), Recognizer(reader, REC), classifier)(image)
    left, right = np.split(reader.line[:, : reader.line.shape[1] // 2 * 2], 2, axis=1)
    assert (left.mean() > right.mean()) == turned
    assert line.turned == line.to_dict()["turned"] == turned
    assert line.quad[0][0] < 10 and line.quad[0][1] < 20, "the box is that of the picture, not turned"


def test_a_classifier_of_another_shape_is_a_sentence():
    with pytest.raises(PpedgeError, match=r"gives shape \(1, 3, 5\) for 1 lines.*direction classifier's model"):
        Classifier(WidthReader(), CLS)(graded(1.0))
    with pytest.raises(PpedgeError, match="Not a classifier: its specification says task 'rec'"):
        Classifier(LeftIsBright(), REC)
