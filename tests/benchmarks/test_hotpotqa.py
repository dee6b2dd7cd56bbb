"""HotpotQA as the benchmarks read it."""

import pytest

from benchmarks.hotpotqa import FILE, load
from benchmarks.rows import data_root

ROOT = data_root()
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not (ROOT and ROOT.joinpath(*FILE).exists()), reason=f"no {'/'.join(FILE)}"),
]


def test_questions_have_ten_paragraphs_two_of_them_gold_and_spans_of_whole_sentences() -> None:
    questions = load()
    assert len(questions) == 200
    assert {sum(question.gold) for question in questions} == {2}
    first = questions[0]
    assert first.answer == "Rush"
    text = first.documents[6].text
    start, end = first.sentences[6][0]
    assert (6, 0) in first.facts
    assert text[start:end].endswith(".")
    for question in questions:
        for document, spans in zip(question.documents, question.sentences, strict=True):
            assert all(0 <= start <= end for start, end in spans)
            assert spans[-1][1] >= len(document.text.rstrip())
