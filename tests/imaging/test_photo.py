import base64
import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import PORTRAIT
from PIL import Image, PngImagePlugin

from headshot.errors import PhotoError
from headshot.imaging import photo as photo_module
from headshot.imaging.photo import KEEP_SIDE_PX, MAX_FILE_BYTES, Photo

RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 180, 30), (30, 30, 200), (220, 220, 40)
# 96 × 64 quadrants (red green / blue yellow) under a rotation of 6, with a GPS block; drawn and encoded for this test.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAaFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAA"
    "AAAERAAAIAAQAAAAABxQABAAAAAAAAAKAAAgAAAAACZQABAAAAAAAAAEIAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVp"
    "bmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA4GlwcnAAAADAaXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGE"
    "ABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoDCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAi"
    "QAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABgAAAAQAAAABBwaXhpAAAAAAMICAgAAAAJaXJvdAMAAAAYaXBtYQAAAAAAAAABAA"
    "EFgQIDBIUAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAOptZGF0AAAAnCgBrxOAeNWFyL//+ClR/+61nh+DqLyJjF+wVv/YlX/rMJKeEYWA"
    "xvTRho5uiLyooKawkAzoWB8aAqOxFqdraTuH2p3jtz/+5YEj8VZJ/5GLS3Xc2LJTI9pF5Yn0+sT/d1SSqNCXc8M94SIG6XPqd3UAYaWvrkgHA3"
    "SeO3h/zke/yBT8v931588sOZyl/NX5mh8LnTGlidhPQQxCDwAAAAZFeGlmAABNTQAqAAAACAACARIAAwAAAAEABgAAiCUABAAAAAEAAAAmAAAA"
    "AAABAAEAAgAAAAJOAAAAAAAAAA=="
)


def quadrants(size=(96, 64), mode="RGB"):
    """Red and green above blue and yellow."""
    width, height = size
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = BLUE, YELLOW
    return Image.fromarray(pixels).convert(mode)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def flat(colour, mode="RGB", size=(80, 64)):
    return Image.new(mode, size, colour)


def corners(photo):
    """The colours in the middle of the four quadrants, in reading order."""
    height, width = photo.pixels.shape[:2]
    return [photo.pixels[y, x] for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]


def assert_near(found, expected, tolerance):
    np.testing.assert_allclose(np.asarray(found, int), np.asarray(expected, int), atol=tolerance)


def refusal(data):
    with pytest.raises(PhotoError) as caught:
        Photo.of(data)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert ":" in sentence, "a refusal says what to do"
    return sentence


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, depth, colour_type, rows):
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows, 9))
        + png_chunk(b"IEND", b"")
    )


# Display P3's primaries adapted to D50, as every P3 profile holds them; and sRGB's.
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def icc(space, gamma, primaries=None):
    """A smallest matrix or grey profile (ICC.1:2001-04): white point, curve, primaries."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    tags = {b"wtpt": xyz((0.9642, 1.0, 0.8249)), b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        for letter, column in zip("rgb", primaries.T, strict=True):
            tags[f"{letter}XYZ".encode()], tags[f"{letter}TRC".encode()] = xyz(column), curve
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(content))
        body += content
    length = 128 + len(table) + len(body)
    header = struct.pack(">I4xI", length, 0x02400000) + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def srgb_encoded(linear):
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("AVIF", {"quality": 95}, 6),
        ("BMP", {}, 0),
        ("GIF", {}, 8),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
    ],
)
def test_every_allowed_kind_of_file_gives_its_pixels(kind, options, tolerance):
    photo = Photo.from_bytes(encoded(quadrants(), kind, **options))
    assert photo.pixels.shape == (64, 96, 3)
    assert photo.pixels.dtype == np.uint8
    assert_near(corners(photo), [RED, GREEN, BLUE, YELLOW], tolerance)


def test_a_heic_photo_from_a_phone_is_read_upright():
    photo = Photo.from_bytes(HEIC)
    assert photo.pixels.shape == (96, 64, 3)
    assert_near(corners(photo), [BLUE, RED, YELLOW, GREEN], 4)


def test_a_heic_file_that_crashes_its_decoder_is_refused_and_nothing_else_dies():
    item = HEIC.index(b"Exif\0")  # an item type that is not UTF-8 makes pi-heif 1.4.0 fall with a segmentation fault
    assert "damaged" in refusal(HEIC[: item + 1] + b"\xb5" + HEIC[item + 2 :])


@pytest.mark.parametrize(("width", "height"), [(13_000, 8_000), (16_320, 12_240)])
def test_a_heic_file_of_too_many_pixels_is_refused_before_it_is_decoded(width, height):
    size = HEIC.index(b"ispe") + 8  # the stored size, which comes before the turn; its pixels do not exist
    sentence = refusal(HEIC[:size] + struct.pack(">II", width, height) + HEIC[size + 8 :])
    assert f"{width:,}" in sentence
    assert "megapixels" in sentence


def test_a_heic_file_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(photo_module, "_HEIF_SECONDS", 0.001)
    assert "damaged" in refusal(HEIC)


def test_the_pixels_cannot_be_written():
    photo = Photo.from_image(quadrants())
    with pytest.raises(ValueError, match="read-only"):
        photo.pixels[0, 0] = 0


def test_the_image_is_the_pixels():
    photo = Photo.open(PORTRAIT)
    assert photo.image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(photo.image), photo.pixels)


def test_path_bytes_and_image_of_one_picture_have_one_sha256(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(quadrants(), "PNG"))
    photos = [Photo.of(path), Photo.of(str(path)), Photo.of(path.read_bytes()), Photo.of(quadrants())]
    assert len({photo.sha256 for photo in photos}) == 1
    assert Photo.of(photos[0]) is photos[0]


def test_one_changed_pixel_or_another_shape_changes_the_sha256():
    plain = np.zeros((100, 64, 3), np.uint8)
    touched = plain.copy()
    touched[50, 30, 1] = 1
    names = {Photo.from_image(Image.fromarray(pixels)).sha256 for pixels in (plain, touched, plain.reshape(64, 100, 3))}
    assert len(names) == 3


def test_something_that_cannot_be_a_photo_is_a_bug_of_the_caller():
    with pytest.raises(TypeError, match="not int"):
        Photo.of(7)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(kind, orientation):
    upright = quadrants()
    # How each orientation's file is stored: the inverse of the turn that shows it upright (EXIF 2.32, 4.6.4).
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    photo = Photo.from_bytes(encoded(stored, kind, exif=exif, **options))
    assert photo.pixels.shape == (64, 96, 3)
    assert_near(corners(photo), [RED, GREEN, BLUE, YELLOW], 6)


def test_an_orientation_that_does_not_exist_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert_near(corners(Photo.from_bytes(encoded(quadrants(), "PNG", exif=exif)))[0], RED, 0)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("block", [b"MM\0*\xff\xff\xff\xff\0\0", b"MM\0*\0\0", b"XX"])
def test_a_broken_exif_block_does_not_cost_the_photo(block):
    photo = Photo.from_bytes(encoded(quadrants(), "PNG", exif=b"Exif\0\0" + block))
    assert_near(corners(photo)[0], RED, 0)


def test_gps_camera_text_and_profile_are_gone():
    exif = Image.Exif()
    exif[0x010F] = "CANARY-CAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "CANARY-PROMPT")
    data = encoded(quadrants(), "PNG", exif=exif, pnginfo=text, icc_profile=icc(b"RGB ", 2.2, P3))
    assert b"CANARY-CAMERA" in data
    assert b"CANARY-PROMPT" in data
    image = Photo.from_bytes(data).image
    assert image.info == {}
    assert dict(image.getexif()) == {}
    assert b"CANARY" not in encoded(image, "PNG")


def test_a_wide_gamut_profile_is_turned_into_srgb():
    stored = np.array([180, 110, 90])
    data = encoded(flat(tuple(stored.tolist())), "PNG", icc_profile=icc(b"RGB ", 2.2, P3))
    expected = srgb_encoded(np.linalg.solve(SRGB, P3 @ (stored / 255) ** 2.2))
    assert np.abs(expected - stored).max() > 8, "the profile must matter"
    assert_near(Photo.from_bytes(data).pixels[0, 0], expected.round(), 2)


def test_a_grey_profile_is_honoured():
    data = encoded(flat(128, "L"), "PNG", icc_profile=icc(b"GRAY", 1.0))
    assert_near(Photo.from_bytes(data).pixels[0, 0], [188] * 3, 2)  # 128/255 linear is 188 in sRGB


@pytest.mark.parametrize("profile", [b"not a profile", icc(b"RGB ", 2.2, P3)[:200], icc(b"GRAY", 1.0)])
def test_a_broken_or_foreign_profile_is_ignored(profile):
    data = encoded(flat((180, 110, 90)), "PNG", icc_profile=profile)
    assert_near(Photo.from_bytes(data).pixels[0, 0], (180, 110, 90), 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_light_grey(mode):
    image = flat((10, 10, 10, 0) if mode == "RGBA" else (10, 0), mode)
    image.paste((10, 10, 10, 255) if mode == "RGBA" else (10, 255), (0, 0, 40, 64))
    photo = Photo.from_bytes(encoded(image, "PNG"))
    assert_near(photo.pixels[30, 20], (10, 10, 10), 0)
    assert_near(photo.pixels[30, 60], (230, 230, 230), 0)


def test_half_transparency_is_a_mix():
    photo = Photo.from_bytes(encoded(flat((30, 30, 30, 128), "RGBA"), "PNG"))
    assert_near(photo.pixels[0, 0], [130] * 3, 1)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_see_through_palette_colour_becomes_light_grey(kind):
    image = Image.new("P", (80, 64), 1)
    image.putpalette([0, 0, 0, 200, 30, 30])
    image.paste(0, (0, 0, 40, 64))
    photo = Photo.from_bytes(encoded(image, kind, transparency=0))
    assert_near(photo.pixels[30, 20], (230, 230, 230), 0)
    assert_near(photo.pixels[30, 60], RED, 0)


def test_one_see_through_rgb_colour_becomes_light_grey():
    image = flat(RED)
    image.paste(BLUE, (0, 0, 40, 64))
    photo = Photo.from_bytes(encoded(image, "PNG", transparency=BLUE))
    assert_near(photo.pixels[30, 20], (230, 230, 230), 0)
    assert_near(photo.pixels[30, 60], RED, 0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_tones(kind):
    ramp = np.tile(np.linspace(0, 65535, 80).round().astype(np.uint16), (64, 1))
    photo = Photo.from_bytes(encoded(Image.fromarray(ramp), kind))
    assert_near(photo.pixels[30, :, 0], (ramp[0] / 257).round(), 1)


def test_sixteen_bit_colour_keeps_its_tones():
    row = b"\0" + struct.pack(">HHH", 200 * 257, 30 * 257, 30 * 257) * 80
    assert_near(Photo.from_bytes(png(80, 64, 16, 2, row * 64)).pixels[5, 5], RED, 1)


@pytest.mark.parametrize(("white", "tolerance"), [(1.0, 1), (255.0, 1), (1000.0, 17)])
def test_floating_point_grey_is_scaled_to_its_white(white, tolerance):
    ramp = np.tile(np.linspace(0, white, 80, dtype=np.float32), (64, 1))
    ramp[0, 0] = np.nan
    photo = Photo.from_bytes(encoded(Image.fromarray(ramp), "TIFF"))
    expected = np.linspace(0, 255 if white <= 255 else 255 * white / 65535, 80)
    assert_near(photo.pixels[30, :, 0], expected.round(), tolerance)


def test_one_bit_pictures_are_black_and_white():
    image = flat(0, "1")
    image.paste(1, (0, 0, 40, 64))
    photo = Photo.from_bytes(encoded(image, "PNG"))
    assert_near(photo.pixels[30, [20, 60]], [[255] * 3, [0] * 3], 0)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_read_as_ink(kind):
    photo = Photo.from_bytes(encoded(flat((0, 255, 255, 0), "CMYK"), kind))
    red, green, blue = photo.pixels[30, 30].tolist()
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(flat(RED), kind, save_all=True, append_images=[flat(BLUE), flat(GREEN)], duration=50, **options)
    assert_near(Photo.from_bytes(data).pixels[30, 30], RED, 1)


def test_a_phones_jpeg_with_a_second_picture_inside_gives_the_first():
    data = encoded(quadrants((900, 600)), "MPO", save_all=True, append_images=[flat(BLUE)], quality=95)
    assert data.startswith(b"\xff\xd8\xff")
    assert_near(corners(Photo.from_bytes(data)), [RED, GREEN, BLUE, YELLOW], 4)


def test_photos_can_be_read_in_several_threads_at_once():
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda seed: Photo.from_bytes(seed).sha256, SEEDS * 4))
    assert names == [Photo.from_bytes(seed).sha256 for seed in SEEDS] * 4


def test_a_large_photo_is_reduced_to_4096_pixels_and_keeps_its_shape():
    photo = Photo.from_bytes(encoded(quadrants((5000, 3000)), "JPEG"))
    assert photo.pixels.shape == (round(3000 * KEEP_SIDE_PX / 5000), KEEP_SIDE_PX, 3)
    assert_near(corners(photo), [RED, GREEN, BLUE, YELLOW], 4)


def test_a_very_wide_jpeg_is_reduced_by_its_own_decoder():
    photo = Photo.from_bytes(encoded(quadrants((9000, 1000)), "JPEG"))
    assert photo.pixels.shape == (round(1000 * KEEP_SIDE_PX / 9000), KEEP_SIDE_PX, 3)
    assert_near(corners(photo), [RED, GREEN, BLUE, YELLOW], 4)


def test_the_callers_image_stays_as_it_is():
    image = Image.open(io.BytesIO(encoded(quadrants(mode="P"), "PNG")))
    photo = Photo.from_image(image)
    assert image.mode == "P"
    assert image.size == (96, 64)
    assert photo.pixels.shape == (64, 96, 3)


# What is refused, and in which words.


def test_an_empty_file_is_refused_with_a_sentence():
    assert "empty" in refusal(b"")


def test_a_file_over_ten_megabytes_is_refused_with_a_sentence(tmp_path):
    data = encoded(quadrants(), "PNG") + bytes(MAX_FILE_BYTES)
    assert "10 MB" in refusal(data)
    path = tmp_path / "big.png"
    path.write_bytes(data)
    assert "10 MB" in refusal(path)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"Dear diary, this is not a photo.", "text"),
        ("Größe, ünïcode".encode(), "text"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg' width='9'/>", "SVG"),
        (b"\xef\xbb\xbf  <SVG/>", "SVG"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"%PDF-1.7\n\0", "PDF"),
        (b"\0\0\0 ftypisom\0\0\2\0isomiso2", "video"),
        (b"PK\3\4\0\0\0\0", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "text"),
        (bytes(range(256)), "not a picture"),
    ],
)
def test_what_is_no_picture_is_told_apart(data, word):
    assert word in refusal(data)


def test_a_kind_of_picture_that_is_not_allowed_never_meets_its_decoder():
    assert "not a picture that can be read here" in refusal(encoded(quadrants(), "TGA"))
    assert "not a picture that can be read here" in refusal(encoded(quadrants(), "JPEG2000"))


def test_a_text_file_named_jpg_is_refused_with_a_sentence(tmp_path):
    path = tmp_path / "me.jpg"
    path.write_text("hello")
    assert "contains text" in refusal(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"])
def test_a_truncated_file_is_refused_with_a_sentence(kind):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8))
    data = encoded(noise, kind)
    sentence = refusal(data[: len(data) // 2])
    assert "cut short" in sentence or "damaged" in sentence


def test_a_truncated_jpeg_is_said_to_be_cut_short():
    data = PORTRAIT.read_bytes()
    assert "cut short" in refusal(data[: len(data) // 2])


def test_a_missing_file_and_a_folder_are_refused_with_a_sentence(tmp_path):
    assert "no file “nowhere.jpg”" in refusal(tmp_path / "nowhere.jpg")
    assert "folder" in refusal(tmp_path)
    assert "check the path" in refusal("a\0b.jpg")
    assert "check the path" in refusal("x" * 5000)
    assert "Links" in refusal("https://example.org/me.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not a file" in refusal(tmp_path / "pipe.jpg")


def test_a_tiny_picture_is_refused_with_a_sentence():
    assert "63 × 80" in refusal(encoded(flat(RED, size=(63, 80)), "PNG"))
    assert Photo.from_image(flat(RED, size=(64, 64))).pixels.shape == (64, 64, 3)


def must_not_decode(monkeypatch):
    def decode(*_):
        raise AssertionError("decoded although the size says no")

    monkeypatch.setattr(photo_module, "_clean", decode)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(13_376, 13_376), (40_000, 40_000), (12_001, 64), (8_000, 6_000)])
def test_a_bomb_of_a_few_kilobytes_is_refused_before_it_is_decoded(width, height, monkeypatch):
    must_not_decode(monkeypatch)
    rows = (b"\0" + bytes((width + 7) // 8)) * height
    data = png(width, height, 1, 0, rows)
    assert len(data) < 250_000
    assert "megapixels" in refusal(data)


@pytest.mark.parametrize(
    "first_chunk",
    [
        b"VP8X" + struct.pack("<II", 10, 0) + (99_999).to_bytes(3, "little") + (29_999).to_bytes(3, "little"),
        b"VP8L" + struct.pack("<IB", 10, 0x2F) + struct.pack("<I", 16_382 | 16_382 << 14),
        b"VP8 " + struct.pack("<I", 10) + b"\0\0\0\x9d\1\x2a" + struct.pack("<HH", 16_383, 16_383),
    ],
)
def test_a_webp_bomb_is_refused_before_its_canvas_is_set_up(first_chunk, monkeypatch):
    def opened(*_, **__):
        raise AssertionError("opened although the size says no")

    monkeypatch.setattr(photo_module.Image, "open", opened)
    assert "megapixels" in refusal(b"RIFF" + struct.pack("<I", 4 + len(first_chunk)) + b"WEBP" + first_chunk)


@pytest.mark.parametrize("lossless", [True, False])
def test_the_webp_header_is_read_as_pillow_reads_it(lossless):
    for mode in ("RGB", "RGBA"):
        data = encoded(
            quadrants((97, 65), mode), "WEBP", lossless=lossless, exif=b"Exif\0\0" if mode == "RGBA" else b""
        )
        assert photo_module._webp_size(data) == (97, 65)


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded(monkeypatch):
    must_not_decode(monkeypatch)
    data = encoded(flat(128, "L", (4000, 4000)), "JPEG", progressive=True)
    last_scan = data[data.rfind(b"\xff\xda") : -2]
    assert "very long" in refusal(data[:-2] + last_scan * 100 + b"\xff\xd9")


def test_an_ordinary_progressive_jpeg_is_no_bomb():
    data = encoded(quadrants((4000, 3000)), "JPEG", progressive=True)
    assert Photo.from_bytes(data).pixels.shape == (3000, 4000, 3)


@pytest.mark.parametrize("fault", [MemoryError, KeyboardInterrupt])
def test_running_out_of_memory_is_not_blamed_on_the_photo(fault, monkeypatch):
    def fail(_):
        raise fault

    monkeypatch.setattr(photo_module, "_clean", fail)
    with pytest.raises(fault):
        Photo.from_bytes(encoded(quadrants(), "PNG"))
    with pytest.raises(fault):
        Photo.from_image(quadrants())


# Turned by hand.


def test_a_photo_is_turned_clockwise():
    photo = Photo.from_image(quadrants())
    assert_near(corners(photo.turned(90)), [BLUE, RED, YELLOW, GREEN], 0)
    assert_near(corners(photo.turned(180)), [YELLOW, BLUE, GREEN, RED], 0)
    assert_near(corners(photo.turned(270)), [GREEN, YELLOW, RED, BLUE], 0)
    assert photo.turned(90).pixels.shape == (96, 64, 3)
    assert not photo.turned(90).pixels.flags.writeable


def test_a_turned_photo_is_another_one_and_the_same_again_after_four_turns():
    photo = Photo.from_image(quadrants())
    shas = {photo.turned(degrees).sha256 for degrees in (0, 90, 180, 270)}
    assert len(shas) == 4
    assert photo.turned(90).turned(90).turned(180).sha256 == photo.sha256


@pytest.mark.parametrize("degrees", [-90, 45, 360])
def test_a_photo_is_turned_by_right_angles_alone(degrees):
    with pytest.raises(ValueError, match="turned by 0, 90, 180 or 270"):
        Photo.from_image(quadrants()).turned(degrees)


# Fuzz: a Photo or a PhotoError, nothing else.

_exif = Image.Exif()
_exif[0x0112] = 6
_exif.get_ifd(0x8825)[1] = "N"
SEEDS = [
    encoded(quadrants(), "JPEG", exif=_exif, icc_profile=icc(b"RGB ", 2.2, P3)),
    encoded(quadrants(), "JPEG", progressive=True),
    encoded(quadrants(mode="CMYK"), "JPEG"),
    encoded(quadrants(mode="RGBA"), "PNG", exif=_exif, icc_profile=icc(b"RGB ", 2.2, P3)),
    encoded(quadrants(mode="P"), "PNG", transparency=1),
    encoded(Image.fromarray(np.arange(96 * 64, dtype=np.uint16).reshape(64, 96)), "PNG"),
    encoded(quadrants(), "GIF", save_all=True, append_images=[flat(RED, size=(96, 64))]),
    encoded(quadrants(mode="RGBA"), "WEBP", exif=_exif),
    encoded(quadrants(), "WEBP", save_all=True, append_images=[flat(RED, size=(96, 64))]),
    encoded(quadrants(), "AVIF", exif=_exif),
    encoded(quadrants(), "BMP"),
    encoded(quadrants(mode="P"), "BMP"),
    encoded(quadrants(), "TIFF", exif=_exif),
    encoded(quadrants(), "TIFF", compression="tiff_deflate"),
    encoded(quadrants(mode="F"), "TIFF"),
    HEIC,
]
fuzz = settings(
    max_examples=400, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
quiet = pytest.mark.filterwarnings("ignore")  # Pillow warns about most of what is broken here


def is_photo_or_refused(data):
    try:
        photo = Photo.from_bytes(data)
    except PhotoError as error:
        return str(error).endswith(".")
    return photo.pixels.ndim == 3 and photo.pixels.shape[2] == 3 and photo.pixels.dtype == np.uint8


@quiet
@fuzz
@given(
    st.binary(max_size=300), st.sampled_from([b"", *photo_module._MAGIC, b"RIFF\1\0\0\0WEBP", *(s[:40] for s in SEEDS)])
)
def test_random_bytes_are_a_photo_or_a_photo_error(tail, head):
    assert is_photo_or_refused(head + tail)


@quiet
@fuzz
@given(st.data())
def test_truncated_and_flipped_files_are_a_photo_or_a_photo_error(data):
    broken = bytearray(data.draw(st.sampled_from(SEEDS)))
    places = st.one_of(
        st.integers(0, min(200, len(broken) - 1)), st.integers(0, len(broken) - 1)
    )  # headers matter most
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        broken[place] = value
    keep = data.draw(st.one_of(st.just(len(broken)), st.integers(1, len(broken))))
    assert is_photo_or_refused(bytes(broken[:keep]))
