"""Bodies of answers, as far as they came."""

from midstream.errors import TransportError
from midstream.transport import Response


async def body(response: Response) -> bytes:
    """All of it."""
    return b"".join([chunk async for chunk in response.chunks()])


async def came(response: Response) -> tuple[bytes, TransportError | None]:
    """A body as far as it came, and why it ended."""
    got = bytearray()
    try:
        async for chunk in response.chunks():
            got += chunk
    except TransportError as error:
        return bytes(got), error
    return bytes(got), None
