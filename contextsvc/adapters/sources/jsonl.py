"""Read documents from JSONL, one per line, with a limit on the length of a line."""

import json
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from contextsvc.adapters.sources.text_files import decode_text
from contextsvc.errors import InvalidRequest, SourceError
from contextsvc.records.documents import Document
from contextsvc.records.validation import incoming_document

_SKIP_BYTES = 1 << 20
_TYPES = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "a boolean",
}


def bounded_lines(file: BinaryIO, max_line_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield (number from 1, content) of each line. The content is None if the line is too long.

    A line that is too long is skipped in pieces, so it is never in memory as a whole. The lines after it are
    still read.

    Args:
        file: File opened for reading bytes.
        max_line_bytes: Maximum length of a line, without the line end.
    """
    number = 0
    while line := file.readline(max_line_bytes + 2):
        number += 1
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        if len(content) <= max_line_bytes:
            yield number, content
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_SKIP_BYTES)
        yield number, None


def document_of_line(line: bytes, source: str, path: str) -> Document:
    """Parse a line `{"doc_id": ..., "text": ..., "title"?: ..., "metadata"?: {...}}` into a document.

    Other keys are ignored, and null counts as absent. The format of the document is plain text. `path` is
    added to its metadata unless the line's metadata has that key.

    Args:
        line: Bytes of the line without the line end.
        source: `file:line`, stored in the document.
        path: Path of the file.

    Raises:
        SourceError: the line is not a JSON object in UTF-8, a key is missing or its value has another type,
            or `validation.incoming_document` refuses the document.
    """
    record = _object(decode_text(line))
    doc_id, text = _text(record, "doc_id"), _text(record, "text")
    title = _text(record, "title") if record.get("title") is not None else ""
    try:
        return incoming_document(doc_id, text, title, source, "plain", {"path": path, **_metadata(record)})
    except InvalidRequest as error:
        raise SourceError(str(error)) from None


def _object(text: str) -> dict[str, object]:
    try:
        record = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise SourceError("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise SourceError(f"not JSON: {error.msg} at column {error.colno}") from None
    except ValueError as error:
        raise SourceError(f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise SourceError(f"the line is {_named(record)}, expected an object with 'doc_id' and 'text'")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _text(record: dict[str, object], key: str) -> str:
    if key not in record:
        raise SourceError(f"the key {key!r} is missing; found {', '.join(map(repr, record)) or 'no keys'}")
    value = record[key]
    if not isinstance(value, str):
        raise SourceError(f"{key!r} is {_named(value)}, expected text")
    return value


def _metadata(record: dict[str, object]) -> dict[str, object]:
    metadata = record.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise SourceError(f"'metadata' is {_named(metadata)}, expected an object")
    return {key: _without_nulls(value) for key, value in metadata.items() if value is not None}


def _without_nulls(value: object) -> object:
    return [item for item in value if item is not None] if isinstance(value, list) else value


def _named(value: object) -> str:
    return _TYPES.get(type(value), "null")
