"""Documents as callers send them, checked: the one place for what may come into an index over HTTP."""

import math
from collections.abc import Mapping
from typing import Literal

from contextsvc.errors import InvalidRequest
from contextsvc.records.documents import Document

MAX_DOC_ID_CHARS = 1_024
MAX_TITLE_CHARS = 4_096


def incoming_document(
    doc_id: str,
    text: str,
    title: str = "",
    source: str = "",
    format: Literal["markdown", "plain"] = "plain",
    metadata: Mapping[str, object] | None = None,
) -> Document:
    """A document, if it is one that an index can hold and give back as it was.

    Metadata is flat: texts, numbers, booleans and lists of those; null counts as absent.

    Raises:
        InvalidRequest: an empty or too long id, no text, characters that UTF-8 cannot hold, nested
            metadata, or a number that is not finite.
    """
    named = f"document {doc_id[:80]!r}"
    if not doc_id.strip() or len(doc_id) > MAX_DOC_ID_CHARS:
        raise InvalidRequest(
            f"{named} has an id of {len(doc_id)} characters; expected 1 to {MAX_DOC_ID_CHARS}"
        )
    if not text.strip():
        raise InvalidRequest(f"{named} has no text")
    if len(title) > MAX_TITLE_CHARS or len(source) > MAX_TITLE_CHARS:
        raise InvalidRequest(f"{named} has a title or source of more than {MAX_TITLE_CHARS} characters")
    for what, written in (("id", doc_id), ("text", text), ("title", title), ("source", source)):
        _check_text(named, what, written)
    kept = {key: value for key, value in (metadata or {}).items() if value is not None}
    for key, value in kept.items():
        _check_text(named, "metadata", key)
        for item in value if isinstance(value, list) else [value]:
            _check_scalar(named, key, item)
    return Document(doc_id, text, title=title, source=source, format=format, metadata=kept)


def _check_scalar(named: str, key: str, item: object) -> None:
    if isinstance(item, str):
        _check_text(named, f"metadata {key!r}", item)
    elif not isinstance(item, int | float) or not math.isfinite(item):
        raise InvalidRequest(
            f"{named} has metadata {key!r} of {str(item)[:80]!r}; expected texts, finite numbers, booleans "
            "or a list of those"
        )


def _check_text(named: str, what: str, text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"the {what} of {named} has half a surrogate pair at character {error.start}"
        ) from None
    if (at := text.find("\0")) >= 0:
        raise InvalidRequest(f"the {what} of {named} has a NUL character at character {at}")
