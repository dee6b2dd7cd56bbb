"""States of the indexes as last seen."""

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from contextsvc.errors import CorruptIndex
from contextsvc.service.readiness import Readiness, index_states
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import LONG


@pytest.fixture
def library(build: Build, tmp_path: Path) -> Library:
    """The library of `pages`."""
    build()
    return Library(tmp_path, FakeEmbedder().fingerprint, open_search)


def refuse(library: Library, problem: str) -> None:
    """The library finds its index damaged."""

    def get(name: str) -> Any:
        raise CorruptIndex(name, [problem])

    library.get = get  # type: ignore[method-assign]


def test_nothing_is_looked_at_by_asking(library: Library) -> None:
    readiness = Readiness(library)
    assert readiness.states == []
    readiness.refresh()
    assert [state["state"] for state in readiness.states] == ["ready"]
    assert readiness.states == index_states(library)
    refuse(library, "texts.utf8: changed")
    assert [state["state"] for state in readiness.states] == ["ready"]


def test_what_makes_an_index_unusable_is_logged_once_and_whole(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    readiness = Readiness(library)
    for problem in ("/srv/texts: changed", "/srv/texts: changed", "/srv/other: changed"):
        refuse(library, problem)
        readiness.refresh()
        (state,) = readiness.states
        assert (state["state"], "/srv" in state["reason"]) == ("unusable", False)
    lines = [json.loads(record.message) for record in caplog.records]
    assert [line["event"] for line in lines] == ["index_unusable"] * 2
    assert ["/srv/texts" in line["why"] for line in lines] == [True, False]


def test_a_look_that_fails_is_not_the_last(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    readiness = Readiness(library, refresh_seconds=0.001)
    readiness.start()
    failed, names = threading.Event(), library.names

    def fails() -> list[str]:
        if failed.is_set():
            return [*names(), "new"]
        failed.set()
        raise OSError("no such disk")

    library.names = fails  # type: ignore[method-assign]
    try:
        pause = threading.Event()
        for _ in range(int(LONG / 0.005)):
            if len(readiness.states) == 2:
                break
            pause.wait(0.005)
        assert [state["name"] for state in readiness.states] == ["pages", "new"]
        assert "no such disk" in caplog.text
        assert caplog.records[0].levelno == logging.ERROR
    finally:
        readiness.stop()
