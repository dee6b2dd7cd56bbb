"""The service under load: probes, worker threads, the queue. Only the order of events is checked."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from contextsvc.api.app import create_app
from contextsvc.service.engine import Engine
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.world import fake_engine

ASK = {"index": "pages", "query": "snapshot of the cluster", "budget_tokens": 200, "max_chunks": 2}
SLOTS, WAITING = 2, 60
"""More requests than a server's 40 worker threads."""

LONG = 20.0
"""Seconds that no test waits unless it fails."""


class Blocked:
    """An assembler that makes no pack before it is told to.

    Attributes:
        num_at_work: Threads inside `assemble`.
        threads: Names of all threads that ever were.
    """

    def __init__(self, assembler: Any) -> None:
        self._assembler = assembler
        self.go_on = threading.Event()
        self.entered = threading.Semaphore(0)
        self.num_at_work = self.num_packs = 0
        self.threads: set[str] = set()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._assembler, name)

    def assemble(self, *arguments: Any) -> Any:
        """As the assembler, when told to go on."""
        with self._lock:
            self.num_at_work += 1
            self.threads.add(threading.current_thread().name)
        self.entered.release()
        assert self.go_on.wait(LONG)
        with self._lock:
            self.num_at_work -= 1
            self.num_packs += 1
        return self._assembler.assemble(*arguments)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[tuple[httpx.AsyncClient, Engine, Blocked]]:
    """The application in this event loop, its packs blocked."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        engine: Engine = app.state.engine
        blocked = Blocked(engine.assembler)
        engine.assembler = blocked  # type: ignore[assignment]
        try:
            yield client, engine, blocked
        finally:
            blocked.go_on.set()


@pytest.fixture
def app(build: Build, tmp_path: Path) -> FastAPI:
    """The service over `pages`: 2 packs at a time, 60 may wait."""
    build()
    made: dict[str, Any] = {"max_concurrent": SLOTS, "max_waiting": WAITING, "wait_seconds": LONG}
    return create_app(lambda: fake_engine(tmp_path, MemoryCache(), **made))


async def until(holds: Callable[[], bool]) -> None:
    """Let other tasks run until it holds."""
    async with asyncio.timeout(LONG):
        while not holds():
            await asyncio.sleep(0.001)


async def in_line(engine: Engine, number: int) -> None:
    """Wait until that many requests wait for a packing slot."""
    await until(lambda: len(engine.packing._queue) == number)


def test_probes_are_answered_while_every_slot_and_place_is_taken(app: FastAPI) -> None:
    async def story() -> None:
        async with served(app) as (client, engine, blocked):
            asked = [
                asyncio.create_task(client.post("/v1/context", json=ASK)) for _ in range(SLOTS + WAITING)
            ]
            for _ in range(SLOTS):
                await asyncio.to_thread(blocked.entered.acquire, timeout=LONG)
            # Let every request go as far as it comes.
            for _ in range(200):
                await asyncio.sleep(0)
            for probe in ("/livez", "/readyz"):
                async with asyncio.timeout(LONG):
                    assert (await client.get(probe)).status_code == 200
            assert not any(task.done() for task in asked)
            refused = await client.post("/v1/context", json=ASK)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert blocked.num_at_work == SLOTS == len(blocked.threads)
            assert anyio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
            await in_line(engine, WAITING)
            blocked.go_on.set()
            assert {task.status_code for task in await asyncio.gather(*asked)} == {200}
            assert blocked.num_packs == SLOTS + WAITING
            assert len(blocked.threads) == SLOTS
            assert engine.packing.idle

    asyncio.run(story())


def test_readiness_does_not_wait_for_an_index_that_opens(app: FastAPI) -> None:
    async def story() -> None:
        async with served(app) as (client, engine, _):
            opening, go_on = threading.Event(), threading.Event()

            def get(_: str) -> Any:
                opening.set()
                assert go_on.wait(LONG)
                raise AssertionError("the test is over")

            engine.library.get = get  # type: ignore[method-assign, assignment]
            try:
                # The refresh beside is inside the library, and stays there.
                assert await asyncio.to_thread(opening.wait, LONG)
                async with asyncio.timeout(LONG):
                    ready = await client.get("/readyz")
                assert (ready.status_code, ready.json()["indexes"][0]["state"]) == (200, "ready")
            finally:
                go_on.set()

    asyncio.run(story())


async def connected(app: FastAPI, gone: asyncio.Event) -> list[int]:
    """Statuses sent to a client that asks for a pack and closes its connection on `gone`."""
    body, statuses = httpx.Request("POST", "http://test", json=ASK).read(), []
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http", "method": "POST", "path": "/v1/context", "raw_path": b"/v1/context",
        "query_string": b"", "headers": [(b"content-type", b"application/json")], "asgi": {"version": "3.0"},
        "http_version": "1.1", "scheme": "http", "server": ("test", 80), "client": ("test", 1),
        "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    return statuses


def test_a_client_that_goes_away_frees_its_place_in_the_queue(app: FastAPI) -> None:
    async def story() -> None:
        async with served(app) as (client, engine, blocked):
            gone, stays = asyncio.Event(), asyncio.Event()
            asked: list[asyncio.Task[Any]] = [
                asyncio.create_task(connected(app, stays)) for _ in range(SLOTS)
            ]
            for _ in range(SLOTS):
                await asyncio.to_thread(blocked.entered.acquire, timeout=LONG)
            leaver = asyncio.create_task(connected(app, gone))
            await in_line(engine, 1)
            asked.append(asyncio.create_task(client.post("/v1/context", json=ASK)))
            await in_line(engine, 2)
            gone.set()
            assert await leaver == [499]
            await in_line(engine, 1)
            blocked.go_on.set()
            *first, last = await asyncio.gather(*asked)
            assert (first, last.status_code) == ([[200]] * SLOTS, 200)
            assert blocked.num_packs == SLOTS + 1
            assert engine.packing.idle

    asyncio.run(story())


def test_work_that_was_cancelled_holds_its_slot_to_its_end(app: FastAPI) -> None:
    async def story() -> None:
        async with served(app) as (_, engine, blocked):

            async def nobody() -> None:
                await asyncio.Event().wait()

            def work() -> Awaitable[Any]:
                loaded = engine.library.get("pages")
                request = engine.request("pages", ASK["query"], 200)  # type: ignore[arg-type]
                return engine.packing.run(lambda: blocked.assemble(loaded, request), nobody)

            task = asyncio.ensure_future(work())
            await asyncio.to_thread(blocked.entered.acquire, timeout=LONG)
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()
            assert not engine.packing.idle
            blocked.go_on.set()
            await until(lambda: engine.packing.idle)

    asyncio.run(story())
