"""BEIR's layout, read in place."""

from pathlib import Path

import pytest

from benchmarks.retrieval.collections import load


@pytest.fixture(autouse=True)
def _collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXTSVC_DATA", str(tmp_path))
    (tmp_path / "cacm" / "qrels").mkdir(parents=True)
    (tmp_path / "cacm" / "corpus.jsonl").write_text(
        '{"_id": "1", "title": "Sorting", "text": "Merge sort."}\n'
        '{"_id": "2", "title": "Title alone", "text": ""}\n{"_id": "3", "title": "", "text": ""}\n'
    )
    (tmp_path / "cacm" / "queries.jsonl").write_text(
        '{"_id": "7", "text": "sorting"}\n{"_id": "8", "text": "not judged"}\n{"_id": "9", "text": "none"}\n'
    )
    (tmp_path / "cacm" / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n7\t1\t2\n7\t2\t0\n9\t1\t0\n"
    )


def test_what_is_read() -> None:
    found = load("cacm")
    assert [(d.doc_id, d.title, d.text) for d in found.documents] == [
        ("1", "Sorting", "Merge sort."), ("2", "Title alone", "Title alone"),
    ]  # fmt: skip
    assert [(q.query_id, dict(q.gains)) for q in found.queries] == [("7", {"1": 2})]
    assert found.fingerprint.startswith("cacm@")


def test_parts_are_fixed_by_the_text() -> None:
    # printf sorting | sha256sum begins with df = 223, odd
    assert load("cacm").queries[0].part == "report"


def test_an_absent_collection_is_said_to_be() -> None:
    with pytest.raises(SystemExit, match="no data set scifact"):
        load("scifact")
