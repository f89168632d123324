"""Links from outside lead to the public internet or nowhere. No name is looked up here: the resolvers are fakes."""

import asyncio
import re
import socket
import threading
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import httpx
import pytest
from hanging import never_hanging
from hypothesis import given, settings
from hypothesis import strategies as st

from headshot.errors import RequestError, Unavailable
from headshot.modelslab.safe_url import MAX_LINK_CHARS, ResolvedUrl, is_global, resolve

unhurried = settings(deadline=None)  # each example starts an event loop, on a machine that may be busy

GLOBAL_V4, GLOBAL_V6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


class Names:
    """A resolver that knows the answers it is given, one list after the other, and counts its questions."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers) or [[GLOBAL_V4]]
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def resolved(url: str, names: Names | None = None, *, https_only: bool = False) -> ResolvedUrl:
    return asyncio.run(resolve(url, resolver=names or Names(), https_only=https_only))


def a_sentence(error: pytest.ExceptionInfo[Exception]) -> bool:
    return bool(re.fullmatch(r"[A-Z“].{20,180}\.", str(error.value)))


# The addresses. Each range: whether the address just before and the one just after it are allowed.
# The list repeats the registries, not the code.

RANGES = [
    ("0.0.0.0/8", None, True),
    ("10.0.0.0/8", True, True),
    ("100.64.0.0/10", True, True),
    ("127.0.0.0/8", True, True),
    ("168.63.129.16/32", True, True),
    ("169.254.0.0/16", True, True),
    ("172.16.0.0/12", True, True),
    ("192.0.0.0/24", True, True),
    ("192.0.0.192/32", False, False),
    ("192.0.2.0/24", True, True),
    ("192.31.196.0/24", True, True),
    ("192.52.193.0/24", True, True),
    ("192.88.99.0/24", True, True),
    ("192.168.0.0/16", True, True),
    ("192.175.48.0/24", True, True),
    ("198.18.0.0/15", True, True),
    ("198.51.100.0/24", True, True),
    ("203.0.113.0/24", True, True),
    ("224.0.0.0/4", True, False),
    ("240.0.0.0/4", False, None),
    ("255.255.255.255/32", False, None),
    ("::/128", None, False),
    ("::1/128", False, False),
    ("::/96", None, False),  # v4-compatible
    ("::ffff:0:0:0/96", False, False),  # v4-translated
    ("64:ff9b:1::/48", False, False),
    ("100::/64", False, False),
    ("100:0:0:1::/64", False, False),
    ("200::/7", False, False),
    ("1000::/4", False, True),
    ("2001::/23", True, True),
    ("2001::/32", True, False),  # Teredo
    ("2001:2::/48", False, False),  # benchmarks
    ("2001:10::/28", False, False),  # ORCHID
    ("2001:20::/28", False, False),  # ORCHIDv2
    ("2001:db8::/32", True, True),
    ("2002::/16", True, True),  # 6to4
    ("2620:4f:8000::/48", True, True),
    ("3ffe::/16", True, False),
    ("3fff::/20", False, True),
    ("4000::/3", True, False),
    ("5f00::/16", False, False),
    ("8000::/1", False, None),
    ("fc00::/7", False, False),
    ("fd00:ec2::254/128", False, False),
    ("fe80::/10", False, False),
    ("fec0::/10", False, False),
    ("ff00::/8", False, None),
]


@pytest.mark.parametrize(("text", "before", "after"), RANGES, ids=[text for text, *_ in RANGES])
def test_a_range_is_refused_from_its_first_address_to_its_last(
    text: str, before: bool | None, after: bool | None
) -> None:
    network = ip_network(text)
    assert not is_global(network[0])
    assert not is_global(network[-1])
    assert before is None or is_global(network[0] - 1) is before
    assert after is None or is_global(network[-1] + 1) is after


DENIED = [ip_network(text) for text, *_ in RANGES]
DENIED_V4 = [network for network in DENIED if isinstance(network, IPv4Network)]


def addresses(networks: Sequence[IPv4Network | IPv6Network]) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    def inside(network: IPv4Network | IPv6Network) -> st.SearchStrategy[IPv4Address | IPv6Address]:
        first = network.network_address
        return st.integers(0, network.num_addresses - 1).map(lambda offset: first + offset)

    return st.sampled_from(networks).flatmap(inside)


def _low(prefix: str, v4: int) -> IPv6Address:
    return IPv6Address(int(IPv6Address(prefix)) | v4)


def _rfc6052(prefix: str, length: int, v4: int) -> IPv6Address:
    """An IPv4 address in a NAT64 prefix, around the byte that RFC 6052, section 2.2, leaves zero."""
    head = IPv6Address(prefix).packed[: length // 8]
    body = head + v4.to_bytes(4, "big")
    return IPv6Address((body if length == 96 else body[:8] + b"\0" + body[8:]).ljust(16, b"\0"))


ANY_GLOBAL_V4 = int(IPv4Address(GLOBAL_V4))
TUNNELS = {
    "v4-mapped": lambda v4: _low("::ffff:0:0", v4),
    "v4-compatible": lambda v4: _low("::", v4),
    "v4-translated": lambda v4: _low("::ffff:0:0:0", v4),
    "6to4": lambda v4: IPv6Address(0x2002 << 112 | v4 << 80 | 1),
    "NAT64": lambda v4: _low("64:ff9b::", v4),
    "local NAT64 /48": lambda v4: _rfc6052("64:ff9b:1::", 48, v4),
    "local NAT64 /56": lambda v4: _rfc6052("64:ff9b:1:ab00::", 56, v4),
    "local NAT64 /64": lambda v4: _rfc6052("64:ff9b:1:abcd::", 64, v4),
    "local NAT64 /96": lambda v4: _rfc6052("64:ff9b:1:abcd::", 96, v4),
    "Teredo client": lambda v4: IPv6Address(0x20010000 << 96 | ANY_GLOBAL_V4 << 64 | v4 ^ 0xFFFF_FFFF),
    "Teredo server": lambda v4: IPv6Address(0x20010000 << 96 | v4 << 64 | ANY_GLOBAL_V4 ^ 0xFFFF_FFFF),
    "ISATAP": lambda v4: _low("2606:2800::5efe:0:0", v4),
    "ISATAP, universal": lambda v4: _low("2606:2800::200:5efe:0:0", v4),
    "ISATAP, group": lambda v4: _low("2606:2800::100:5efe:0:0", v4),
    "ISATAP, both": lambda v4: _low("2606:2800::300:5efe:0:0", v4),
    "ISATAP, link-local": lambda v4: _low("fe80::5efe:0:0", v4),
}


@given(addresses(DENIED))
def test_any_address_of_a_denied_range_is_refused(address: IPv4Address | IPv6Address) -> None:
    assert not is_global(address)
    assert not is_global(str(address))
    assert not is_global(address.exploded)


@pytest.mark.parametrize("tunnel", TUNNELS)
@unhurried
@given(v4=addresses(DENIED_V4))
def test_no_tunnel_carries_a_denied_address(tunnel: str, v4: IPv4Address | IPv6Address) -> None:
    carried = TUNNELS[tunnel](int(v4))
    assert isinstance(carried, IPv6Address)
    assert not is_global(carried)
    with pytest.raises(RequestError):
        resolved(f"https://[{carried}]/")
    with pytest.raises(RequestError):
        resolved("https://example.com/", Names([str(carried)]))


@pytest.mark.parametrize("tunnel", ["v4-mapped", "NAT64", "ISATAP", "ISATAP, universal"])
def test_tunnels_that_are_in_use_carry_public_addresses(tunnel: str) -> None:
    assert is_global(TUNNELS[tunnel](ANY_GLOBAL_V4))


@given(st.ip_addresses())
def test_nothing_that_the_standard_library_calls_private_is_let_through(address: IPv4Address | IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if (mapped or address).is_private or address.is_multicast or address.is_link_local or address.is_loopback:
        assert not is_global(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        GLOBAL_V4,
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2a00:1450:4001:81b::200e",
        GLOBAL_V6,
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_global(address)
    assert resolved("https://example.com/", Names([address])).address == str(ip_address(address))


@pytest.mark.parametrize(
    "text", ["", "example.com", "8.8.8.8 ", "8.8.8", "010.8.8.8", "2606:2800::1%eth0", "fe80::1%2", "[2606:2800::1]"]
)
def test_a_text_that_is_no_plain_address_is_not_global(text: str) -> None:
    assert not is_global(text)


# The links.

ODD_SPELLINGS = [
    # 127.0.0.1, and how inet_aton, browsers and proxies have been brought to read it
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "0",
    "0.0.0.0",  # noqa: S104  nothing binds to it
    "0x0",
    "0x",
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "127.0.0.0x1",
    "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "0000177.0.0.1",
    "127.0.0.01",
    "127.000.000.001",
    "127.0.0.1.0",
    "127.0.0.256",
    "4294967295",
    "4294967297",
    "340282366920938463463374607431768211455",
    "１２７.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "①②⑦.⓪.⓪.①",
    "127.0.0.¹",
    "⒈⒉⒊.1",
    "0x7Ｆ000001",
    "١٢٧.٠.٠.١",
    "127.0.0.1%00.example.com",
    "127.0.0.1%2eexample.com",
    "%31%32%37.0.0.1",
    "2852039166",  # 169.254.169.254
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "0251.254.169.254",
    "169.254.43518",
    "169.16689662",
    "169.254.169.254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "8.8.8",  # odd spellings of public addresses are refused as well
    "010.8.8.8",
    "134744072",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[0:0:0:0:0:ffff:169.254.169.254]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:808:808:0:0:80ff:fffe]",
    "[2606:2800::5efe:10.0.0.1]",
    "[fe80::1]",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[2606:2800::1%25lo]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[ff02::1]",
    "[100::1]",
    "[5f00::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[127.0.0.1]",
    "[v1.fe80::1]",
    "[::1",
    "::1]",
    "::1",
    "[]",
    "[[::1]]",
    "[::1]example.com",
    "x[::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain.localhost",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "printer",
    "printer.local",
    "metadata.google.internal",
    "metadata.google.internal.",
    "router.home.arpa",
    "abcdefgh.onion",
]


def test_the_table_of_hostile_spellings_is_long() -> None:
    assert len(set(ODD_SPELLINGS)) == len(ODD_SPELLINGS) >= 100


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_no_spelling_of_a_hostile_address_is_even_looked_up(host: str, scheme: str) -> None:
    names = Names()
    with pytest.raises(RequestError) as error:
        resolved(f"{scheme}://{host}/photo.jpg", names)
    assert a_sentence(error)
    assert names.asked == []


HOSTILE = {
    "empty": "",
    "no scheme": "example.com/photo.jpg",
    "no scheme but slashes": "//example.com/photo.jpg",
    "one slash": "https:/example.com/photo.jpg",
    "no slash": "https:example.com/photo.jpg",
    "three slashes": "https:///example.com/photo.jpg",
    "file": "file:///etc/passwd",
    "file on a host": "file://example.com/etc/passwd",
    "ftp": "ftp://example.com/photo.jpg",
    "gopher": "gopher://example.com:80/_x",
    "dict": "dict://example.com:80/",
    "data": "data:image/png;base64,AAAA",
    "javascript": "javascript:alert(1)",
    "unix socket": "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "view-source": "view-source:https://example.com/",
    "jar": "jar:https://example.com!/",
    "full-width scheme": "ｈｔｔｐ://example.com/",
    "no host": "https://",
    "no host but a path": "https:///",
    "no host but a query": "https://?x",
    "no host but a port": "https://:443/",
    "only a dot": "https://./",
    "only dots": "https://../",
    "user": "https://user@example.com/",
    "user and password": "https://user:secret@example.com/",
    "empty user": "https://@example.com/",
    "a host as user": "https://example.com@127.0.0.1/",
    "two users": "https://a@b@example.com/",
    "a full-width at": "https://example.com＠127.0.0.1/",
    "an encoded at": "https://example.com%40127.0.0.1/",
    "port of ssh": "https://example.com:22/",
    "port of redis": "http://example.com:6379/",
    "another web port": "http://example.com:8080/",
    "port zero": "http://example.com:0/",
    "huge port": "http://example.com:65616/",  # 80 after 16 bits
    "negative port": "http://example.com:-80/",
    "signed port": "http://example.com:+80/",
    "padded port": "http://example.com:0080/",
    "hexadecimal port": "http://example.com:0x50/",
    "Arabic digits in the port": "http://example.com:٨٠/",
    "two ports": "http://example.com:80:443/",
    "port is a word": "http://example.com:http/",
    "backslash for the path": "https://example.com\\@127.0.0.1/",
    "backslashes for slashes": "https:\\\\example.com\\",
    "backslash in the path": "https://example.com/a\\b",
    "leading space": " https://example.com/",
    "trailing space": "https://example.com/ ",
    "space in the host": "https://exam ple.com/",
    "space in the path": "https://example.com/my photo.jpg",
    "two links": "https://example.com/ https://127.0.0.1/",
    "newline": "https://example.com/\n",
    "header in the path": "https://example.com/\r\nHost: localhost",
    "header in the host": "https://example.com\r\nX-A: b/",
    "tab in the scheme": "ht\ttps://example.com/",
    "tab in the host": "https://127.0.\t0.1/",
    "NUL": "https://example.com/\0",
    "NUL in the host": "https://127.0.0.1\0.example.com/",
    "escape": "https://example.com/\x1b[31m",
    "delete": "https://example.com/\x7f",
    "C1 control": "https://example.com/\x85",
    "no-break space": "https://example.com/\u00a0",
    "ideographic space": "https://example.com/\u3000",
    "line separator": "https://example.com/\u2028",
    "zero width space": "https://exam\u200bple.com/",
    "zero width joiner": "https://exam\u200dple.com/",
    "byte order mark": "\ufeffhttps://example.com/",
    "soft hyphen": "https://exam\u00adple.com/",
    "right-to-left override": "https://example.com/\u202egpj.exe",
    "half a character": "https://example.com/\ud800",
    "a slash in disguise": "https://example.com\uff0f.example.org/",
    "a question mark in disguise": "https://example.com\uff1f.example.org/",
    "a hash in disguise": "https://example.com\uff03.example.org/",
    "a colon in disguise": "https://example.com\uff1a80/",
    "a/c in disguise": "https://\u2100.example.org/",
    "encoded host": "https://ex%61mple.com/",
    "encoded slash in the host": "https://example.com%2f.example.org/",
    "zone on a name": "https://example.com%eth0/",
    "empty label": "https://example..com/",
    "leading dot": "https://.example.com/",
    "two final dots": "https://example.com../",
    "leading hyphen": "https://-example.com/",
    "trailing hyphen": "https://example-.com/",
    "comma": "https://example.com,127.0.0.1/",
    "semicolon": "https://example.com;127.0.0.1/",
    "brackets around a name": "https://[example.com]/",
    "quotes": 'https://example.com"/',
    "angle": "https://<example>.com/",
    "braces": "https://{host}.com/",
    "dollar": "https://$host.com/",
    "star": "https://*.example.com/",
    "emoji": "https://☃.example.com/",
    "a label of 64": f"https://{'a' * 64}.com/",
    "a host of 254": f"https://{'a.' * 126}io/",
    "a host that grows in ASCII": f"https://{'ﷺ' * 60}.com/",
    "a host that is too long in ASCII": f"https://{('ü' * 20 + '.') * 11}com/",
    "a host that takes seconds to write in ASCII": f"https://{''.join(map(chr, range(0x4E00, 0x4E00 + 7900)))}.com/",
    "a label that grows in ASCII": f"https://{'üäö' * 20}.com/",
    "too long": "https://example.com/".ljust(MAX_LINK_CHARS + 1, "a"),
    "far too long": "https://" + "a." * 1_000_000 + "com/",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_link_is_refused_with_a_sentence_before_any_lookup(what: str) -> None:
    names = Names()
    with never_hanging(), pytest.raises(RequestError) as error:
        resolved(HOSTILE[what], names)
    assert a_sentence(error)
    assert names.asked == []


@pytest.mark.parametrize(
    ("link", "remedy"),
    [
        ("https://user:secret@example.com/", "remove that part"),
        ("http://127.1/", "four plain numbers"),
        ("https://example.com:8443/", "port other than 80 or 443"),
        ("https://example.com/my photo.jpg", "space"),
        ("example.com/photo.jpg", "start with https://"),
        ("http://printer/photo.jpg", "local network"),
        ("https://exa_mple-.com/", "“exa_mple-.com” is not a host's name"),
        ("http://127.0.0.1/", "public internet"),
    ],
)
def test_the_sentence_names_what_is_wrong_and_no_secret(link: str, remedy: str) -> None:
    with pytest.raises(RequestError, match=re.escape(remedy)) as error:
        resolved(link)
    assert "secret" not in str(error.value)


GOOD = {
    "https://example.com": ("https://example.com/", "example.com", 443),
    "http://example.com/photo.jpg": ("http://example.com/photo.jpg", "example.com", 80),
    "HTTPS://EXAMPLE.COM/Photo.JPG": ("https://example.com/Photo.JPG", "example.com", 443),
    "https://example.com./a": ("https://example.com/a", "example.com", 443),
    "https://example.com:443/a": ("https://example.com/a", "example.com", 443),
    "https://example.com:/a": ("https://example.com/a", "example.com", 443),
    "http://example.com:80/a": ("http://example.com/a", "example.com", 80),
    "http://example.com:443/a": ("http://example.com:443/a", "example.com", 443),
    "https://example.com?x=1": ("https://example.com/?x=1", "example.com", 443),
    "https://example.com/a?": ("https://example.com/a?", "example.com", 443),
    "https://example.com#user@127.0.0.1": ("https://example.com/", "example.com", 443),
    "https://example.com/a?b=@127.0.0.1#c": ("https://example.com/a?b=@127.0.0.1", "example.com", 443),
    "https://example.com/@me/a:b": ("https://example.com/@me/a:b", "example.com", 443),
    "https://example.com/a%20b?c=%2F+d&e=[1]": ("https://example.com/a%20b?c=%2F+d&e=[1]", "example.com", 443),
    "https://example.com/фото.jpg?имя=é": (
        "https://example.com/%D1%84%D0%BE%D1%82%D0%BE.jpg?%D0%B8%D0%BC%D1%8F=%C3%A9",
        "example.com",
        443,
    ),
    "https://example.com/a|b<c>?d|e": ("https://example.com/a%7Cb%3Cc%3E?d%7Ce", "example.com", 443),
    "https://pub-3626123a908346a7a8be8d9295f44e26.r2.dev/generations/0-a.png": (
        "https://pub-3626123a908346a7a8be8d9295f44e26.r2.dev/generations/0-a.png",
        "pub-3626123a908346a7a8be8d9295f44e26.r2.dev",
        443,
    ),
    "https://my_bucket.s3.amazonaws.com/a": ("https://my_bucket.s3.amazonaws.com/a", "my_bucket.s3.amazonaws.com", 443),
    "https://münchen.example/": ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", 443),
    "https://MÜNCHEN.example/": ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", 443),
    "https://mu\u0308nchen.example/": ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", 443),
    "https://straße.example/": ("https://xn--strae-oqa.example/", "xn--strae-oqa.example", 443),
    "https://例え。テスト/": ("https://xn--r8jz45g.xn--zckzah/", "xn--r8jz45g.xn--zckzah", 443),
    "https://пример.испытание/": ("https://xn--e1afmkfd.xn--80akhbyknj4f/", "xn--e1afmkfd.xn--80akhbyknj4f", 443),
    "https://ｅｘａｍｐｌｅ．ｃｏｍ/": ("https://example.com/", "example.com", 443),
    "https://col·lecció.example/": ("https://xn--collecci-ioa91d.example/", "xn--collecci-ioa91d.example", 443),
    "https://1.2.3.example/": ("https://1.2.3.example/", "1.2.3.example", 443),
    "https://0x7f.example/": ("https://0x7f.example/", "0x7f.example", 443),
    "https://localhost.example.com/": ("https://localhost.example.com/", "localhost.example.com", 443),
    "https://notlocal.mylocal/": ("https://notlocal.mylocal/", "notlocal.mylocal", 443),
}


@pytest.mark.parametrize("link", GOOD)
def test_a_good_link_is_written_again_and_its_host_looked_up_once(link: str) -> None:
    names = Names()
    target = resolved(link, names)
    url, host, port = GOOD[link]
    assert target == ResolvedUrl(url, url.partition(":")[0], host, port, GLOBAL_V4)
    assert names.asked == [host]


@pytest.mark.parametrize(
    ("link", "url", "host"),
    [
        ("https://8.8.8.8/a", "https://8.8.8.8/a", "8.8.8.8"),
        ("https://8.8.8.8./a", "https://8.8.8.8/a", "8.8.8.8"),
        ("https://８.8.8.8/a", "https://8.8.8.8/a", "8.8.8.8"),
        ("http://[2606:2800::1]:443/", "http://[2606:2800::1]:443/", "2606:2800::1"),
        ("https://[2606:2800:0:0::0001]", "https://[2606:2800::1]/", "2606:2800::1"),
    ],
)
def test_a_public_address_needs_no_lookup(link: str, url: str, host: str) -> None:
    names = Names()
    target = resolved(link, names)
    assert (target.url, target.host, target.address) == (url, host, host)
    assert names.asked == []


def test_https_only_refuses_http() -> None:
    assert resolved("https://example.com/", https_only=True).port == 443
    with pytest.raises(RequestError, match="https://") as error:
        resolved("http://example.com/", https_only=True)
    assert a_sentence(error)


def test_a_link_of_just_the_longest_length_passes() -> None:
    link = "https://example.com/".ljust(MAX_LINK_CHARS, "a")
    assert resolved(link).url == link


URLISH = st.lists(
    st.one_of(
        st.sampled_from(["http", "https", "://", ":", "/", "//", "?", "#", "@", ".", "[", "]", "%", "%2f", "\\", "&"]),
        st.sampled_from(
            ["example", "com", "127.0.0.1", "8.8.8.8", "0x7f", "::1", "443", "80", "xn--", "ß", "。", "＠"]
        ),
        st.text(max_size=3),
    ),
    max_size=12,
).map("".join)


@unhurried
@given(st.one_of(URLISH, URLISH.map("https://".__add__), URLISH.map("https://example.com".__add__), st.text()))
def test_any_text_is_refused_or_read_alike_by_every_parser(text: str) -> None:
    try:
        target = resolved(text)
    except RequestError as error:
        assert str(error).endswith(".")
        return
    assert target.url.isascii()
    assert is_global(target.address)
    standard, sender = urlsplit(target.url), httpx.URL(target.url)
    assert (standard.scheme, standard.hostname) == (target.scheme, target.host)
    assert (standard.username, standard.password, standard.fragment) == (None, None, "")
    assert (standard.port or {"http": 80, "https": 443}[target.scheme]) == target.port
    assert (sender.scheme, sender.raw_host.decode().strip("[]")) == (target.scheme, target.host)
    assert (sender.port or {"http": 80, "https": 443}[target.scheme]) == target.port
    assert not sender.userinfo
    if len(target.url) <= MAX_LINK_CHARS:
        assert resolved(target.url) == target


# The lookup.


@pytest.mark.parametrize(
    "answers",
    [
        [GLOBAL_V4, "127.0.0.1"],
        ["127.0.0.1", GLOBAL_V4],
        [GLOBAL_V4, GLOBAL_V6, "::1"],
        [GLOBAL_V6, "10.0.0.1", GLOBAL_V4],
        [GLOBAL_V4, "64:ff9b::a9fe:a9fe"],
        [GLOBAL_V4, "fe80::1%2"],
        [GLOBAL_V4, "not an address"],
        ["169.254.169.254"],
        ["::ffff:10.0.0.1"],
    ],
)
def test_one_bad_address_refuses_the_host_and_is_not_named(answers: list[str]) -> None:
    with pytest.raises(RequestError, match="public internet") as error:
        resolved("https://example.com/", Names(answers))
    assert a_sentence(error)
    assert not any(answer in str(error.value) for answer in answers)


def test_the_first_address_is_the_one_to_connect_to() -> None:
    assert resolved("https://example.com/", Names([GLOBAL_V6, GLOBAL_V4])).address == GLOBAL_V6
    assert resolved("https://example.com/", Names([GLOBAL_V4, GLOBAL_V6])).address == GLOBAL_V4


def test_a_name_is_looked_up_once_and_the_checked_address_is_used() -> None:
    names = Names([GLOBAL_V4], ["127.0.0.1"])
    target = resolved("https://rebind.example.com/", names)
    assert (names.asked, target.address) == (["rebind.example.com"], GLOBAL_V4)
    with pytest.raises(RequestError):  # and whoever asks again is told the truth of that moment
        resolved("https://rebind.example.com/", names)


@pytest.mark.parametrize(
    "fault",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        OSError("no network"),
        TimeoutError(),
    ],
)
def test_a_resolver_that_fails_makes_the_link_unavailable(fault: OSError) -> None:
    async def failing(host: str) -> Sequence[str]:
        raise fault

    with pytest.raises(Unavailable, match=r"example\.com") as error:
        asyncio.run(resolve("https://example.com/photo?signature=canary", resolver=failing))
    assert a_sentence(error)
    assert error.value.__cause__ is fault
    assert "canary" not in str(error.value)


def test_a_host_without_addresses_makes_the_link_unavailable() -> None:
    with pytest.raises(Unavailable, match="not found"):
        resolved("https://example.com/", Names([]))


def test_a_resolver_that_never_answers_is_given_up() -> None:
    async def silent(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return [GLOBAL_V4]

    with pytest.raises(Unavailable, match="took too long") as error:
        asyncio.run(resolve("https://example.com/", resolver=silent, give_up_after_seconds=0.05))
    assert a_sentence(error)


def test_the_system_looks_up_the_absolute_name_without_blocking_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def lookup(*arguments: object, **named: object) -> list[tuple[object, ...]]:
        asked.append((*arguments, named["type"], threading.current_thread() is threading.main_thread()))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (GLOBAL_V4, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert asyncio.run(resolve("https://example.com/")).address == GLOBAL_V4
    # With its final dot, “example.com.cluster.local” and the like are never tried.
    assert asked == [("example.com.", None, socket.SOCK_STREAM, False)]


def test_names_that_never_answer_leave_the_event_loop_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def lookup(*arguments: object, **named: object) -> list[tuple[object, ...]]:
        answered.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def story() -> None:
        links = [resolve(f"https://slow{n}.example.com/", give_up_after_seconds=0.2) for n in range(40)]
        results = await asyncio.gather(*links, return_exceptions=True)
        assert all(isinstance(result, Unavailable) for result in results)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 2) == "free"

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    try:
        asyncio.run(story())
    finally:
        answered.set()


def test_the_repr_of_a_resolved_url_does_not_show_the_link() -> None:
    target = resolved("https://example.com/photo?signature=canary")
    assert target.url.endswith("canary")
    assert "canary" not in repr(target)
