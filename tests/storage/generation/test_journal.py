import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from contextsvc.errors import CorruptIndex, Fault, ShapeError
from contextsvc.records.documents import Document
from contextsvc.service.publishing import encode_deletion, encode_upsert, pending, pending_documents
from contextsvc.storage.generation import append, drop_until, journal, read_journal
from tests.bytes_read import bytes_read


def held(index: Path, after: int = 0) -> list[bytes]:
    return [record.data for record in read_journal(index, after)]


def test_records_come_back_in_order_with_positions_that_only_grow(tmp_path: Path) -> None:
    first = append(tmp_path, [b"one"])
    second = append(tmp_path, [b"two", b"three"])
    assert held(tmp_path) == [b"one", b"two", b"three"]
    assert held(tmp_path, first) == [b"two", b"three"]
    assert held(tmp_path, second) == []
    drop_until(tmp_path, first)
    assert held(tmp_path) == held(tmp_path, first) == [b"two", b"three"]
    drop_until(tmp_path, second)
    assert held(tmp_path) == []
    assert append(tmp_path, [b"four"]) > second
    assert held(tmp_path, second) == [b"four"]


def test_a_torn_end_was_never_acknowledged_and_goes(tmp_path: Path) -> None:
    append(tmp_path, [b"one"])
    whole = (tmp_path / "journal").read_bytes()
    append(tmp_path, [b"two"])
    longer = (tmp_path / "journal").read_bytes()
    for length in range(len(whole), len(longer)):
        (tmp_path / "journal").write_bytes(longer[:length])
        assert held(tmp_path) == [b"one"], length
        append(tmp_path, [b"three"])
        assert held(tmp_path) == [b"one", b"three"]


def test_what_is_no_journal_is_damage(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"something else\n")
    for use in (held, lambda index: append(index, [b"x"]), lambda index: drop_until(index, 1)):
        with pytest.raises(CorruptIndex, match="first line"):
            use(tmp_path)


def test_records_are_single_lines(tmp_path: Path) -> None:
    for bad in ([], [b""], [b"a\nb"]):
        with pytest.raises(ShapeError):
            append(tmp_path, bad)
    assert held(tmp_path) == []


def test_threads_append_without_losing_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        positions = list(pool.map(lambda n: append(tmp_path, [str(n).encode()]), range(60)))
    assert len(set(positions)) == 60
    assert sorted(map(int, held(tmp_path))) == list(range(60))


def test_of_several_changes_of_a_document_the_last_counts(tmp_path: Path) -> None:
    old, new, other = Document("a", "old"), Document("a", "new"), Document("b", "text", metadata={"n": [1]})
    append(tmp_path, encode_upsert([old, other]))
    append(tmp_path, [encode_deletion("c"), encode_deletion("b")])
    append(tmp_path, encode_upsert([new]))
    what = pending(tmp_path, 0)
    assert [(doc_id, gone) for doc_id, (_, gone) in what.records.items()] == [
        ("c", True),
        ("b", True),
        ("a", False),
    ]
    assert list(pending_documents(tmp_path, 0, what)) == [new]
    append(tmp_path, encode_upsert([other]))
    assert list(pending_documents(tmp_path, 0, what)) == [new]  # what came later waits for the next publish
    assert list(pending_documents(tmp_path, 0, pending(tmp_path, 0))) == [new, other]
    with pytest.raises(ShapeError, match="JSON"):
        encode_upsert([Document("a", "x", metadata={"n": {1}})])


def test_an_append_reads_as_much_of_a_long_journal_as_of_a_short_one(tmp_path: Path) -> None:
    append(tmp_path, [b"one"])
    append(tmp_path, [b"x" * 3_000_000])
    assert bytes_read(lambda: append(tmp_path, [b"two"])) < 20_000
    assert [len(data) for data in held(tmp_path)] == [3, 3_000_000, 3]


def test_of_a_small_batch_that_the_disk_takes_in_part_nothing_is_kept(tmp_path: Path) -> None:
    append(tmp_path, [b"one"])
    size = (tmp_path / "journal").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Room for the first record and a part of the second.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    try:
        with pytest.raises(Fault, match="nothing was kept"):
            append(tmp_path, [b"two", b"three"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert held(tmp_path) == [b"one"]


def test_a_record_appended_between_the_last_line_and_the_check_of_the_tail_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path, [b"one"])
    check = journal._check_tail

    def late(index: Path, file: BinaryIO, start: int) -> None:
        append(tmp_path, [b"two"])
        check(index, file, start)

    monkeypatch.setattr(journal, "_check_tail", late)
    assert [record.data for record in journal.read(tmp_path)] == [b"one"]
