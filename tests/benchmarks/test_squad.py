"""The SQuAD loader, on the data itself."""

import pytest

from benchmarks.rows import data_root
from benchmarks.squad import FILE, load_articles, sample

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (data_root() and data_root().joinpath(*FILE).exists()),  # type: ignore[union-attr]
        reason="no SQuAD data; name its folder in CONTEXTSVC_DATA",
    ),
]


def test_every_answer_stands_in_its_document() -> None:
    documents, questions = load_articles(0, 2)
    texts = {document.doc_id: document.text for document in documents}
    assert len(texts) == len(documents)
    assert all(question.answer in texts[question.doc_id] for question in questions)


def test_the_halves_do_not_overlap() -> None:
    first, second = ({d.doc_id for d in load_articles(*half)[0]} for half in ((0, 12), (12, 24)))
    assert not first & second


def test_a_sample_is_drawn_by_seed() -> None:
    _, questions = load_articles(0, 1)
    assert sample(questions, 5, seed=1) == sample(questions, 5, seed=1)
    assert len(set(sample(questions, 5, seed=1))) == 5
