import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import InvalidRequest
from contextsvc.records.documents import Document
from contextsvc.records.validation import MAX_DOCUMENTS, check_batch, incoming_document


def test_a_document_is_as_it_was_sent_without_nulls() -> None:
    found = incoming_document(
        "a/b.md", "Text.", "T", "s", "markdown", {"n": 1, "tags": ["x", 2.5], "no": None}
    )
    assert found == Document(
        "a/b.md", "Text.", title="T", source="s", format="markdown", metadata={"n": 1, "tags": ["x", 2.5]}
    )


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


CONTROLS = ["\0", "\n", "\r", "\t", "\x1f", "\x7f", "\x80", "\x85", "\u2028", "\u2029"]
ALLOWED = ["a b", " a", "a//b", "..", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\u200d", "\xa0x", "a\ufeff"]


@pytest.mark.parametrize("control", CONTROLS)
def test_an_id_has_no_control_character_and_the_message_says_where(control: str) -> None:
    for doc_id in (f"ab{control}", f"ab{control}c"):
        with pytest.raises(InvalidRequest, match=rf"control character U\+{ord(control):04X} at character 2"):
            incoming_document(doc_id, "Text.")
    # A text may have all but NUL.
    if control != "\0":
        assert incoming_document("a", f"ab{control}", f"ab{control}").title == f"ab{control}"


@pytest.mark.parametrize("doc_id", ALLOWED)
def test_other_ids_are_kept_as_they_are(doc_id: str) -> None:
    assert incoming_document(doc_id, "Text.").doc_id == doc_id


@pytest.mark.parametrize("doc_id", ["", " ", "\xa0", "\u3000 "])
def test_an_id_has_more_than_spaces(doc_id: str) -> None:
    with pytest.raises(InvalidRequest, match=r"has 0 characters|only spaces"):
        incoming_document(doc_id, "Text.")


@given(st.text())
def test_what_passes_is_one_line_and_printable_in_a_path(doc_id: str) -> None:
    try:
        found = incoming_document(doc_id, "Text.").doc_id
    except InvalidRequest:
        return
    assert found.splitlines() == [found]
    assert re.fullmatch(".*", found)


@pytest.mark.parametrize(
    ("doc_ids", "why"),
    [
        ([], "no document was sent"),
        (["a", "b", "a"], "two documents have the id 'a'"),
        (["a"] * (MAX_DOCUMENTS + 1), "10001 documents were sent; expected at most 10000"),
    ],
)
def test_a_batch_has_some_documents_each_once(doc_ids: list[str], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        check_batch(doc_ids)
    check_batch(["a", "b"])
