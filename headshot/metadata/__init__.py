"""The metadata of a picture file: written into every headshot, read back from any picture, and signed.

digital_source_type.py  the kind of picture, in the IPTC's terms
record.py         our own JSON, and the text that other tools read
embedding.py      writes both into a PNG, converts it to JPEG and WebP, and makes copies without them
reading.py        reads the metadata of any picture: our record, or with dialects.py another program's
difference.py     compares two requests
signing.py        adds Content Credentials to a file, with a certificate from certificate.py
credentials.py    checks Content Credentials, with verify.py in a process of its own
container.py      finds all metadata of a file, with png.py, jpeg.py, webp.py, exif.py and xmp.py
limits.py         how much of a stranger's file is read
"""

from .container import Kind
from .difference import differences
from .digital_source_type import Source
from .embedding import convert, embed_metadata, stripped_copy, with_duration
from .reading import Found, content_id_of, read
from .record import VERSION, content_id, details, parameters

__all__ = [
    "VERSION",
    "Found",
    "Kind",
    "Source",
    "content_id",
    "content_id_of",
    "convert",
    "details",
    "differences",
    "embed_metadata",
    "parameters",
    "read",
    "stripped_copy",
    "with_duration",
]
