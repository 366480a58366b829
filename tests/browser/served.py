"""A dispatcher really served on loopback, and a wire to it that a test may cut, freeze and mend."""

import asyncio
import contextlib
import socket

import uvicorn


class Server:
    """uvicorn over an app, on a free port of its own."""

    def __init__(self, app):
        config = uvicorn.Config(
            app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        # The test run keeps its own signal handlers.
        self.server.capture_signals = contextlib.nullcontext
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.task = asyncio.create_task(self.server.serve(sockets=[self.socket]))

    async def close(self):
        self.server.should_exit = True
        await self.task


class Wire:
    """Carries bytes between a browser and a server: what lies between them in the real world."""

    def __init__(self, port):
        self.to = port
        self.cut_off = False
        self.flows = asyncio.Event()
        self.flows.set()
        self.pairs = set()
        self.tasks = set()

    async def open(self):
        self.server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    def cut(self):
        """Every connection ends, and new ones end at once."""
        self.cut_off = True
        for writer in tuple(self.pairs):
            writer.close()

    def freeze(self):
        """Nothing comes through any more, and nobody is told: a connection that is half open."""
        self.flows.clear()

    def mend(self):
        self.cut_off = False
        self.flows.set()

    async def close(self):
        self.mend()
        self.server.close()
        self.cut()
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _carry(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            if not self.cut_off:
                await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            # Whoever gave the connection up knows why; asyncio would only complain of it.
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _join(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        self.pairs |= {writer, back}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back))
                both.create_task(self._pump(there, writer))
        except* OSError:
            pass
        finally:
            self.pairs -= {writer, back}
            back.close()

    async def _pump(self, source, sink):
        while data := await source.read(65_536):
            await self.flows.wait()
            sink.write(data)
            await sink.drain()
        sink.close()
