import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import InvalidRequest
from contextsvc.records.documents import Document
from contextsvc.records.validation import incoming_document


def test_a_document_is_as_it_was_sent_without_nulls() -> None:
    found = incoming_document(
        "a/b.md", "Text.", "T", "s", "markdown", {"n": 1, "tags": ["x", 2.5], "no": None}
    )
    assert found == Document("a/b.md", "Text.", "T", "s", "markdown", {"n": 1, "tags": ["x", 2.5]})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"doc_id": " "}, "has only spaces"),
        ({"doc_id": "x" * 1025}, "has 1025 characters; expected 1 to 1024"),
        ({"text": "\n"}, "no text"),
        ({"title": "x" * 4097}, "more than 4096"),
        ({"text": "a\ud800"}, "half a surrogate pair at character 1"),
        ({"doc_id": "\ud800"}, "half a surrogate pair"),
        ({"text": "a\0"}, "NUL character at character 1"),
        ({"metadata": {"n": {"deep": 1}}}, "expected texts"),
        ({"metadata": {"n": [[1]]}}, "expected texts"),
        ({"metadata": {"n": float("nan")}}, "expected texts"),
        ({"metadata": {"n": "\ud800"}}, "surrogate"),
        ({"metadata": {"\0": 1}}, "NUL"),
    ],
)
def test_what_no_index_can_hold_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        incoming_document(**({"doc_id": "a", "text": "x"} | given))  # type: ignore[arg-type]


@given(st.text(), st.text())
def test_whatever_passes_can_be_written(doc_id: str, text: str) -> None:
    try:
        found = incoming_document(doc_id, text)
    except InvalidRequest:
        return
    assert found.text.encode().decode() == text
    assert found.doc_id.strip()
