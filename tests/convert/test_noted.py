"""What PaddleOCR's exporter notes beside a model: taken, held against the recipe, or refused."""

import pytest
import yaml

from ppedge.convert import noted
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel
from ppedge.ocr.spec import ClsPreprocess, DetPreprocess, RecPreprocess

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": "1./255.", "order": "hwc"}
READ = [{"DecodeImage": {"channel_first": False, "img_mode": "BGR"}}]
PACK = [{"ToCHWImage": None}, {"KeepKeys": {"keep_keys": ["image", "shape"]}}]
SECTIONS = {"det": DetPreprocess, "rec": RecPreprocess, "cls": ClsPreprocess}


@pytest.fixture
def write(tmp_path):
    """Write notes beside a model, of which nothing is read but its name, and return its files."""

    def write(*steps):
        if steps:
            ops = [*READ, {"DetLabelEncode": None}, *steps, *PACK]
            (tmp_path / "inference.yml").write_text(yaml.safe_dump({"PreProcess": {"transform_ops": ops}}))
        return InferenceModel.at(tmp_path / "inference")

    return write


def det(size=None, **normalised):
    return [{"DetResizeForTest": size}, {"NormalizeImage": {**IMAGENET, **normalised}}]


def test_a_dictionary_that_the_exporter_noted_is_held_against_the_characters(write):
    files, about = write(), {"PostProcess": {"name": "CTCLabelDecode", "character_dict": ["a", "0", "a", ""]}}
    noted.require_dictionary(files, ("x",))  # nothing is noted
    notes = files.model.with_name("inference.yml")
    notes.write_text(yaml.safe_dump(about))
    noted.require_dictionary(files, ("a", "0", "a", "", " "))
    with pytest.raises(PpedgeError, match=r"inference\.yml: class 3 of the network reads as 'a', .* has 'b' there"):
        noted.require_dictionary(files, ("a", "0", "b", ""))
    with pytest.raises(PpedgeError, match=r"class 4 of the network reads as '', the character set has none so far"):
        noted.require_dictionary(files, ("a", "0", "a"))


@pytest.mark.parametrize("text", ["", "- a", "PostProcess: {}", "PostProcess: {character_dict: [1, 2]}", "[[[", "\0"])
def test_notes_of_another_form_say_nothing(write, text):
    files = write()
    files.model.with_name("inference.yml").write_text(text)
    noted.require_dictionary(files, ("x",))


@pytest.mark.parametrize(
    ("boxes", "known"),
    [
        ({"thresh": 0.2, "box_thresh": 0.45, "max_candidates": 3000, "unclip_ratio": 1.4, "name": "DBPostProcess"},
         {"thresh": 0.2, "box_thresh": 0.45, "max_candidates": 3000, "unclip_ratio": 1.4}),
        ({"thresh": 0.3, "box_thresh": 0.6, "use_dilation": True, "score_mode": "slow"},
         {"dilation": True, "score_mode": "slow"}),
        ({"thresh": "low", "box_thresh": 0.45}, {}),
        ({"unclip_ratio": -1}, {}),
        ([1], {}),
    ],
)  # fmt: skip
def test_what_the_exporter_noted_of_a_detectors_boxes_is_taken(write, boxes, known):
    files = write()
    assert noted.noted_postprocess(files) == {}
    files.model.with_name("inference.yml").write_text(yaml.safe_dump({"PostProcess": boxes}))
    assert noted.noted_postprocess(files) == known


@pytest.mark.parametrize(
    ("task", "steps", "keys"),
    [
        ("det", det(), {}),
        ("det", det({"resize_long": 960}), {"limit_side": 960, "limit_type": "max"}),
        ("det", det({"limit_side_len": 640}), {"limit_side": 640}),
        ("det", det({"limit_side_len": 960, "limit_type": "max", "max_side_limit": 3000}),
         {"limit_side": 960, "limit_type": "max", "max_side": 3000}),
        ("det", det({"image_shape": [736, 1280]}), {}),
        ("det", det(scale=None, mean=None), {}),
        ("det", det(scale=0.00392157), {}),
        ("det", det(mean=[0.5, 0.5, 0.5]), {"mean": (0.5, 0.5, 0.5)}),
        ("det", det(scale=1.0, mean=[127.5, 127.5, 127.5], std=[51, 51, 51], order="chw"),
         {"mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2)}),
        ("rec", [{"MultiLabelEncode": {"gtc_encode": "NRTRLabelEncode"}},
                 {"RecResizeImg": {"image_shape": [3, 48, 160]}}], {"height": 48, "min_width": 160}),
        ("rec", [{"RecResizeImg": {"image_shape": [3, 32, 320]}}], {}),
        ("cls", [{"ClsResizeImg": {"image_shape": [3, 32, 100]}}], {"height": 32, "width": 100}),
    ],
)  # fmt: skip
def test_what_the_exporter_noted_of_the_input_is_taken(write, task, steps, keys):
    assert noted.noted_preprocess(write(), task) == {}
    files = write(*steps)
    assert noted.noted_preprocess(files, task) == keys
    noted.require_preprocess(files, task, SECTIONS[task](**keys), free_height=True)


@pytest.mark.parametrize(
    ("task", "steps", "says"),
    [
        ("det", [{"DecodeImage": {"img_mode": "RGB"}}], "channels in the order 'RGB', ppedge in BGR"),
        ("det", [{"Pad": {"size": [640, 640]}}], "pictures go through 'Pad', which ppedge does not do for the task"),
        ("det", det(scale="a lot"), "multiplies pixels by 'a lot', which is no number above 0"),
        ("det", det(mean=[1]), "has the mean [1], which are no three numbers"),
        ("det", det(std=[0, 1, 1]), "none that det_preprocess may have (Value error, std must be above 0)"),
        ("det", det({"resize_long": "long"}), "none that det_preprocess.limit_side may have"),
        ("rec", [{"NormalizeImage": IMAGENET}], "pictures go through 'NormalizeImage'"),
        ("rec", [{"SVTRRecResizeImg": {"image_shape": [3, 64, 256], "padding": False}}], "stretches lines"),
        ("cls", [{"ResizeImage": {"size": [160, 80]}}, {"NormalizeImage": IMAGENET}], "go through 'ResizeImage'"),
    ],
)  # fmt: skip
def test_what_no_recipe_can_say_of_the_input_is_refused(write, task, steps, says):
    files = write(*steps)
    for asked in (
        lambda: noted.noted_preprocess(files, task),
        lambda: noted.require_preprocess(files, task, SECTIONS[task](), free_height=True),
    ):
        with pytest.raises(PpedgeError) as error:
            asked()
        assert "inference.yml: " in str(error.value) and says in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("task", "steps", "section", "says"),
    [
        ("det", det(), DetPreprocess(mean=(0.5, 0.5, 0.5)),
         "takes mean [0.485,0.456,0.406], det_preprocess.mean is [0.5,0.5,0.5]. "
         "Use --set det_preprocess.mean=[0.485,0.456,0.406]."),
        ("det", det(std=[0.5, 0.5, 0.5]), DetPreprocess(), "takes std [0.5,0.5,0.5], det_preprocess.std is"),
        ("rec", [{"RecResizeImg": {"image_shape": [3, 48, 320]}}], RecPreprocess(), "takes height 48, rec_pre"),
        ("rec", [{"RecResizeImg": {"image_shape": [3, 32, 320]}}], RecPreprocess(std=1.0), "takes std 0.5, rec_pre"),
    ],
)  # fmt: skip
def test_a_recipe_that_prepares_pictures_otherwise_is_refused(write, task, steps, section, says):
    noted.require_preprocess(write(), task, section, free_height=True)
    with pytest.raises(PpedgeError) as error:
        noted.require_preprocess(write(*steps), task, section, free_height=True)
    assert says in f"{error.value} {error.value.hint}"


def test_sizes_that_the_recipe_chooses_and_a_height_that_the_file_fixes_are_left_to_them(write):
    section = DetPreprocess(limit_side=320, limit_type="max")
    noted.require_preprocess(write(*det({"resize_long": 960})), "det", section, free_height=True)
    files = write({"RecResizeImg": {"image_shape": [3, 48, 320]}})
    noted.require_preprocess(files, "rec", RecPreprocess(height=32), free_height=False)


def test_what_is_otherwise_with_a_noted_size_is_a_sentence(write):
    assert noted.otherwise(write(*det({"limit_side_len": 960}))) == ""
    assert "enlarged" in noted.otherwise(write(*det({"resize_long": 960})))
    assert "fixed size [736, 1280]" in noted.otherwise(write(*det({"image_shape": [736, 1280]})))
