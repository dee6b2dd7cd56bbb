"""Keeping changes: the work for a batch and for a deletion, and changes of other processes."""

from pathlib import Path

import pytest

from contextsvc.errors import CorruptIndex, InvalidRequest, UnknownDocument
from contextsvc.records.documents import Document
from contextsvc.records.validation import MAX_DOCUMENTS
from contextsvc.service.publishing import PendingIds, Publisher, encode_deletion, encode_upsert
from contextsvc.storage.generation import append, drop_until, read_journal
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.bytes_read import bytes_read
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import fake_parts


def a_publisher(root: Path) -> Publisher:
    return Publisher(Library(root, FakeEmbedder().fingerprint, open_search), fake_parts, 2)


@pytest.fixture
def publisher(build: Build, tmp_path: Path) -> Publisher:
    build()
    return a_publisher(tmp_path)


class CountedId(str):
    """An id that counts how often it is compared with another."""

    num_compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedId.num_compared += 1
        return str.__eq__(self, other)


def comparisons(publisher: Publisher, num_documents: int) -> int:
    ids = [f"d{number}" for number in range(num_documents - 1)]
    documents = [Document(CountedId(doc_id), "Text.") for doc_id in [*ids, ids[-1]]]
    CountedId.num_compared = 0
    with pytest.raises(InvalidRequest, match=f"'{ids[-1]}'"):
        publisher.put("pages", documents)
    return CountedId.num_compared


def test_ids_of_a_batch_are_compared_in_linear_time(publisher: Publisher) -> None:
    assert comparisons(publisher, 1_000) <= 2_000


def test_a_batch_has_a_limit_that_says_itself(publisher: Publisher, tmp_path: Path) -> None:
    documents = [Document(f"d{number}", "Text.") for number in range(MAX_DOCUMENTS + 1)]
    with pytest.raises(InvalidRequest, match=r"10001 documents were sent; expected at most 10000"):
        publisher.put("pages", documents)
    assert list(read_journal(tmp_path / "pages")) == []
    assert publisher.put("pages", documents[1:])["accepted"] == MAX_DOCUMENTS


def test_a_deletion_reads_as_much_of_a_long_journal_as_of_a_short_one(
    publisher: Publisher, tmp_path: Path
) -> None:
    def deletion(doc_id: str) -> int:
        return bytes_read(lambda: publisher.delete("pages", doc_id))

    assert deletion("apples") > 0  # reads the ids of the index, once
    assert deletion("pears") < 10_000
    for number in range(3):
        publisher.put("pages", [Document(f"long{number}", "A long text. " * 100_000)])
    assert (tmp_path / "pages" / "journal").stat().st_size > 3_000_000
    assert deletion("long0") > 3_000_000  # reads what was put since, once
    assert all(deletion(doc_id) < 20_000 for doc_id in ("long1", "stars", "long1"))


def test_changes_of_other_processes_count(publisher: Publisher, tmp_path: Path) -> None:
    other = a_publisher(tmp_path)
    with pytest.raises(UnknownDocument):
        publisher.delete("pages", "new")
    other.put("pages", [Document("new", "Something new.")])
    assert publisher.delete("pages", "new")["accepted"] == 1  # it waits
    assert other.publish("pages")["added"] == 0
    with pytest.raises(UnknownDocument):
        publisher.delete("pages", "new")
    other.put("pages", [Document("new", "Something new.")])
    other.publish("pages")
    assert publisher.delete("pages", "new")["accepted"] == 1  # it is in the index
    other.publish("pages")
    with pytest.raises(UnknownDocument):
        publisher.delete("pages", "new")


def test_ids_of_a_journal_that_was_replaced_are_forgotten(tmp_path: Path) -> None:
    known = PendingIds(tmp_path)
    assert not known.has("a", 0)
    append(tmp_path, encode_upsert([Document("a", "Text.")]))
    end = append(tmp_path, [encode_deletion("b")])
    assert [known.has(doc_id, 0) for doc_id in "abc"] == [True, True, False]
    assert [known.has(doc_id, end) for doc_id in "abc"] == [False, False, False]
    assert [known.has(doc_id, 0) for doc_id in "abc"] == [True, True, False]
    drop_until(tmp_path, end)
    append(tmp_path, [encode_deletion("c")])
    assert [known.has(doc_id, 0) for doc_id in "abc"] == [False, False, True]
    # The same file, written from the start, and longer than before.
    journal = tmp_path / "journal"
    header = journal.read_bytes().splitlines(keepends=True)[0]
    journal.write_bytes(header)
    append(tmp_path, [encode_deletion("another"), encode_deletion("one")])
    assert [known.has(doc_id, 0) for doc_id in ("c", "one")] == [False, True]
    journal.unlink()
    assert not known.has("one", 0)


def test_damage_after_what_was_read_is_told(tmp_path: Path) -> None:
    known = PendingIds(tmp_path)
    append(tmp_path, [encode_deletion("a")])
    assert known.has("a", 0)
    append(tmp_path, [encode_deletion("b")])
    journal = tmp_path / "journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole.replace(b'"b"', b'"x"'))
    for _ in range(2):
        with pytest.raises(CorruptIndex, match="differs from what was acknowledged"):
            known.has("b", 0)
    journal.write_bytes(whole)
    assert known.has("b", 0)
