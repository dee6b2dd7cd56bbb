"""Checks of incoming documents, texts and metadata.

Requests, JSONL lines and files are all checked by these functions. No function of this module reads a file.
"""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal

from contextsvc.errors import InvalidRequest
from contextsvc.records.documents import Document

MAX_DOC_ID_CHARS = 1_024
MAX_TITLE_CHARS = 4_096
MAX_DOCUMENTS = 10_000
"""Largest number of documents in one request. `CONTEXTSVC_MAX_BODY_BYTES` limits its size in bytes, too."""

CONTROL_CATEGORIES = ("Cc", "Zl", "Zp")
"""Unicode categories that a document id may not hold: control characters (U+0000 to U+001F, U+007F to
U+009F), line separator (U+2028) and paragraph separator (U+2029). Each of these characters can end or hide a
line in a URL path, in a log or on a terminal. Format characters (Cf) are allowed, because some scripts need
them."""


def incoming_document(
    doc_id: str,
    text: str,
    title: str = "",
    source: str = "",
    format: Literal["markdown", "plain"] = "plain",
    metadata: Mapping[str, object] | None = None,
) -> Document:
    """Check the parts of a document and return the document, which an index can store and return unchanged.

    Args:
        doc_id: Id of the document.
        text: Text of the document.
        title: Title, at most `MAX_TITLE_CHARS` characters.
        source: Path, URL or name, at most `MAX_TITLE_CHARS` characters.
        format: Markup of the text.
        metadata: Values that are texts, finite numbers or booleans, or lists of these. A value of None is
            left out.

    Raises:
        InvalidRequest: the id is not valid (`check_doc_id`), there is no text, a title or source is too
            long, a text has a NUL character or half a surrogate pair, or metadata is nested or has a number
            that is not finite.
    """
    check_doc_id(doc_id)
    named = f"document {doc_id[:80]!r}"
    if not text.strip():
        raise InvalidRequest(f"{named} has no text")
    if len(title) > MAX_TITLE_CHARS or len(source) > MAX_TITLE_CHARS:
        raise InvalidRequest(f"{named} has a title or source of more than {MAX_TITLE_CHARS} characters")
    for what, written in (("text", text), ("title", title), ("source", source)):
        check_text(written, f"the {what} of {named}")
    kept = checked_metadata(metadata or {}, named)
    return Document(doc_id, text, title=title, source=source, format=format, metadata=kept)


def check_batch(doc_ids: Sequence[str]) -> None:
    """Check the number of documents in one request, and that no two documents have the same id.

    The check takes time proportional to the number of documents.

    Raises:
        InvalidRequest: there is no document, there are more than `MAX_DOCUMENTS`, or two have the same id.
    """
    if len(doc_ids) > MAX_DOCUMENTS:
        raise InvalidRequest(
            f"{len(doc_ids)} documents were sent; expected at most {MAX_DOCUMENTS} in one request, "
            "send the others in further requests"
        )
    if not doc_ids:
        raise InvalidRequest("no document was sent; expected at least one")
    seen: set[str] = set()
    for doc_id in doc_ids:
        if doc_id in seen:
            raise InvalidRequest(f"two documents have the id {doc_id[:80]!r}; expected each id once")
        seen.add(doc_id)


def check_doc_id(doc_id: str) -> None:
    """Check a document id: 1 to `MAX_DOC_ID_CHARS` characters, no control character, and not only spaces.

    Raises:
        InvalidRequest: the id is not valid.
    """
    named = f"the document id {doc_id[:80]!r}"
    if not 1 <= len(doc_id) <= MAX_DOC_ID_CHARS:
        raise InvalidRequest(f"{named} has {len(doc_id)} characters; expected 1 to {MAX_DOC_ID_CHARS}")
    check_id_characters(doc_id, named)
    if not doc_id.strip():
        raise InvalidRequest(f"{named} has only spaces")


def check_id_characters(doc_id: str, what: str) -> None:
    """Check that an id has no control character (`CONTROL_CATEGORIES`) and no half of a surrogate pair.

    For the path of a file only this check is made: a path may be longer than `MAX_DOC_ID_CHARS`.

    Args:
        doc_id: The id.
        what: Words that name the id in the error message.

    Raises:
        InvalidRequest: the id has such a character. The message names the character and its position.
    """
    for at, character in enumerate(doc_id):
        if unicodedata.category(character) in CONTROL_CATEGORIES:
            raise InvalidRequest(f"{what} has the control character U+{ord(character):04X} at character {at}")
    require_unicode(doc_id, what)


def require_unicode(text: str, what: str) -> str:
    """Return the text unchanged if it has no half of a surrogate pair.

    JSON can escape half of a surrogate pair, but UTF-8 cannot encode it.

    Args:
        text: The text.
        what: Words that name the text in the error message.

    Raises:
        InvalidRequest: the text has half of a surrogate pair.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{what} has half a surrogate pair at character {error.start}") from None
    return text


def check_text(text: str, what: str) -> None:
    """Check that a text has no NUL character and no half of a surrogate pair.

    Args:
        text: The text.
        what: Words that name the text in the error message.

    Raises:
        InvalidRequest: the text has such a character.
    """
    require_unicode(text, what)
    if (at := text.find("\0")) >= 0:
        raise InvalidRequest(f"{what} has a NUL character at character {at}")


def checked_metadata(metadata: Mapping[str, object], named: str) -> dict[str, object]:
    """Check metadata and return it without the values of None.

    Args:
        metadata: Values that are texts, finite numbers or booleans, or lists of these.
        named: Words that name the document in the error message.

    Raises:
        InvalidRequest: a value is of another kind, or a text has a NUL character or half of a surrogate
            pair.
    """
    kept = {key: value for key, value in metadata.items() if value is not None}
    for key, value in kept.items():
        check_text(key, f"a metadata key of {named}")
        for item in value if isinstance(value, list) else [value]:
            _check_scalar(named, key, item)
    return kept


def _check_scalar(named: str, key: str, item: object) -> None:
    if isinstance(item, str):
        check_text(item, f"the metadata {key!r} of {named}")
    elif not isinstance(item, int | float) or not math.isfinite(item):
        raise InvalidRequest(
            f"{named} has metadata {key!r} of {str(item)[:80]!r}; expected texts, finite numbers, booleans "
            "or a list of those"
        )
