"""A background measurement gives way to one that a caller waits for."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contextsvc.service.engine import Engine
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.fakes.job_queue import MemoryJobQueue
from tests.fakes.reader import FakeReader
from tests.world import LONG, QUERY, fake_engine, fake_measurer

QUEUED, LIVE = "every night", "holds all keys"
"""Responses: the background's and the caller's."""


class Gated(FakeReader):
    """Scores the queued response one mask at a time: each waits for a permit.

    Attributes:
        masks: Responses whose masks were begun, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[str] = []
        self.begun, self.permits = threading.Semaphore(0), threading.Semaphore(0)
        self.is_open = False

    def _score(self, kept: list[str], target: str) -> float:
        self.masks.append(target)
        if target == QUEUED and not self.is_open:
            self.begun.release()
            assert self.permits.acquire(timeout=LONG)
        return super()._score(kept, target)

    def open(self) -> None:
        """Every mask goes on from now."""
        self.is_open = True
        self.permits.release(1_000)


@pytest.fixture
def reader() -> Gated:
    return Gated()


@pytest.fixture
def queue() -> MemoryJobQueue:
    return MemoryJobQueue(8)


@pytest.fixture
def engine(build: Build, tmp_path: Path, reader: Gated, queue: MemoryJobQueue) -> Iterator[Engine]:
    """An engine whose background worker runs."""
    build()
    measurer = fake_measurer(reader)
    made = fake_engine(tmp_path, MemoryCache(), queue, measurer, background_jobs=8, wait_seconds=LONG)
    assert made.background is not None
    made.background.start()
    yield made
    reader.open()
    assert made.background.stop(LONG)


def pack_in_background(engine: Engine) -> str:
    """Id of a pack that is measured in the background."""
    steps = engine.context("pages", QUERY, 200, max_chunks=2, measure="background", response=QUEUED)
    return str(steps["pack_id"])


def waits(engine: Engine, number: int) -> None:
    """Return when so many requests wait for the measuring slot."""
    pause = threading.Event()
    for _ in range(int(LONG / 0.005)):
        if len(engine.measuring._queue) == number:
            return
        pause.wait(0.005)
    raise AssertionError(f"{len(engine.measuring._queue)} requests wait, expected {number}")


def test_a_live_measurement_waits_for_one_mask_of_the_background(
    engine: Engine, reader: Gated, queue: MemoryJobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    pack_id = pack_in_background(engine)
    # The first mask is being read, of many.
    assert reader.begun.acquire(timeout=LONG)
    with ThreadPoolExecutor(1) as pool:
        live = pool.submit(engine.utilization, pack_id, LIVE)
        waits(engine, 1)
        reader.permits.release()
        assert live.result(LONG)["target"] == LIVE
    assert reader.masks[:2] == [QUEUED, LIVE], "one mask, then the live measurement"
    # Nothing is kept of the dropped one, and it is no failure: it begins anew and is done later.
    assert engine.pack(pack_id)["utilization"]["target"] == LIVE
    assert reader.begun.acquire(timeout=LONG)
    (job,) = queue._entries
    assert (job.key, job.state, job.num_tries) == (pack_id, "running", 1)
    reader.open()
    assert engine.background is not None
    assert engine.background.drain(LONG)
    found = engine.pack(pack_id)["utilization"]
    assert (found["target"], found["partial"], queue._entries) == (QUEUED, False, [])
    assert not [record for record in caplog.records if record.name == "contextsvc.background"]


def test_a_pack_that_is_deleted_while_it_is_measured_leaves_nothing(engine: Engine, reader: Gated) -> None:
    pack_id = pack_in_background(engine)
    assert reader.begun.acquire(timeout=LONG)
    engine.delete_pack(pack_id)
    reader.open()
    assert engine.background is not None
    assert engine.background.drain(LONG)
    assert engine.measurer.last(pack_id) is None
    cache = engine.assembler._cache
    assert isinstance(cache, MemoryCache)
    assert pack_id not in cache._tags.values()


def test_a_background_measurement_that_nobody_waits_behind_runs_to_its_end(
    engine: Engine, reader: Gated
) -> None:
    pack_id = pack_in_background(engine)
    assert reader.begun.acquire(timeout=LONG)
    reader.open()
    assert engine.background is not None
    assert engine.background.drain(LONG)
    assert engine.pack(pack_id)["utilization"]["partial"] is False
    assert reader.masks.count(QUEUED) == len(reader.masks)
