import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.sources.jsonl import bounded_lines, document_of_line
from contextsvc.errors import SourceError


@given(lines=st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"").rstrip(b"\r"))))
def test_long_lines_are_none_and_the_others_come_whole(lines: list[bytes]) -> None:
    found = list(bounded_lines(io.BytesIO(b"".join(line + b"\n" for line in lines)), max_line_bytes=5))
    assert found == [(n, line if len(line) <= 5 else None) for n, line in enumerate(lines, start=1)]


def test_line_ends_do_not_count_and_the_last_line_needs_none() -> None:
    found = list(bounded_lines(io.BytesIO(b"12345\r\n123456\r\n12345"), max_line_bytes=5))
    assert found == [(1, b"12345"), (2, None), (3, b"12345")]


def test_a_document_has_its_metadata_and_its_path() -> None:
    line = {
        "doc_id": "d1",
        "text": "Words.",
        "title": "T",
        "metadata": {"year": 2024, "tags": ["a"], "none": None},
    }
    document = document_of_line(json.dumps(line).encode(), "in/x.jsonl:3", "x.jsonl")
    assert (document.doc_id, document.text, document.title) == ("d1", "Words.", "T")
    assert (document.source, document.format) == ("in/x.jsonl:3", "plain")
    assert document.metadata == {"path": "x.jsonl", "year": 2024, "tags": ["a"]}


def test_title_and_metadata_may_be_absent_and_a_path_of_its_own_is_kept() -> None:
    document = document_of_line(b'{"doc_id": "d", "text": "t", "metadata": {"path": "orig"}}', "s", "p")
    assert (document.title, document.metadata) == ("", {"path": "orig"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"doc_id": "d", ', "not JSON: Expecting property name enclosed in double quotes at column 17"),
        (b"[1]", "the line is a list, expected an object with 'doc_id' and 'text'"),
        (b"null", "the line is null, expected an object with 'doc_id' and 'text'"),
        (b'{"_id": "d", "text": "t"}', "the key 'doc_id' is missing; found '_id', 'text'"),
        (b'{"doc_id": "d"}', "the key 'text' is missing; found 'doc_id'"),
        (b"{}", "the key 'doc_id' is missing; found no keys"),
        (b'{"doc_id": 7, "text": "t"}', "'doc_id' is a number, expected text"),
        (b'{"doc_id": "d", "text": ["t"]}', "'text' is a list, expected text"),
        (b'{"doc_id": "d", "text": "t", "title": true}', "'title' is a boolean, expected text"),
        (b'{"doc_id": "d", "text": " "}', "document 'd' has no text"),
        (b'{"doc_id": "", "text": "t"}', "the document id '' has 0 characters; expected 1 to 1024"),
        (b'{"doc_id": " ", "text": "t"}', "the document id ' ' has only spaces"),
        (
            b'{"doc_id": "a\\nb", "text": "t"}',
            "the document id 'a\\nb' has the control character U+000A at character 1",
        ),
        (b'{"doc_id": "d", "text": "t", "metadata": "m"}', "'metadata' is text, expected an object"),
        (
            b'{"doc_id": "d", "text": "t", "metadata": {"a": {"b": 1}}}',
            "document 'd' has metadata 'a' of \"{'b': 1}\"; expected texts, finite numbers, booleans "
            "or a list of those",
        ),
        (b'{"doc_id": "d", "text": "t", "metadata": {"a": NaN}}', "not JSON: NaN is not a JSON number"),
        (
            b'{"doc_id": "d", "text": "a\\ud800"}',
            "the text of document 'd' has half a surrogate pair at character 1",
        ),
        (
            b'{"doc_id": "d", "text": "ab\\u0000"}',
            "the text of document 'd' has a NUL character at character 2",
        ),
        (
            b'{"doc_id": "\xe9"}',
            "not UTF-8: byte 0xe9 at offset 12; convert it to UTF-8, for example with iconv",
        ),
        (b"[" * 100_000, "the JSON is nested too deeply"),
    ],
)
def test_a_line_that_is_no_document_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(SourceError) as raised:
        document_of_line(line, "s", "p")
    assert str(raised.value) == reason
