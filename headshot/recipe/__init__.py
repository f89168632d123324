"""What is written into every headshot's file, read back from any picture, and signed.

source.py      what kind of picture it is, in the IPTC's words
record.py      our own JSON, and the text that other tools read
inscribe.py    both put into a PNG, carried into JPEG and WebP, and left out of a clean copy
png.py  jpeg.py  webp.py  exif.py  xmp.py     where each format keeps such things
bounds.py      how much of a stranger's file is read
"""

from .carried import Kind
from .inscribe import clean_copy, exported, inscribed
from .record import VERSION, details, parameters
from .source import Source

__all__ = ["VERSION", "Kind", "Source", "clean_copy", "details", "exported", "inscribed", "parameters"]
