"""Connections of aiohttp without sockets: what is asked is answered at once. Knows no answers."""

import asyncio
import atexit
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

__all__ = ["Wires", "run"]

Answer = Callable[[bytes], bytes]
"""From all that was sent by now to what comes next; then the other end hangs up."""

_RUNNER = asyncio.Runner()
atexit.register(_RUNNER.close)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end, on one loop for all inputs."""
    # the runner's own `run` looks after signals each time, which takes longer than an input
    _RUNNER.get_loop().run_until_complete(coroutine)


class _Wire(asyncio.Transport):
    def __init__(self, protocol: ResponseHandler, answer: Answer) -> None:
        super().__init__()
        self._protocol = protocol
        self._answer = answer
        self._sent = b""
        self._is_closing = False

    def write(self, data: bytes) -> None:
        self._sent += bytes(data)
        if b"\r\n\r\n" in self._sent and not self._is_closing:
            answer, self._answer = self._answer, lambda _: b""
            asyncio.get_running_loop().call_soon(self._receive, answer(self._sent))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def _receive(self, data: bytes) -> None:
        if self._is_closing:
            return
        with suppress(Exception):  # as a socket's transport does, which logs it and hangs up
            self._protocol.data_received(data)
            self._protocol.eof_received()
        self.close()

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def is_reading(self) -> bool:
        return not self._is_closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


class Wires(aiohttp.BaseConnector):
    """A connector whose connections are answered by `answer`; set the attribute to change it."""

    answer: Answer = staticmethod(lambda _: b"")

    async def _create_connection(self, *_: Any) -> ResponseHandler:
        protocol = ResponseHandler(loop=asyncio.get_running_loop())
        protocol.connection_made(_Wire(protocol, self.answer))
        return protocol
