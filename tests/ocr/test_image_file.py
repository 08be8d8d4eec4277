"""The one reader of picture files, over what may lie in such a file."""

import io
import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from ppedge.errors import PpedgeError
from ppedge.ocr.geometry import MAX_SIDE, crop_quad
from ppedge.ocr.image_file import PictureSize, on_white, picture_size, read_image

WHITE, GREY = [255, 255, 255], [128, 128, 128]
SAVINGS = {
    "plain.png": {},
    "plain.bmp": {},
    "plain.ppm": {},
    "plain.jpg": {"quality": 95},
    "progressive.jpg": {"progressive": True},
    "plain.webp": {},
    "lossless.webp": {"lossless": True},
    "plain.tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "plain.jp2": {},
}


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour_type, rows, *chunks):
    """A PNG file of given rows, for what no library writes."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def tiff(width, height, bits, photometric, pixels, sample_format=1):
    """A grey TIFF file of one strip."""
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height,
            279: len(pixels), 339: sample_format}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory


@pytest.fixture
def kept(tmp_path):
    """Write bytes to a picture's file and return its path."""

    def keep(data, name="picture"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return keep


@pytest.fixture(scope="module")
def smooth():
    """A picture (60, 80, 3) in RGB that a lossy format hardly changes."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (31, 31), 8))


@pytest.mark.parametrize("name", SAVINGS)
def test_every_format_is_read_as_bgr(tmp_path, smooth, name):
    smooth.save(tmp_path / name, **SAVINGS[name])
    image = read_image(tmp_path / name)
    assert (image.shape, image.dtype) == ((60, 80, 3), np.uint8)
    assert abs(image.astype(int) - np.asarray(smooth)[..., ::-1]).max() <= 12
    assert picture_size(tmp_path / name) == PictureSize(80, 60)


def test_names_need_not_be_ascii(tmp_path, smooth):
    smooth.save(tmp_path / "ü 1.png")
    assert np.array_equal(read_image(tmp_path / "ü 1.png"), np.asarray(smooth)[..., ::-1])


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_pixels_are_those_of_opencv(tmp_path, suffix, shared_data):
    """Networks were trained and measured on what OpenCV decodes."""
    real = sorted((shared_data / "data/receipts/images").glob("*.jpg"))[:3]
    for path in real:
        image = cv2.imread(str(path))
        cv2.imwrite(str(tmp_path / f"one.{suffix}"), image)
        assert np.array_equal(read_image(path), image)
        assert np.array_equal(read_image(tmp_path / f"one.{suffix}"), cv2.imread(str(tmp_path / f"one.{suffix}")))


def test_a_picture_higher_than_a_strip_is_whole(tmp_path):
    tall = np.random.default_rng(0).integers(0, 256, (300, 7, 4), np.uint8)
    cv2.imwrite(str(tmp_path / "tall.png"), tall)
    assert np.array_equal(read_image(tmp_path / "tall.png"), on_white(tall))


def test_transparency_is_laid_on_white_and_rounded_to_the_nearest():
    colour, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    laid = on_white(np.dstack([colour, 255 - colour, colour, alpha]))
    share = alpha / 255.0
    for channel, values in enumerate((colour, 255 - colour, colour)):
        assert np.array_equal(laid[..., channel], np.rint(values * share + 255 * (1 - share)))


def half(depth):
    """Opaque black, then half of it, then nothing."""
    return (0, 2**depth - 1), (0, 2 ** (depth - 1)), (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(3, 1, 8, 6, [b"".join(bytes([c, c, c, a]) for c, a in half(8))]), id="RGBA"),
        pytest.param(png(3, 1, 16, 6, [b"".join(struct.pack(">4H", c, c, c, a) for c, a in half(16))]), id="RGBA 16"),
        pytest.param(png(3, 1, 8, 4, [b"".join(bytes(pair) for pair in half(8))]), id="grey, alpha"),
        pytest.param(png(3, 1, 16, 4, [b"".join(struct.pack(">2H", *pair) for pair in half(16))]), id="grey, alpha 16"),
        pytest.param(
            png(3, 1, 8, 3, [b"\0\1\2"], chunk(b"PLTE", bytes(9)), chunk(b"tRNS", b"\xff\x80\0")), id="palette"
        ),
        pytest.param(
            png(3, 1, 2, 3, [b"\x18"], chunk(b"PLTE", bytes(9)), chunk(b"tRNS", b"\xff\x80\0")), id="palette 2"
        ),
    ],
)
def test_black_on_a_transparent_ground_is_black_on_white(kept, data):
    assert read_image(kept(data))[0].tolist() == [[0] * 3, [127] * 3, WHITE]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(2, 1, 1, 0, [b"\x40"], chunk(b"tRNS", b"\0\1")), id="1"),
        pytest.param(png(2, 1, 2, 0, [b"\x10"], chunk(b"tRNS", b"\0\1")), id="2"),
        pytest.param(png(2, 1, 4, 0, [b"\x03"], chunk(b"tRNS", b"\0\3")), id="4"),
        pytest.param(png(2, 1, 8, 0, [b"\0\3"], chunk(b"tRNS", b"\0\3")), id="8"),
        pytest.param(png(2, 1, 16, 0, [b"\0\2\3\2"], chunk(b"tRNS", b"\3\2")), id="16"),
        pytest.param(png(2, 1, 8, 2, [b"\0\0\0\1\2\3"], chunk(b"tRNS", b"\0\1\0\2\0\3")), id="RGB"),
        pytest.param(png(2, 1, 16, 2, [bytes(6) + b"\1\1\2\2\3\3"], chunk(b"tRNS", b"\1\1\2\2\3\3")), id="RGB 16"),
    ],
)
def test_one_transparent_colour_is_white(kept, data):
    assert read_image(kept(data))[0].tolist() == [[0] * 3, WHITE]


def test_transparent_webp_and_tiff_are_laid_on_white(tmp_path):
    ground = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    for name, options in {"a.webp": {"lossless": True, "exact": True}, "a.tif": {}}.items():
        ground.save(tmp_path / name, **options)
        assert (read_image(tmp_path / name) == 255).all()


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        pytest.param(png(8, 1, 1, 0, [b"\x0f"]), [0] * 4 + [255] * 4, id="PNG 1"),
        pytest.param(png(2, 1, 16, 0, [b"\x80\xff\xff\0"]), [128, 255], id="PNG 16"),
        pytest.param(tiff(2, 1, 16, 1, b"\xff\x80\0\xff"), [128, 255], id="TIFF 16"),
        pytest.param(tiff(2, 1, 16, 0, b"\xff\x80\0\xff"), [127, 0], id="TIFF 16, 0 is white"),
        pytest.param(tiff(2, 1, 8, 0, b"\x80\xff"), [127, 0], id="TIFF 8, 0 is white"),
        pytest.param(tiff(2, 1, 12, 1, b"\x80\xff\xff"), [128, 255], id="TIFF 12"),
        pytest.param(b"P5 2 1 65535\n\x80\xff\xff\0", [128, 255], id="PGM 16"),
        pytest.param(b"P4 8 1\n\xf0", [0] * 4 + [255] * 4, id="PBM"),
    ],
)
def test_greys_of_any_depth(kept, data, pixels):
    assert read_image(kept(data))[0].tolist() == [[value] * 3 for value in pixels]


def test_cmyk_is_read(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=100)
    blue, green, red = read_image(tmp_path / "red.jpg")[8, 8].astype(int)
    assert red > 240 and max(blue, green) < 15


@pytest.mark.parametrize(("bits", "sample_format"), [(32, 3), (32, 1), (32, 2)])
def test_numbers_without_a_range_are_refused(kept, bits, sample_format):
    with pytest.raises(PpedgeError, match=r"picture: its pixels are 32-bit numbers"):
        read_image(kept(tiff(2, 1, bits, 1, bytes(8), sample_format)))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_every_format(tmp_path, suffix, orientation):
    """The corner of the stored row 0 and column 0 is where the EXIF standard says."""
    stored = Image.new("RGB", (48, 32))
    stored.paste((255, 255, 255), (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"one.{suffix}", exif=exif.tobytes(), **({"lossless": True} if suffix == "webp" else {}))
    image = read_image(tmp_path / f"one.{suffix}")
    size = (48, 32) if orientation < 5 else (32, 48)
    told = picture_size(tmp_path / f"one.{suffix}")
    assert image.shape[1::-1] == (told.width, told.height) == size
    assert told.stored == PictureSize(48, 32) and told.orientation == orientation
    corners = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    for corner in ((0, 0), (0, -1), (-1, -1), (-1, 0)):
        assert image[corner][0] == (255 if corner == corners[orientation] else 0), corner


def test_damaged_exif_data_do_not_matter(tmp_path, smooth):
    smooth.save(tmp_path / "one.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\1\x12")
    assert read_image(tmp_path / "one.jpg").shape == (60, 80, 3)


def test_grey_of_16_bits_is_turned_too(kept):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png(2, 1, 16, 0, [b"\x80\0\xff\0"], chunk(b"eXIf", exif.tobytes()[6:]))
    assert read_image(kept(data))[:, 0, 0].tolist() == [128, 255]


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), (value, value, value)) for value in (40, 200, 90)]
    path = tmp_path / f"animation.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    assert (read_image(path) == 40).all()


def test_several_pages_are_a_sentence(tmp_path):
    pages = [Image.new("L", (8, 8), value) for value in (40, 200)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(PpedgeError, match=r"scan\.tif: holds 2 pages\. Save each page"):
        read_image(tmp_path / "scan.tif")


@pytest.mark.parametrize("name", SAVINGS)
def test_what_is_cut_off_is_refused(tmp_path, smooth, name):
    smooth.save(tmp_path / name, **SAVINGS[name])
    data = (tmp_path / name).read_bytes()
    for cut in (*range(1, 21), len(data) // 2, len(data) - 12):
        (tmp_path / name).write_bytes(data[:-cut])
        with pytest.raises(PpedgeError, match=name):
            read_image(tmp_path / name)


@pytest.mark.parametrize("where", [b"IDAT", b"IEND"])
def test_a_png_with_a_wrong_checksum_is_refused(kept, where):
    data = bytearray(png(2, 2, 8, 0, [b"\0\xff"] * 2))
    length = struct.unpack(">I", data[data.index(where) - 4 : data.index(where)])[0]
    data[data.index(where) + 4 + length] ^= 1
    with pytest.raises(PpedgeError, match="picture: the picture is damaged"):
        read_image(kept(bytes(data)))


@pytest.mark.parametrize("read", [read_image, picture_size])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot be read \(No such file"),
        (b"", "the file is empty"),
        (b"hello", "not a picture of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture of a known format"),
    ],
)
def test_unreadable_pictures_are_one_sentence(tmp_path, read, content, message):
    path = tmp_path / "picture.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PpedgeError, match=rf"picture\.jpg: {message}"):
        read(path)


def test_what_pillow_logs_is_not_printed(kept):
    data = tiff(2, 1, 8, 1, b"\0\0").replace(struct.pack("<HHII", 277, 4, 1, 1), struct.pack("<HHII", 277, 4, 1, 2048))
    script = "import sys; from ppedge.ocr.image_file import read_image; read_image(sys.argv[1])"
    command = [sys.executable, "-c", script, kept(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "More samples" not in done.stderr and "PpedgeError" in done.stderr.splitlines()[-1]


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path, tmp_path / "pipe.jpg", "/dev/zero"):
        with pytest.raises(PpedgeError, match=r"cannot be read \(not a regular file\)"):
            read_image(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_picture_that_may_not_be_read_is_a_sentence(kept):
    path = kept(b"x")
    path.chmod(0)
    with pytest.raises(PpedgeError, match=r"picture: cannot be read \(Permission denied\)"):
        read_image(path)


def bomb(suffix):
    """Few bytes whose header tells of 900 million pixels."""
    if suffix == "png":
        return png(30000, 30000, 1, 0, [bytes(3750)] * 9)
    if suffix == "tif":
        return tiff(30000, 30000, 1, 1, bytes(64))
    if suffix == "ppm":
        return b"P4 30000 30000\n"
    made = io.BytesIO()
    Image.new("RGB", (16, 16)).save(made, {"jpg": "JPEG", "bmp": "BMP", "jp2": "JPEG2000"}[suffix])
    data = made.getvalue()
    if suffix == "jpg":  # height and width in the frame header
        return data.replace(struct.pack(">HH", 16, 16), struct.pack(">HH", 30000, 30000))
    order = "<" if suffix == "bmp" else ">"
    return data.replace(struct.pack(f"{order}II", 16, 16), struct.pack(f"{order}II", 30000, 30000))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "ppm", "jp2"])
def test_too_many_pixels_are_refused_by_the_header(kept, suffix):
    path = kept(bomb(suffix), f"bomb.{suffix}")
    with pytest.raises(PpedgeError, match=rf"bomb\.{suffix}: too large: more than \d+ pixels\. Scale it down"):
        read_image(path)


def test_a_side_may_be_as_long_as_a_crop(tmp_path):
    for width, image in ((MAX_SIDE, "good.png"), (MAX_SIDE + 1, "long.png")):
        Image.new("L", (width, 8), 200).save(tmp_path / image)
    quad = [[MAX_SIDE - 10, 1], [MAX_SIDE - 2, 1], [MAX_SIDE - 2, 6], [MAX_SIDE - 10, 6]]
    assert (crop_quad(read_image(tmp_path / "good.png"), quad) == 200).all()
    with pytest.raises(PpedgeError, match=r"long\.png: too large: 32767 x 8 pixels"):
        read_image(tmp_path / "long.png")


MEASURE = """
import pathlib, resource, sys
from ppedge.ocr.image_file import read_image
taken = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (int(sys.argv[2]) << 20),) * 2)
try:
    print(read_image(sys.argv[1]).shape)
except Exception as error:
    print(error.exit_code, error)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("megabytes", "told"), [(700, "(10000, 13000, 3)"), (300, "not enough memory")])
def test_a_large_picture_is_held_twice_at_most(kept, megabytes, told):
    """130 million grey pixels, decoded to 124 MiB and returned in 372; with less, a sentence of its own."""
    rows = zlib.compressobj(1)
    pixels = b"".join(rows.compress(bytes(13001)) for _ in range(10000)) + rows.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 13000, 10000, 8, 0, 0, 0, 0))
    path = kept(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path, str(megabytes)], capture_output=True, text=True, check=False
    )
    assert told in done.stdout, done.stderr


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (50, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert picture_size(tmp_path / "a.jpg") == PictureSize(50, 20) and "EXIF" not in str(PictureSize(50, 20))
