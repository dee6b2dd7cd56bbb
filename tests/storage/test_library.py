"""Open indexes follow what is published, and refuse what does not fit."""

import os
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contextsvc.errors import CorruptIndex, IndexMismatch, UnknownIndex
from contextsvc.indexing.build import build_index
from contextsvc.indexing.deduplication import Deduplicator
from contextsvc.ports import LexicalIndex, VectorIndex
from contextsvc.records.documents import Document
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import append, roll_back, stage, verified
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.bytes_read import bytes_read
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import LONG, documents, fake_parts

SETTLED_NS = 20_000_000


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


def test_an_index_whose_pointer_is_gone_serves_and_is_listed(
    build: Build, library: Library, tmp_path: Path
) -> None:
    generation = build().manifest.generation
    (tmp_path / "pages" / "CURRENT").unlink()
    assert library.names() == ["pages"]
    found = library.get("pages")
    assert found.generation == generation
    assert "CURRENT: missing" in found.instead_of
    assert roll_back(tmp_path, "pages", generation) is not None
    assert library.get("pages").instead_of == ""


def test_a_generation_that_was_never_published_is_no_index(
    build: Build, library: Library, tmp_path: Path
) -> None:
    build()
    (tmp_path / "pages" / "CURRENT").unlink()
    (tmp_path / "pages" / "verified.json").unlink()
    assert library.names() == []
    with pytest.raises(UnknownIndex):
        library.get("pages")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Waits until a later change of a file shows in its times; that takes milliseconds here."""
    monkeypatch.setattr(verified, "SETTLED_NS", SETTLED_NS)
    return lambda: time.sleep(2 * SETTLED_NS / 1e9)


def reads_of_refusal(library: Library) -> int:
    def get() -> None:
        with pytest.raises(CorruptIndex):
            library.get("pages")

    return bytes_read(get)


@pytest.mark.parametrize("name", ["texts.utf8", "manifest.json", "aliases.jsonl", "../../CURRENT", "extra"])
@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_index_is_read_once_and_a_repair_is_noticed(
    tmp_path: Path, settled: Callable[[], None], name: str, damage: str
) -> None:
    watch = Deduplicator(1.0, None, keep_one=True)  # makes an alias
    build_index(tmp_path, "pages", documents(), fake_parts(), deduplicator=watch)
    library = Library(tmp_path, FakeEmbedder().fingerprint, open_search, falls_back=False)
    (folder,) = (tmp_path / "pages" / "generations").iterdir()
    path = folder / name
    whole = path.read_bytes() if path.exists() else None
    if whole is None:
        path.write_bytes(b"not in the manifest")
    elif damage == "changed":
        path.write_bytes(whole[:-2] + b"X" + whole[-1:])
    elif name == "../../CURRENT":
        path.write_bytes(b"")  # without it there is no index
    else:
        path.unlink()
    settled()
    reads_of_refusal(library)
    assert [reads_of_refusal(library) for _ in range(3)] == [0, 0, 0]
    if whole is None:
        path.unlink()
    else:
        path.write_bytes(whole)
    assert library.get("pages").manifest.num_documents == 7
    assert library.num_fallbacks == 0


def test_damage_a_moment_old_is_read_again(build: Build, library: Library, tmp_path: Path) -> None:
    # A repair right now could bear the same time.
    build()
    (path,) = (tmp_path / "pages" / "generations").glob("*/texts.utf8")
    path.write_bytes(b"X" * path.stat().st_size)
    for _ in range(2):
        assert reads_of_refusal(library) > path.stat().st_size


def test_a_writer_at_work_does_not_have_damage_read_again(
    build: Build, library: Library, tmp_path: Path, settled: Callable[[], None]
) -> None:
    build()
    (path,) = (tmp_path / "pages" / "generations").glob("*/texts.utf8")
    path.unlink()
    settled()
    reads_of_refusal(library)
    append(tmp_path / "pages", [b"waits"])
    with stage(tmp_path, "pages") as staged:
        (staged.folder / "a").write_text("new")
        assert reads_of_refusal(library) == 0
    assert reads_of_refusal(library) == 0
    build([*documents(), Document("new", "Something new.")])
    assert library.get("pages").manifest.num_documents == 9


def test_while_a_previous_generation_serves_a_repair_is_noticed(
    build: Build, library: Library, tmp_path: Path
) -> None:
    before = build().manifest.generation
    now = build([*documents(), Document("new", "Something new.")]).manifest.generation
    path = tmp_path / "pages" / "generations" / now / "texts.utf8"
    whole = path.read_bytes()
    path.write_bytes(b"X" * len(whole))
    assert [library.get("pages").generation for _ in range(3)] == [before] * 3
    assert library.num_fallbacks == 1
    path.write_bytes(whole)
    assert library.get("pages").generation == now
    assert library.get("pages").instead_of == ""


def test_files_that_could_not_be_opened_are_tried_again(
    build: Build, library: Library, settled: Callable[[], None]
) -> None:
    build()
    settled()
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    for spare in range(3):
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + spare, limits[1]))
        try:
            with pytest.raises(CorruptIndex, match="Too many open files"):
                library.get("pages")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert library.get("pages").instead_of == ""
