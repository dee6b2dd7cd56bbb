"""Decode a text file and find its front matter and title."""

import codecs
import re

from contextsvc.adapters.text.lines import find_lines
from contextsvc.adapters.text.plain_text import parse_plain
from contextsvc.errors import SourceError
from contextsvc.indexing.sentences import heading_title
from contextsvc.records.documents import Format

Scalar = str | int | float | bool

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"([\w.-]+)[ \t]*:(?:[ \t]+(.*))?")
_YAML_LINE = re.compile(r"\s*$|\s+\S|#|- |[\]}]|[\w.-]+[ \t]*:(?:\s|$)")
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?\d{1,15}\.\d{1,15}")
_FENCE = re.compile(r"`{3,}|~{3,}")
_ATX = re.compile(r"#{1,6}\s+\S")
_SETEXT = re.compile(r"=+|--+")
_NO_SETEXT = re.compile(r"[-*+]\s|[>|<]")
_TITLE_CHARS = 20_000


def decode_text(data: bytes) -> str:
    """Decode UTF-8 bytes. A byte order mark is removed, and line ends are kept.

    Raises:
        SourceError: there is a NUL byte, a byte that is not UTF-8, or no text. The error gives the offset of
            the wrong byte, in bytes from 0.
    """
    if (at := data.find(0)) >= 0:
        raise SourceError(f"NUL byte at offset {at}, as in binary data or UTF-16; expected UTF-8 text")
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        text = data[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = mark + error.start
        raise SourceError(
            f"not UTF-8: byte 0x{data[at]:02x} at offset {at}; convert it to UTF-8, for example with iconv"
        ) from None
    if not text.strip():
        raise SourceError("the text has only spaces" if data else "the text is empty")
    return text


def split_front_matter(text: str) -> tuple[dict[str, Scalar], int]:
    """Return the `key: value` scalars of YAML front matter, and the offset of the text after it.

    Lists, nested keys and multi-line values are ignored, because they need a YAML parser and filters can
    hardly use them. A `---` block that does not look like YAML is text, not front matter.

    Returns:
        (values by key, offset in characters), or ({}, 0) without front matter.

    >>> split_front_matter("---\\ntitle: Ports\\nweight: 7\\n---\\nText")
    ({'title': 'Ports', 'weight': 7}, 31)
    """
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, 0
    lines = found[1].splitlines()
    if not all(_YAML_LINE.match(line) for line in lines) or not any(_KEY.match(line) for line in lines):
        return {}, 0
    values: dict[str, Scalar] = {}
    for line in lines:
        pair = _KEY.fullmatch(line)
        value = _scalar((pair[2] or "").strip()) if pair else None
        if pair and value is not None:
            values[pair[1]] = value
    return values, found.end()


def first_heading(text: str, format: Format) -> str:
    """Return the text of the first heading within the first 20,000 characters, or "" if there is none."""
    head = text[:_TITLE_CHARS]
    if format == "markdown":
        return _first_markdown_heading(head)
    titles = (heading_title(head[b.start : b.end]) for b in parse_plain(head) if b.kind == "heading")
    return next(titles, "")


def _first_markdown_heading(text: str) -> str:
    """Return the first heading outside code fences, or "" if there is none.

    The heading starts with # or is underlined. A simple scan finds it, because a title needs no parser.
    """
    fence = previous = ""
    for line in find_lines(text):
        words = line.words if line.indent < 4 else ""
        if fence:
            fence = "" if words.startswith(fence) and not words.strip(fence[0]) else fence
        elif opening := _FENCE.match(words):
            fence, previous = opening[0], ""
        elif _ATX.match(words):
            return heading_title(words)
        elif previous and _SETEXT.fullmatch(words):
            return heading_title(previous)
        else:
            previous = "" if _NO_SETEXT.match(words) else words
    return ""


def _scalar(value: str) -> Scalar | None:
    """Return the value of a YAML scalar, or None for null, an empty value or a value that is not a scalar."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    value = re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
    if not value or value[0] in "[{|>&*!'\"" or value in ("null", "~"):
        return None
    if value in ("true", "false"):
        return value == "true"
    if _INTEGER.fullmatch(value):
        return int(value)
    return float(value) if _DECIMAL.fullmatch(value) else value
