"""What is written into every headshot's file, read back from any picture, and signed.

source.py         what kind of picture it is, in the IPTC's words
record.py         our own JSON, and the text that other tools read
inscribe.py       both put into a PNG, carried into JPEG and WebP, and left out of a clean copy
reading.py        what any picture tells: our record, or with dialects.py another program's
difference.py     two requests side by side
seal.py           Content Credentials put into a file, with certificate.py
credentials.py    what they are worth, by verify.py in a process of its own
carried.py        all that a file carries, from png.py, jpeg.py, webp.py, exif.py and xmp.py
bounds.py         how much of a stranger's file is read
"""

from .container import Kind
from .difference import differences
from .embedding import convert, embed_metadata, stripped_copy, with_duration
from .reading import Found, content_id_of, read
from .record import VERSION, content_id, details, parameters
from .source import Source

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
