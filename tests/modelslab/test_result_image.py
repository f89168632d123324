"""What a service's file becomes, and what is remembered of it."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import portraits
import pytest
from bad_photos import PORTRAIT
from PIL import Image, ImageFilter, PngImagePlugin

from headshot.errors import PhotoError
from headshot.imaging import face
from headshot.imaging.photo import Photo
from headshot.modelslab.replies import JobResponse
from headshot.modelslab.result_image import Subject, from_record, headshot_from_bytes, to_record
from headshot.request import Headshot, HeadshotRequest, Note

REQUEST = HeadshotRequest(prompt="navy backdrop", seed=7)
REPLY = JobResponse("done", "1")


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    return Image.open(PORTRAIT).convert("RGB").resize((455, 568))


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def shot(data: bytes, reply: JobResponse = REPLY, subject: Subject | None = None) -> Headshot:
    return headshot_from_bytes(
        data, REQUEST, reply, subject, {"endpoint": "https://modelslab.com/"}, seconds=1.5, job="j1"
    )


def test_a_headshot_comes_back_from_its_file_and_what_was_kept_to_the_byte(portrait: Image.Image) -> None:
    headshot = shot(file_of(portrait), JobResponse("done", "1", seed=8, nsfw=True), Subject(Photo.open(PORTRAIT)))
    assert headshot.likeness is not None and len(headshot.notes) == 2
    again = from_record(headshot.png, REQUEST, json.loads(json.dumps(to_record(headshot))), "j1")
    assert (again.image.mode, again.image.tobytes()) == ("RGB", headshot.image.tobytes())
    assert replace(again, image=headshot.image) == headshot


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"quality": 90}), ("WEBP", {"quality": 90})])
def test_whatever_the_format_a_headshot_is_a_png_of_the_same_pixels(
    kind: str, options: dict[str, object], portrait: Image.Image
) -> None:
    data = file_of(portrait, kind, **options)
    headshot = shot(data)
    assert headshot.png.startswith(b"\x89PNG\r\n\x1a\n")
    pixels = Photo.from_bytes(data).pixels
    assert np.array_equal(np.asarray(headshot.image), pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(headshot.png))), pixels)
    assert (headshot.request, headshot.backend, headshot.seconds, headshot.job) == (REQUEST, "modelslab", 1.5, "j1")


def test_what_a_service_wrote_into_its_file_goes(portrait: Image.Image) -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("parameters", "made for somebody else")
    exif = Image.Exif()
    exif[0x010E] = "made for somebody else"
    data = file_of(portrait, pnginfo=words, exif=exif)
    assert data.count(b"made for somebody else") == 2
    assert b"somebody" not in shot(data).png


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_file_is_refused_with_a_sentence(kind: str, portrait: Image.Image) -> None:
    data = file_of(portrait, kind)
    with pytest.raises(PhotoError) as refused:
        shot(data[: len(data) // 2])
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("data", [b"", b"<html>Not found</html>"])
def test_what_is_no_picture_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(PhotoError, match=r"\.$"):
        shot(data)


@pytest.mark.parametrize("word", ["black", "blank", "fully blurred"])
def test_a_picture_that_the_safety_filter_replaced_says_so(word: str, portrait: Image.Image) -> None:
    replaced = {
        "black": Image.new("RGB", (300, 400)),
        "blank": Image.new("RGB", (300, 400), (200, 200, 200)),
        "fully blurred": portrait.filter(ImageFilter.GaussianBlur(24)),
    }
    [note] = shot(file_of(replaced[word]), JobResponse("done", "1", nsfw=True)).notes
    assert note.kind == "advice"
    assert note.text.startswith(f"The picture is {word}: the service's safety filter probably replaced it.")


def test_a_picture_that_is_only_marked_by_the_safety_checker_says_that(portrait: Image.Image) -> None:
    data = file_of(portrait)
    marked = Note("advice", "The service's safety checker marked this picture.")
    assert shot(data, JobResponse("done", "1", nsfw=True)).notes == (marked,)
    assert shot(data, JobResponse("done", "1", nsfw=False)).notes == ()


@pytest.mark.parametrize(
    ("seed", "texts"), [(None, []), (7, []), (1234, ["seed 7: the service says that it used 1234"])]
)
def test_a_seed_that_the_service_replaced_is_told(seed: int | None, texts: list[str], portrait: Image.Image) -> None:
    notes = shot(file_of(portrait), JobResponse("done", "1", seed=seed)).notes
    assert [note.text for note in notes] == texts
    assert all(note.kind == "not applied" for note in notes)


def test_likeness_is_measured_to_the_person_of_the_photo(portrait: Image.Image) -> None:
    subject = Subject(Photo.open(PORTRAIT))
    same = shot(file_of(portrait, "JPEG"), subject=subject).likeness
    other = shot(file_of(Image.fromarray(portraits.photograph("astronaut"))), subject=subject).likeness
    assert same is not None and same > 0.9
    assert other is not None and other < face.SAME_PERSON


def test_where_a_face_is_missing_nothing_is_said_of_likeness(portrait: Image.Image) -> None:
    faceless = Photo.from_image(Image.radial_gradient("L").convert("RGB"))
    assert shot(file_of(portrait), subject=Subject(faceless)).likeness is None
    assert shot(file_of(faceless.image), subject=Subject(Photo.open(PORTRAIT))).likeness is None
    assert shot(file_of(portrait)).likeness is None


def decoded(uri: str) -> np.ndarray:
    assert uri.startswith("data:image/jpeg;base64,")
    return Photo.from_bytes(base64.b64decode(uri.partition(",")[2])).pixels


def test_the_whole_photo_is_sent_where_no_face_was_chosen() -> None:
    photo = Photo.open(PORTRAIT)
    assert decoded(Subject(photo).face_image()).shape == photo.pixels.shape


def test_around_a_chosen_face_the_neighbours_are_cut_away() -> None:
    people = [portraits.photograph("astronaut"), portraits.photograph("portrait")[:1024]]
    photo = Photo.from_image(Image.fromarray(np.hstack([*people, people[0][:, ::-1]])))
    found = face.find(photo.pixels)
    assert len(found) == 3
    for index, one in enumerate(found):
        sent = decoded(Subject(photo, index).face_image())
        [seen] = face.find(sent)
        assert face.likeness(face.embed(photo.pixels, one), face.embed(sent, seen)) > 0.9
        assert seen.height == pytest.approx(one.height, rel=0.1)
        assert sent.shape[0] > 2.5 * one.height  # hair and shoulders stay


@pytest.mark.parametrize("index", [-1, 1])
def test_a_face_that_is_not_there_cannot_be_sent(index: int) -> None:
    with pytest.raises(PhotoError, match="There is no face number"):
        Subject(Photo.open(PORTRAIT), index).face_image()
