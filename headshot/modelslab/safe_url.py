"""Checks a link from outside and resolves it to one address that is safe to connect to.

A server that opens links can be made to open its own loopback, its neighbours, or the address from which a cloud hands
out its keys. So a link is parsed strictly and written again, its host is looked up once, all of its addresses must be
on the public internet, and the connection goes to the address that was checked: it does not matter if the name resolves
to another one by then. A link's query may hold a signature, so neither errors nor reprs repeat it.

Not detected: a network that translates to IPv4 under a prefix of its own (RFC 6052, section 2.2).
"""

import asyncio
import re
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote

from headshot.errors import RequestError, Unavailable

MAX_LINK_CHARS = 8000  # every sender and receiver should support as many (RFC 9110, section 4.1)
RESOLVE_SECONDS = 5.0  # the system's own first attempt (resolv.conf, `timeout`); a third of a download's 15 s

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_HOST_CHARS = 253  # RFC 1035, section 3.1: 255 octets, less the first length and the root
_MAX_SHOWN_CHARS = 80  # of a host, in a sentence
_LINK = "link"  # the `backend` of an Unavailable error: no backend was used yet

# Every entry of IANA's special-purpose registry is refused, the routable ones too: no web page is there, and relays and
# DNS sinks with such addresses may be inside the server's own network.
_DENIED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 791, section 3.2); on Linux 0.0.0.0 is this very machine
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # shared by carriers (RFC 6598); 100.100.100.200 is a cloud's metadata
            "127.0.0.0/8",  # loopback (RFC 1122, section 3.2.1.3)
            "168.63.129.16/32",  # a public address that belongs to Azure's own services inside every machine's network
            "169.254.0.0/16",  # link-local (RFC 3927); 169.254.169.254 is most clouds' metadata
            "172.16.0.0/12",  # private (RFC 1918)
            "192.0.0.0/24",  # protocol assignments (RFC 6890); 192.0.0.192 is a cloud's metadata
            "192.0.2.0/24",  # documentation (RFC 5737)
            "192.31.196.0/24",  # AS112, a sink for DNS (RFC 7535)
            "192.52.193.0/24",  # multicast tunnels, AMT (RFC 7450)
            "192.88.99.0/24",  # relays of 6to4 (RFC 3068, withdrawn by RFC 7526)
            "192.168.0.0/16",  # private (RFC 1918)
            "192.175.48.0/24",  # AS112 (RFC 7534)
            "198.18.0.0/15",  # benchmarks (RFC 2544)
            "198.51.100.0/24",  # documentation (RFC 5737)
            "203.0.113.0/24",  # documentation (RFC 5737)
            "224.0.0.0/4",  # multicast (RFC 5771)
            "240.0.0.0/4",  # reserved (RFC 1112, section 4), and broadcast, 255.255.255.255 (RFC 919)
        ),
    )
)
# Tunnels that are out of use are refused whatever IPv4 address they carry: v4-compatible, 6to4 and Teredo.
_DENIED_V6 = tuple(
    map(
        IPv6Network,
        (
            # Only 2000::/3 is handed out as global unicast (RFC 4291, section 2.4). Below it: :: and ::1 (RFC 4291),
            # v4-compatible ::/96 (RFC 4291, 2.5.5.1), v4-translated ::ffff:0:0:0/96 (RFC 2765), local NAT64
            # 64:ff9b:1::/48 (RFC 8215), discard 100::/64 (RFC 6666), dummy 100:0:0:1::/64 (RFC 9780).
            "::/3",
            "2001::/23",  # protocol assignments (RFC 2928): Teredo (RFC 4380), benchmarks (5180), ORCHID (4843, 7343)
            "2001:db8::/32",  # documentation (RFC 3849)
            "2002::/16",  # 6to4 (RFC 3056; its relays withdrawn by RFC 7526)
            "2620:4f:8000::/48",  # AS112 (RFC 7534)
            "3ffe::/16",  # the 6bone's, given back (RFC 3701)
            "3fff::/20",  # documentation (RFC 9637)
            "4000::/2",  # above 2000::/3; segment routing, 5f00::/16 (RFC 9602)
            # Unique local fc00::/7 (RFC 4193; fd00:ec2::254 is a cloud's metadata), link-local fe80::/10 (RFC 4291),
            # site-local fec0::/10 (RFC 3879), multicast ff00::/8 (RFC 4291, section 2.7).
            "8000::/1",
        ),
    )
)
# Still in use: allowed if the IPv4 address in their last 32 bits is.
_CARRIERS = (
    IPv6Network("::ffff:0:0/96"),  # v4-mapped (RFC 4291, section 2.5.5.2)
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052): what DNS returns for every IPv4 host on a machine without IPv4
)
_ISATAP = 0x0000_5EFE  # bits 64 to 95 of an address (RFC 5214, section 6.1) ...
_ISATAP_FLAGS = 0x0300_0000  # ... except the u and g bits, which may be either

# Names that public DNS does not know. They are refused so that nobody can find out which of them exist here:
# RFC 6761 (localhost), RFC 6762 (local), ICANN's resolution of 2024-07-29 (internal), RFC 8375, RFC 7686 (onion).
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "onion")

_LINK_SHAPE = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")  # RFC 1123, 2.1, and the underscore that buckets have
# A last label that inet_aton, and so every connection by name, would parse as an address (WHATWG URL, "ends in a
# number"), with the digits of every script, because some languages' parsers read them as numbers.
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_DOTS = str.maketrans("\u3002\uff61", "..")  # RFC 3490, section 3.1; NFKC replaces the third, U+FF0E
_CONTEXT = "\u00b7\u0375\u05f3\u05f4\u30fb"  # the punctuation that names may hold (RFC 5892, A.3 to A.7)
_IN_PATH = "/%:@!$&'()*+,;="  # RFC 3986, section 3.3, and the % of what is encoded already
_IN_QUERY = (
    _IN_PATH + "?[]"
)  # section 3.4, and the brackets, which browsers do not encode: a signature may depend on them

# Threads of their own: the system's lookup cannot be cancelled, and links whose names never resolve must not use up the
# event loop's few threads, which everything else needs. Eight lookups run at once; more time out in the queue.
_LOOKUPS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="link-lookup")

Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Takes an ASCII host name and returns its addresses as text, best first. Raises OSError if there are none."""


@dataclass(frozen=True)
class ResolvedUrl:
    """A checked link and the only address to send its request to.

    Attributes:
        url: the link written again in ASCII, without fragment; for the request line and the Host header.
        scheme: "https" or "http".
        host: lower case, without brackets or final dot; for the certificate's name.
        port: 443 or 80.
        address: the IP address to connect to, as text; looking `host` up again would undo the check.
    """

    url: str = field(repr=False)
    scheme: str
    host: str
    port: int
    address: str


async def resolve(
    url: str,
    *,
    resolver: Resolver | None = None,
    https_only: bool = False,
    give_up_after_seconds: float = RESOLVE_SECONDS,
) -> ResolvedUrl:
    """Check a link and look up its address. The resolver is called at most once.

    Args:
        url: the link.
        resolver: by default the system's.
        https_only: refuse plain http.
        give_up_after_seconds: for the lookup.

    Raises:
        RequestError: if the link is malformed, or leads anywhere but to the public internet.
        Unavailable: if its host cannot be looked up.
    """
    scheme, host, port, rest = _parse(url, https_only=https_only)
    literal = _literal(host)
    answers = (
        [str(literal)] if literal is not None else await _ask(resolver or _system_resolver, host, give_up_after_seconds)
    )
    if not all(map(is_global, answers)):
        # The sentence does not name the addresses: they would reveal how the network here is laid out.
        raise RequestError(f"“{_shown(host)}” is not on the public internet: use a link that opens from anywhere.")
    authority = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[scheme]:
        authority += f":{port}"
    return ResolvedUrl(f"{scheme}://{authority}{rest}", scheme, host, port, str(ip_address(answers[0])))


def is_global(address: str | IPv4Address | IPv6Address) -> bool:
    """Return whether an address is on the public internet. False for a text that is no address, or names a zone.

    Args:
        address: IPv4 or IPv6.

    Source: IANA's special-purpose registries of IPv4 and IPv6 addresses, and the addresses that clouds use themselves.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _DENIED_V4)
    if ip.scope_id is not None:
        return False
    carried = IPv4Address(int(ip) & 0xFFFF_FFFF)
    if any(ip in network for network in _CARRIERS):
        return is_global(carried)
    if any(ip in network for network in _DENIED_V6):
        return False
    if int(ip) >> 32 & 0xFFFF_FFFF & ~_ISATAP_FLAGS == _ISATAP:
        return is_global(carried)
    return True


def _parse(url: str, *, https_only: bool) -> tuple[str, str, int, str]:
    """Scheme, host, port, and path with query, all in ASCII. Raises RequestError."""
    _refuse_characters(url)
    shape = _LINK_SHAPE.fullmatch(url)
    if shape is None:
        raise RequestError("The link must start with https:// or http://: copy it from a browser's address bar.")
    scheme, authority, path, query = shape[1].lower(), shape[2], shape[3], shape[4] or ""
    if https_only and scheme != "https":
        raise RequestError("The link must start with https://: plain http can be read and changed on its way.")
    if "@" in authority:
        raise RequestError("The link holds a user name or password before an @: remove that part.")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise RequestError("The link's host is written in a way that is not accepted: write its plain name.")
    port = parts[2] or str(_DEFAULT_PORTS[scheme])  # an empty one is the default (RFC 3986, section 3.2.3)
    if port not in ("80", "443"):
        raise RequestError("The link names a port other than 80 or 443: only the usual web ports are opened.")
    rest = quote(path or "/", safe=_IN_PATH) + ("?" + quote(query[1:], safe=_IN_QUERY) if query else "")
    return scheme, _host(parts[1]), int(port), rest


def _refuse_characters(link: str) -> None:
    if len(link) > MAX_LINK_CHARS:
        raise RequestError(f"The link is longer than {MAX_LINK_CHARS:,} characters: use a shorter one.")
    if "\\" in link:
        raise RequestError("The link holds a backslash, which programs read in different ways: write / instead.")
    # Z: spaces of every kind. Cc, Cf, Cs: control, invisible and half characters, which parsers drop or fail on.
    if any(unicodedata.category(char) in ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs") for char in link):
        raise RequestError(
            "The link holds a space or an invisible character: copy it again, without what surrounds it."
        )


def _host(written: str) -> str:
    """A host in its one canonical form: an IPv4 or IPv6 address, or a lower-case ASCII name. Raises RequestError."""
    if not written:
        raise RequestError("The link names no host: copy it again from a browser's address bar.")
    if written.startswith("["):
        try:
            return str(IPv6Address(written[1:-1]))
        except ValueError as error:
            raise RequestError("The link's IPv6 address cannot be read: write the host's name instead.") from error
    if len(written) > _MAX_HOST_CHARS:  # before Punycode, which takes 30 s for 8,000 different characters
        raise RequestError(f"The link's host is longer than {_MAX_HOST_CHARS} characters: copy the link again.")
    labels = _mapped(written).removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(".".join(labels)))
        except ValueError as error:
            raise RequestError(
                "The link's host is an odd spelling of an address: write the host's name, or four plain numbers."
            ) from error
    labels = [_ascii(label) for label in labels]
    host = ".".join(labels)
    if len(host) > _MAX_HOST_CHARS or not all(map(_LABEL.fullmatch, labels)):
        raise RequestError(
            f"“{_shown(written)}” is not a host's name: copy the link again from a browser's address bar."
        )
    if len(labels) == 1 or f".{host}".endswith(tuple(f".{name}" for name in _LOCAL_NAMES)):
        raise RequestError(f"“{_shown(host)}” is a name of a local network: use a link that opens from anywhere.")
    return host


def _mapped(host: str) -> str:
    """Lower case, with one spelling for characters that look alike: full-width and circled digits, dots, ligatures.

    The common part of UTS 46, section 4, non-transitional as in browsers: ß stays ß.
    """
    folded = unicodedata.normalize("NFKC", host.translate(_DOTS)).lower()
    return unicodedata.normalize("NFKC", folded)


def _ascii(label: str) -> str:
    """A label as DNS knows it (RFC 5891, section 4.4); unchanged if it has no such form."""
    if label.isascii() or not all(char in "-" + _CONTEXT or unicodedata.category(char)[0] in "LMN" for char in label):
        return label
    return "xn--" + label.encode("punycode").decode("ascii")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """A host from `_host` as an address, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


async def _ask(resolver: Resolver, host: str, give_up_after_seconds: float) -> Sequence[str]:
    """A host's addresses, at least one. Raises Unavailable."""
    try:
        async with asyncio.timeout(give_up_after_seconds):
            answers = await resolver(host)
    except TimeoutError as error:
        raise Unavailable(_LINK, f"Looking up “{_shown(host)}” took too long: try again in a moment.") from error
    except OSError as error:
        raise _not_found(host) from error
    if not answers:
        raise _not_found(host)
    return answers


def _not_found(host: str) -> Unavailable:
    return Unavailable(_LINK, f"The host “{_shown(host)}” was not found: check the link, or try again later.")


async def _system_resolver(host: str) -> Sequence[str]:
    # The final dot makes the name absolute: without it a search list (a cluster's, a company's) may answer first.
    ask = _LOOKUPS.submit(socket.getaddrinfo, f"{host}.", None, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in await asyncio.wrap_future(ask)]


def _shown(host: str) -> str:
    return host if len(host) <= _MAX_SHOWN_CHARS else host[:_MAX_SHOWN_CHARS] + "…"
