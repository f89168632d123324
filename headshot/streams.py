"""What strangers send, read within bounds."""

from collections.abc import AsyncIterator


async def read_limited(most: int, chunks: AsyncIterator[bytes]) -> bytes:
    """The whole body, or nothing of one that is larger, which is not read to its end. most: in bytes."""
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            return b""
    return body
