"""Open indexes follow what is published, and refuse what does not fit."""

from pathlib import Path

import pytest

from contextsvc.errors import CorruptIndex, IndexMismatch, UnknownIndex
from contextsvc.library import Library
from contextsvc.records import Document
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import documents


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path, FakeEmbedder().fingerprint, open_search)


def test_an_index_is_opened_once(build: Build, library: Library) -> None:
    build()
    assert library.names() == ["pages"]
    assert library.get("pages") is library.get("pages")


def test_a_new_generation_is_picked_up_and_the_old_one_stays_readable(build: Build, library: Library) -> None:
    build()
    old = library.get("pages")
    build([*documents(), Document("new", "Something new.")])
    new = library.get("pages")
    assert (old.corpus.num_documents, new.corpus.num_documents) == (8, 9)
    assert old.corpus.chunk(0).text == new.corpus.chunk(0).text


def test_an_unknown_index_names_the_known_and_the_command(build: Build, library: Library) -> None:
    build()
    with pytest.raises(UnknownIndex, match=r"there: pages.*contextsvc index build"):
        library.get("nope")


def test_an_index_of_another_embedder_is_refused(build: Build, tmp_path: Path) -> None:
    build()
    with pytest.raises(IndexMismatch, match="built with fake-embedder:1:256, the service runs other"):
        Library(tmp_path, "other", open_search).get("pages")


def test_a_damaged_file_is_found_before_anything_is_served(
    build: Build, library: Library, tmp_path: Path
) -> None:
    build()
    (vectors,) = (tmp_path / "pages" / "generations").glob("*/chunk_vectors.npy")
    data = bytearray(vectors.read_bytes())
    data[-1] ^= 1
    vectors.chmod(0o644)
    vectors.write_bytes(bytes(data))
    with pytest.raises(CorruptIndex, match=r"chunk_vectors.npy"):
        library.get("pages")
