"""A publish that removes the generation a reader is opening, at every call of the file system in between."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from contextsvc.indexing.build import build_index
from contextsvc.records.documents import Document
from contextsvc.storage.checking import check_index
from contextsvc.storage.generation import current, open_manifest
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.fakes.embedder import FakeEmbedder
from tests.world import fake_parts

Read = TypeVar("Read")

_READS = {"open", "os.listdir", "os.scandir"}


class Between:
    """Counts the calls of one thread that read under a folder; before number `at` it calls `do`."""

    def __init__(self, root: Path, at: float, do: Callable[[], object]) -> None:
        self.num_calls = 0
        self._root, self._at, self._do = str(root), at, do
        self._thread = threading.get_ident()

    def call(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count a call, unless this is a call of `do` itself."""
        if event not in _READS or threading.get_ident() != self._thread:
            return
        if not str(arguments[0]).startswith(self._root):
            return
        self.num_calls += 1
        if self.num_calls == self._at:
            with watching(None):
                self._do()


_watched: list[Between | None] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched and _watched[-1] is not None:
        _watched[-1].call(event, arguments)


sys.addaudithook(_audit)


@contextmanager
def watching(between: Between | None) -> Iterator[None]:
    """Pass the calls to one; None: to nobody."""
    _watched.append(between)
    try:
        yield
    finally:
        _watched.pop()


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power cut is tried here."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def published_between(root: Path, read: Callable[[], Read]) -> Iterator[Read]:
    """Publish, keeping no other generation, before each call that `read` makes in turn; yield its results."""
    publish(root, 0)
    for number in range(1, 1_000):
        between = Between(root, number, partial(publish, root, number))
        with watching(between):
            found = read()
        if between.num_calls < number:
            assert number > 10
            return
        yield found
    raise AssertionError("expected an end of the calls")


def publish(root: Path, number: int) -> None:
    build_index(root, "pages", [Document("page", f"Page number {number}.")], fake_parts(), keep=1)


def test_the_library_opens_what_was_published_meanwhile(tmp_path: Path) -> None:
    def read() -> tuple[Library, LoadedIndex]:
        library = Library(tmp_path, FakeEmbedder().fingerprint, open_search)
        return library, library.get("pages")

    for library, index in published_between(tmp_path, read):
        assert index.corpus.chunk(0).text.startswith("Page number")
        assert (library.num_fallbacks, index.instead_of) == (0, "")
        assert library.get("pages").generation == current(tmp_path, "pages")


@pytest.mark.parametrize("trust_seen", [True, False])
def test_so_does_who_asks_for_the_manifest(tmp_path: Path, trust_seen: bool) -> None:
    for folder, manifest in published_between(
        tmp_path, lambda: open_manifest(tmp_path, "pages", trust_seen=trust_seen)
    ):
        assert folder.name == manifest.generation


def test_and_a_check_finds_no_fault(tmp_path: Path) -> None:
    for manifest, found in published_between(tmp_path, lambda: check_index(tmp_path, "pages", open_search)):
        assert manifest is not None
        assert found == []
