"""A team's photos: checked, cut to a thumbnail, and kept as files until their headshots are made."""

from collections.abc import Sequence

from PIL import Image

from headshot.imaging import photo_check
from headshot.imaging.encoding import jpeg, png
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo

from .files import FileSink
from .team import Person

MAX_TEAM_BYTES = 2**29  # of one team's clean photos on the disk: enough for 48 of 12 megapixels, however noisy

_THUMBNAIL = (480, 600)  # twice the size of a card at four in a row, for sharp screens
_HEAD_SHARE = 0.42  # of the thumbnail's height that the face takes, as in most headshots


def lossless_png(photo: Photo) -> bytes:
    """Return a PNG of the photo's pixels, which `Person.open_photo` turns into the same photo again.

    12 megapixels take half a second and 15 MB.
    """
    return png(Image.fromarray(photo.pixels), compress_level=1)  # not `photo.image`, which would stay in memory


def person_of(photo: Photo, file_name: str, team: Sequence[Person], sink: FileSink) -> Person:
    """Check a photo and save it. A photo that cannot be used gives a person with a `refusal`.

    Args:
        photo: the clean photo.
        file_name: of the upload, which names the headshot.
        team: the people that are there already: all photos together have an upper bound.
        sink: where the files go.

    Raises:
        Stopped: after the visitor left.
    """
    check = photo_check.check(photo.pixels)
    thumbnail = sink.write("person.jpg", _thumbnail(photo, check.chosen))
    person = Person(
        file_name,
        sha256=photo.sha256,
        chosen_face=check.chosen,
        thumbnail=sink.address(thumbnail.parent.name, thumbnail.name),
        thumbnail_path=thumbnail,
    )
    if check.chosen is None:
        person.refusal = " ".join(advice.text for advice in check.advice)
        return person
    if len(check.faces) > 1:
        person.face = check.faces.index(check.chosen)
        person.crowd = f"{len(check.faces)} faces found; using the clearest."
    person.remarks = [advice.text for advice in check.advice if advice.code != "several faces"]
    data = lossless_png(photo)
    person.size_bytes = len(data)
    if sum(each.size_bytes for each in team) + len(data) > MAX_TEAM_BYTES:
        person.refusal = "The team’s photos are too large together. Put this one into a second team."
        return person
    person.photo = sink.write("photo.png", data)
    return person


def _thumbnail(photo: Photo, chosen: Face | None) -> bytes:
    """A small JPEG around the face in a headshot's shape; of the photo's middle if there is no face."""
    image = Image.fromarray(photo.pixels)  # not `photo.image`, which would stay in memory with the photo
    width, height = _THUMBNAIL
    shape = width / height
    tall = min(image.height, image.width / shape)
    x, y = image.width / 2, image.height / 2
    if chosen is not None:
        left, top, across, down = (float(value) for value in chosen.box)
        tall = min(tall, down / _HEAD_SHARE)
        x, y = left + across / 2, top + down * 0.55
    x = min(max(x, tall * shape / 2), image.width - tall * shape / 2)
    y = min(max(y, tall / 2), image.height - tall / 2)
    box = (x - tall * shape / 2, y - tall / 2, x + tall * shape / 2, y + tall / 2)
    return jpeg(image.resize(_THUMBNAIL, Image.Resampling.LANCZOS, box=box), 85)
