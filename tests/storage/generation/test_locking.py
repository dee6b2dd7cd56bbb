"""Which errors inside the writer's section are reported as failed writing, and which keep their type."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from contextsvc.errors import Fault
from contextsvc.indexing.build import IndexParts, Update, build_index, update_index
from contextsvc.indexing.changes import Progress
from contextsvc.records.arrays import Float32Array
from contextsvc.records.documents import Document
from contextsvc.storage.checking import check_index
from contextsvc.storage.corpus import CorpusWriter
from contextsvc.storage.corpus.aliases import Alias, write_aliases
from contextsvc.storage.generation import WriteError, current, disk_writes, stage
from contextsvc.storage.library import LoadedIndex
from contextsvc.storage.probes import record_probes
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import fake_parts

ERRORS = [
    ConnectionError("the embedding service is gone"),
    OSError(28, "No space left on device"),
    PermissionError(13, "Permission denied", "/elsewhere/model.bin"),
    TimeoutError("60 seconds"),
]
NEW = Document("new", "Something new.")


class FailingEmbedder(FakeEmbedder):
    """Fails when it is asked for vectors."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        self.calls.append(len(texts))
        raise self._error


def unreadable(error: OSError) -> Iterator[Document]:
    yield NEW
    raise error


def embedder_fails(root: Path, error: OSError) -> None:
    update_index(root, "pages", lambda _: Update([NEW]), fake_parts(FailingEmbedder(error)))


def source_fails(root: Path, error: OSError) -> None:
    build_index(root, "pages", unreadable(error), fake_parts())


def changes_fail(root: Path, error: OSError) -> None:
    def changes(_: object) -> Update:
        raise error

    update_index(root, "pages", changes, fake_parts())


def report_fails(root: Path, error: OSError) -> None:
    def report(done: Progress) -> None:
        if done.phase == "publishing":
            raise error

    update_index(root, "pages", lambda _: Update([NEW]), fake_parts(), report)


@pytest.mark.parametrize("fail", [embedder_fails, source_fails, changes_fail, report_fails])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_of_others_keeps_its_type_and_message(
    build: Build, tmp_path: Path, fail: Callable[[Path, OSError], None], error: OSError
) -> None:
    before = build().manifest.generation
    with pytest.raises(type(error)) as raised:
        fail(tmp_path, error)
    assert raised.value is error
    assert current(tmp_path, "pages") == before
    assert check_index(tmp_path, "pages", open_search)[1] == []


def searches_fail(parts: IndexParts) -> IndexParts:
    def write_search(*_: object) -> dict[str, object]:
        raise OSError(28, "No space left on device")

    return replace(parts, write_search=write_search)


def test_an_error_of_writing_the_searches_is_ours(build: Build, tmp_path: Path) -> None:
    before = build().manifest.generation
    with pytest.raises(Fault, match=r"writing index 'pages' failed: \[Errno 28\] No space left on device"):
        update_index(tmp_path, "pages", lambda _: Update([NEW]), searches_fail(fake_parts()))
    assert current(tmp_path, "pages") == before


@pytest.mark.parametrize("name", ["texts.utf8", "documents.npy", "aliases.jsonl", "probes.json"])
def test_a_file_that_cannot_be_written_is_ours(index: LoadedIndex, tmp_path: Path, name: str) -> None:
    def write() -> None:
        with stage(tmp_path, "docs") as staged:
            (staged.folder / name).mkdir()
            write_aliases(staged.folder, [Alias.of(NEW, "a", 1.0, exact=True)])
            record_probes(staged.folder, index.corpus, index.vectors, index.lexical)
            CorpusWriter(staged.folder, 2).close()

    with pytest.raises(Fault, match=rf"writing index 'docs' failed.*{name}"):
        write()


def test_a_write_error_says_what_the_system_said() -> None:
    with (
        pytest.raises(WriteError, match=r"\[Errno 13\] no: 'a' -> 'b'") as raised,
        disk_writes(),
        disk_writes(),
    ):
        raise PermissionError(13, "no", "a", None, "b")
    assert (raised.value.errno, raised.value.filename, raised.value.filename2) == (13, "a", "b")
    with pytest.raises(WriteError, match="short write"), disk_writes():
        raise OSError("short write")
