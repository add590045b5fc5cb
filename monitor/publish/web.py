"""The HTTP server: `/metrics`, `/live` and `/ready`, and nothing else.

`/live` says that the process answers; it never depends on a venue or the broker. `/ready` says
whether the daemon can do its work: 503 only without kernels, without state, without a broker or
without any venue, and else 200 with what is degraded by name. It binds the loopback unless told
otherwise, and a client that is slow or idle costs a bounded time and one of a few connections.
"""

import asyncio
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec
import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.errors import ListenError

MOST_CONNECTIONS = 64
IDLE_S = 30.0  # for a whole request to arrive, and between two of them
ANSWER_S = 10.0  # for an answer to be made and read
LEAVE_S = 1.0  # for requests in progress when the server closes


class Readiness(msgspec.Struct, frozen=True):
    """What the daemon needs to do its work.

    Attributes:
        kernels: Whether the kernels are compiled.
        state: Whether the state was restored, or there was none to restore.
        broker: Whether the broker acknowledges us, or none is wanted.
        venues: Enabled venues by name -> whether data flows.
        degraded: What is not as it should be, by name, worst first.
    """

    kernels: bool
    state: bool
    broker: bool
    venues: dict[str, bool]
    degraded: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether it can do its work at all."""
        return self.kernels and self.state and self.broker and any(self.venues.values())


class Web:
    """The server; an asynchronous context that listens from its beginning to its end.

    Attributes:
        host: The address it listens on.
        port: The port it listens on; the one given as 0 becomes known on entry.
    """

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Handler,
        readiness: Callable[[], Readiness],
        *,
        idle_s: float = IDLE_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.host = host
        self.port = port
        self._metrics = metrics
        self._readiness = readiness
        self._idle_s = idle_s
        self._answer_s = answer_s
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ListenError: The address cannot be bound.
        """
        app = web.Application(middlewares=[self._bounded])
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/live", self._live)
        app.router.add_get("/ready", self._ready)
        self._runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=self._idle_s, shutdown_timeout=LEAVE_S
        )
        await self._runner.setup()
        try:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._accept, self.host, self.port)
        except OSError as error:
            await self._runner.cleanup()
            number = error.errno or 0  # negative where a name could not be resolved
            reason = os.strerror(number) if number > 0 else error.strerror
            raise ListenError(
                f"http: expected to listen on {self.host}:{self.port}, was refused: {reason}; "
                "set http.port or end what uses it"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening and end what is in progress."""
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _accept(self) -> asyncio.BaseProtocol:
        """A handler for one connection, or a closed door."""
        server = self._runner.server if self._runner is not None else None
        if server is None or len(server.connections) >= MOST_CONNECTIONS:
            return _Closed()
        return server()

    @web.middleware
    async def _bounded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Make the answer and see it read, both within a deadline."""
        try:
            async with asyncio.timeout(self._answer_s):
                response = await handler(request)
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the client did not read its answer in time") from None
        return response

    async def _live(self, _request: web.Request) -> web.StreamResponse:
        return _json({"live": True})

    async def _ready(self, _request: web.Request) -> web.StreamResponse:
        readiness = self._readiness()
        content = {"ready": readiness.ready, "degraded": readiness.degraded}
        return _json(content, 200 if readiness.ready else 503)


class _Closed(asyncio.Protocol):
    """Turns a connection away: there are enough."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it at once."""
        transport.close()


def _json(content: dict[str, object], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
