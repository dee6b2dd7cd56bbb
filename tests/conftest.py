"""Fixtures that many tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from contextsvc.indexing.build import BuildResult, build_index
from contextsvc.records.documents import Document
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.fakes.embedder import FakeEmbedder
from tests.world import documents, fake_parts

Build = Callable[..., BuildResult]

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds an index named `pages` under tmp_path."""

    def run(made: list[Document] | None = None, embedder: FakeEmbedder | None = None) -> BuildResult:
        return build_index(tmp_path, "pages", documents() if made is None else made, fake_parts(embedder))

    return run


@pytest.fixture
def index(build: Build, tmp_path: Path) -> LoadedIndex:
    """The index `pages`, open."""
    build()
    return Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
