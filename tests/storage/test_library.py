"""Open indexes follow what is published, and refuse what does not fit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contextsvc.errors import CorruptIndex, IndexMismatch, UnknownIndex
from contextsvc.ports import LexicalIndex, VectorIndex
from contextsvc.records.documents import Document
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import LONG, documents


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


def test_while_one_thread_opens_a_generation_others_go_on_and_who_must_waits(
    build: Build, tmp_path: Path
) -> None:
    opening, may_go_on = threading.Event(), threading.Event()

    def slow(name: str, folder: Path, corpus: Corpus) -> tuple[VectorIndex, LexicalIndex]:
        opening.set()
        assert may_go_on.wait(LONG)
        return open_search(name, folder, corpus)

    library = Library(tmp_path, FakeEmbedder().fingerprint, slow)
    may_go_on.set()
    old = build().manifest.generation
    assert library.get("pages").generation == old
    opening.clear()
    may_go_on.clear()
    new = build([*documents(), Document("new", "Something new.")]).manifest.generation
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(library.get, "pages")
        assert opening.wait(LONG)
        assert library.get("pages").generation == old
        waiting = pool.submit(library.refreshed, "pages")
        may_go_on.set()
        assert first.result(LONG).generation == waiting.result(LONG).generation == new


def test_an_unknown_index_names_the_known_and_the_command(build: Build, library: Library) -> None:
    build()
    with pytest.raises(UnknownIndex, match=r"there: pages.*contextsvc index build"):
        library.get("nope")


def test_an_index_of_another_embedder_is_refused(build: Build, tmp_path: Path) -> None:
    build()
    with pytest.raises(IndexMismatch, match="built with fake-embedder:1:256, the service runs other"):
        Library(tmp_path, Fingerprint(name="other"), open_search).get("pages")


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
