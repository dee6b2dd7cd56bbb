"""Requests during publishes: none fails, and none mixes two generations."""

import re
import threading
from pathlib import Path

import pytest

from contextsvc.indexing.build import build_index
from contextsvc.records.documents import Document
from contextsvc.service.engine import Engine
from tests.world import LONG, fake_engine, fake_parts

NUM_PUBLISHES = 20
NUM_READERS = 4


def pages(version: int) -> list[Document]:
    """Pages whose texts name their version; all pages of a generation have the same version."""
    return [
        Document(f"page{n}", f"The snapshot of cluster {n} holds keys. It is of version {version}.")
        for n in range(5)
    ]


def read(engine: Engine, stop: threading.Event, seen: list[tuple[str, frozenset[str]]]) -> None:
    while not stop.is_set():
        pack = engine.context("pages", "snapshot of the cluster", 500, max_chunks=5)
        seen.append((pack["generation"], frozenset(re.findall(r"version (\d+)", pack["text"]))))


def test_readers_at_full_speed_during_20_publishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)  # a slow disk would only space the publishes out
    build_index(tmp_path, "pages", pages(0), fake_parts())
    engine = fake_engine(tmp_path, max_concurrent=NUM_READERS, max_waiting=64, wait_seconds=LONG)
    stop, errors = threading.Event(), list[BaseException]()
    seen: list[tuple[str, frozenset[str]]] = []

    def reader() -> None:
        try:
            read(engine, stop, seen)
        except BaseException as error:  # noqa: BLE001  # it is asserted on below
            errors.append(error)

    threads = [threading.Thread(target=reader) for _ in range(NUM_READERS)]
    for thread in threads:
        thread.start()
    generations = {engine.library.get("pages").generation: "0"}
    for version in range(1, NUM_PUBLISHES + 1):
        engine.publisher.put("pages", pages(version))
        generations[engine.publisher.publish("pages")["generation"]] = str(version)
    answered = len(seen)
    while len(seen) <= answered + NUM_READERS and any(thread.is_alive() for thread in threads):
        stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join(LONG)
    assert errors == []
    assert len(generations) == NUM_PUBLISHES + 1
    assert {found for found in seen if found[1] != {generations[found[0]]}} == set()
    assert len({generation for generation, _ in seen}) > 3
    # Each reader may have been at work on an older one when the last was published, and no answer later.
    late = [generation for generation, _ in seen[answered:] if generation != max(generations)]
    assert len(late) <= NUM_READERS < len(seen) - answered
    assert engine.library.num_fallbacks == 0
