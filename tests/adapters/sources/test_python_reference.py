import sys
from pydoc_data.topics import topics

from contextsvc.adapters.sources.python_reference import read_python_reference


def test_every_topic_is_a_document_in_order() -> None:
    documents = list(read_python_reference())
    assert [document.metadata["topic"] for document in documents] == sorted(topics)
    assert all(document.text == topics[str(document.metadata["topic"])] for document in documents)


def test_the_for_statement() -> None:
    document = next(d for d in read_python_reference() if d.metadata["topic"] == "for")
    assert document.doc_id == "python-reference/for"
    assert document.title == 'The "for" statement'
    assert document.source == "pydoc_data.topics:for"
    assert document.format == "plain"
    assert document.metadata["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
