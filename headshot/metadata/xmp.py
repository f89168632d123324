"""An XMP packet (ISO 16684-1): the kind of picture, the program that made it, and in JPEG and WebP our own record."""

from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from headshot.errors import PhotoError

from .digital_source_type import Source
from .limits import MAX_TEXT_BYTES, limit_error

NAMESPACE = "urn:headshot-playground:recipe:"  # a URN and not an address: nobody else can ever own it
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_MAX_ENTRIES = 2_000  # editors list their history and their swatches: some hundreds


def packet(source: Source | str, tool: str, record: str = "") -> bytes:
    """Return an XMP packet.

    Args:
        source: the kind of picture, an IPTC term.
        tool: the program that made it.
        record: our JSON, "" for a copy without settings.
    """
    own = f"<headshot:Recipe>{escape(record)}</headshot:Recipe>" if record else ""
    name = f" xmlns:headshot={quoteattr(NAMESPACE)}" if record else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'  # the id that the standard gives to every packet
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about="" xmlns:xmp="{_XMP}" xmlns:Iptc4xmpExt="{_IPTC}"{name} '
        f"xmp:CreatorTool={quoteattr(tool)} Iptc4xmpExt:DigitalSourceType={quoteattr(str(source))}>{own}"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def read(xmp: bytes) -> dict[str, str]:
    """Return the packet's texts: "source", "tool" and "record", those that it has. One that is no XML has none.

    Raises:
        PhotoError: if the packet exceeds a limit or declares a document type. XMP needs no document type and no
            entities: they would let a hostile file make the reader swell or fetch.
    """
    if len(xmp) > MAX_TEXT_BYTES:
        raise limit_error(f"an XMP packet of {len(xmp) / 2**20:.1f} MB")
    collector = _Collector()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    try:
        parser.Parse(xmp.strip(b"\0 \r\n\t"), True)
    except (expat.ExpatError, ValueError):  # ValueError: an encoding that Python does not know
        return {}
    return collector.found


_WANTED = {f"{_IPTC} DigitalSourceType": "source", f"{_XMP} CreatorTool": "tool", f"{NAMESPACE} Recipe": "record"}


class _Collector:
    """Collects the wanted properties, which may be attributes or elements."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._inside: str | None = None
        self._pieces: list[str] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1 + len(attributes)
        if self._count > _MAX_ENTRIES:
            raise limit_error(f"an XMP packet with more than {_MAX_ENTRIES:,} entries")
        for attribute, value in attributes.items():
            if attribute in _WANTED and value:
                self.found.setdefault(_WANTED[attribute], value)
        self._inside, self._pieces = _WANTED.get(name), []
        if self._inside and f"{_RDF} resource" in attributes:
            self.found.setdefault(self._inside, attributes[f"{_RDF} resource"])
        if self._inside in self.found:  # the first one counts
            self._inside = None

    def end(self, _name: str) -> None:
        if self._inside:
            self.found[self._inside] = "".join(self._pieces)
        self._inside, self._pieces = None, []

    def text(self, text: str) -> None:
        if self._inside:
            self._pieces.append(text)


def _refuse(*_: object) -> None:
    raise PhotoError("The file’s XMP packet declares a document type, which none needs, and is not read any further.")
