"""One HTTP exchange with the service or a picture's host: limits of time and size, and faults as values.

httpx's exceptions hold the request with its body, and their tracebacks hold the bytes being sent. So no exception of
httpx leaves this module, neither as a cause nor as a context: a fault is returned as an HttpFault.
"""

import asyncio
import logging
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import httpx

from .key import SecretBody
from .key_filter import KeyFilter
from .safe_url import ResolvedUrl

MAX_REPLY_BYTES = 16 * 2**20  # the photo echoed in `meta` and a picture inline are 4 MB each
TOO_LARGE = "the answer is larger than anything it should send"  # an HttpFault's reason

_CONNECT_SECONDS = 5.0  # what other clients of such services use; a server that takes longer is down
# Twice the jobs that the largest account runs at once. A thousand jobs that poll at once wait before httpx's pool, not
# in it: the pool looks through all of its waiting requests at every event, and would do nothing else.
_CONNECTIONS = 32

for _name in ("httpx", "httpcore.connection", "httpcore.http11"):  # at DEBUG they log headers, which may echo the key
    logging.getLogger(_name).addFilter(KeyFilter())


@dataclass(frozen=True)
class HttpResponse:
    """A complete response.

    Attributes:
        status_code: the HTTP status.
        headers: those that are read: `retry-after`, "" if there was none.
        body: unpacked. It may echo the key.
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class HttpFault:
    """Why there is no response.

    Attributes:
        sent: whether a byte of the request may have left.
        reason: a clause for a sentence.
    """

    sent: bool
    reason: str


class Transport:
    """A pool of connections. Use it from one event loop."""

    def __init__(self, timeout: float) -> None:
        """Open no connection yet.

        Args:
            timeout: seconds for one exchange, from start to end.
        """
        self._timeout = timeout
        self._connections = asyncio.Semaphore(_CONNECTIONS)
        self._http = httpx.AsyncClient(
            verify=_trusted(),
            trust_env=False,  # no proxy sees the key because of an environment variable
            follow_redirects=False,
            timeout=httpx.Timeout(timeout, connect=min(_CONNECT_SECONDS, timeout)),
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            # httpx's own decoders have no limit: they would unpack a compression bomb whole.
            headers={"User-Agent": "headshot-playground", "Accept-Encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def post(self, url: str, body: SecretBody) -> HttpResponse | HttpFault:
        """POST a body as JSON. Redirects are not followed."""
        return await self._exchange("POST", url, MAX_REPLY_BYTES, body)

    async def get(self, target: ResolvedUrl, max_bytes: int) -> HttpResponse | HttpFault:
        """GET a link at the address that was checked for it. Redirects are not followed.

        Args:
            target: the link and its address.
            max_bytes: a larger response is a fault, `TOO_LARGE`.
        """
        url = httpx.URL(target.url)
        return await self._exchange(
            "GET",
            url.copy_with(host=target.address),  # the checked one, even if the name resolves to another one by now
            max_bytes,
            # One connection each: the next host at this address must show its own certificate.
            headers={"Host": url.netloc.decode(), "Connection": "close"},
            extensions={"sni_hostname": target.host},
        )

    async def _exchange(
        self,
        method: Literal["GET", "POST"],
        url: str | httpx.URL,
        max_bytes: int,
        body: SecretBody | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> HttpResponse | HttpFault:
        sent = False

        async def trace(event: str, _: object) -> None:
            nonlocal sent
            sent = sent or event.startswith("http11.send_request")

        try:
            async with (
                self._connections,
                asyncio.timeout(self._timeout),
                self._http.stream(
                    method,
                    url,
                    content=None if body is None else body.json(),
                    headers={**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})},
                    extensions={**(extensions or {}), "trace": trace},
                ) as response,
            ):
                content = await _read(response, max_bytes)
                if content is None:
                    return HttpFault(sent, TOO_LARGE)
                retry_after = {"retry-after": response.headers.get("retry-after", "")}
                return HttpResponse(response.status_code, retry_after, content)
        except Exception as error:  # noqa: BLE001  whatever broke, its frames hold the body: only words leave
            return HttpFault(sent, _reason(error, sent))
        except BaseException as stopped:  # noqa: BLE001  a cancellation passes, without the frames that hold the body
            stopped.__context__ = None
            raise stopped.with_traceback(None)  # noqa: B904


async def _read(response: httpx.Response, max_bytes: int) -> bytes | None:
    """The content, unpacked; None for more than `max_bytes`. Raises ValueError if it cannot be read."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise ValueError("an encoding that was not requested")
    if encoding in ("", "identity") and int(response.headers.get("content-length", 0)) > max_bytes:
        return None
    unpacker = None if encoding in ("", "identity") else zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk if unpacker is None else unpacker.decompress(chunk, max_bytes + 1 - len(content))
        if len(content) > max_bytes:
            return None
    if unpacker is not None and not unpacker.eof:
        raise ValueError("packed content that ends too early")
    return bytes(content)


def _reason(error: Exception, sent: bool) -> str:
    """What broke, as a clause."""
    chain: list[BaseException] = [error]
    while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None and deeper not in chain:
        chain.append(deeper)
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return "its certificate is not trusted"
    if any(isinstance(link, ssl.SSLError) for link in chain):
        return "no secure connection could be made"
    if any(isinstance(link, OSError) and type(link).__name__ == "gaierror" for link in chain):
        return "its address was not found"
    match error:
        case httpx.PoolTimeout():
            return "too many connections are open here"
        case httpx.TimeoutException() | TimeoutError():
            return "it did not answer in time" if sent else "it does not answer"
        case httpx.ConnectError():
            return "it refuses the connection"
        case httpx.TransportError():
            return "the connection broke"
        case ValueError() | zlib.error():
            return "its answer cannot be unpacked"
    return f"the connection failed ({type(error).__name__})"


@cache
def _trusted() -> ssl.SSLContext:
    """The certificate authorities. Loading them takes some 20 ms: once per process."""
    return httpx.create_ssl_context(trust_env=False)
