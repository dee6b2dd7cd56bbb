"""Text in any amount: real words, the same every time, next to no sentence twice."""

import json
from itertools import islice
from pathlib import Path

from benchmarks.synthetic import spliced, texts, worth
from contextsvc.records.documents import Document


def written(folder: Path) -> Path:
    """Three abstracts."""
    bodies = ["Mice are small. They eat.", "Some cells divide fast.", "Blood carries much oxygen. It is red."]
    records = [{"_id": str(n), "title": f"T{n}", "text": body} for n, body in enumerate(bodies)]
    path = folder / "corpus.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    return path


def test_abstracts_come_as_they_are_and_then_with_other_halves(tmp_path: Path) -> None:
    found = list(islice(texts(written(tmp_path)), 5))
    assert [text.text for text in found[:3]] == [
        "Mice are small. They eat.",
        "Some cells divide fast.",
        "Blood carries much oxygen. It is red.",
    ]
    # 101 further on of 3 is 2 further on: the halves of "Blood carries much oxygen." and "It is red."
    assert (found[3].doc_id, found[3].text) == ("0-1", "Mice much oxygen. They is red.")
    assert found[4].text == "Some cells are small."


def test_a_sentence_of_one_word_keeps_it() -> None:
    assert spliced(["Yes."], ["No."]) == ["Yes. No."]


def test_as_many_are_taken_as_it_needs(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert [text.doc_id for text in worth(texts(path), 25)] == ["0"]
    assert [text.doc_id for text in worth(texts(path), 26)] == ["0", "1"]
    assert len(list(worth(texts(path), 200))) > 3


def test_there_may_be_fewer_than_asked_for() -> None:
    pages = [Document(str(number), "five.") for number in range(4)]
    for num_chars, taken in ((0, 0), (1, 1), (5, 1), (6, 2), (99, 4)):
        assert list(worth(pages, num_chars)) == pages[:taken]
