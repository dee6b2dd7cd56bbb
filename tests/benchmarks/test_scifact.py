"""The SciFact loader, on the data itself."""

import pytest

from benchmarks.rows import data_root
from benchmarks.scifact import FILE, load_abstracts

ROOT = data_root()
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not (ROOT and ROOT.joinpath(*FILE).exists()), reason=f"no {'/'.join(FILE)}"),
]


def test_as_many_abstracts_as_asked_come_in_order_with_title_and_text() -> None:
    documents = load_abstracts(20)
    assert [document.doc_id for document in documents[:1]] == ["scifact/4983"]
    assert len({document.doc_id for document in documents}) == 20
    assert all(document.title and document.text for document in documents)
    assert documents == load_abstracts(30)[:20]
