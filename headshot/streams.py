"""Reading request bodies with a size limit."""

from collections.abc import AsyncIterator


async def read_limited(most: int, chunks: AsyncIterator[bytes]) -> bytes:
    """Read a body of limited size.

    Args:
        most: the limit in bytes.
        chunks: the body. It is not read further once it exceeds the limit.

    Returns:
        The whole body, or b"" if it is larger than the limit.
    """
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            return b""
    return body
