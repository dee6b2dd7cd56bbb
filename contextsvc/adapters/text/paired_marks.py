"""Find what stands between paired marks on lines of their own: admonitions, shortcodes, HTML elements."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from contextsvc.adapters.text.lines import Line, indented_end

LineRange = tuple[int, int]
"""Number of the first line, and the number one past the last line."""

_COLONS = re.compile(r"(:{3,})\s*(\S.*)?")
# Possessive quantifiers keep the time linear in a mark that never ends.
_SHORTCODE = re.compile(
    r"\{\{[<%]\s*+(/?)\s*+([\w./-]++)[^{}]*+(?<=[>%])\}\}|\{%-?\s*+(end)?(\w++)[^{}%]*+%\}"
)
_TAG = re.compile(r"<(/?)([A-Za-z][\w.:-]*+)(?:\s[^<>]*+)?>")
PAIRING = (":::", "{{", "{%")
"""Beginnings of the marks that `paired_lines` finds."""

INDENTING = ("!!! ", "??? ", "???+ ", "=== ", "===+ ", "===! ")
"""Marks of MkDocs that begin a line with an indented body under it."""

BODY_INDENT = 4
"""Number of columns by which the body is indented."""

Mark = tuple[bool, str]
"""Whether a mark closes, and the name that its opening and closing mark share."""


def paired_lines(lines: Sequence[Line], is_text: Callable[[int], bool]) -> list[LineRange]:
    """Return the lines from each opening mark to its closing mark, both included, in no special order.

    The marks are those of Docusaurus, VuePress and Pandoc (`:::note` and `:::`), of Hugo (`{{< x >}}` and
    `{{< /x >}}`, also with `%`) and of Liquid (`{% x %}` and `{% endx %}`). A mark without a partner, such as
    the shortcode of a value, gives nothing.

    Args:
        lines: Lines of the text.
        is_text: Returns for the number of a line whether marks count there. They do not count in code.
    """
    numbered = ((number, line.words) for number, line in enumerate(lines) if is_text(number))
    marks = [(number, mark) for number, words in numbered for mark in _marks(words)]
    return [(first, last + 1) for first, last in _pairs(marks) if first < last]


def paired_tags(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Return the pairs of texts (first, last) in which an HTML element begins and ends, if they differ.

    Args:
        texts: Texts of HTML blocks, in the order of the document.
    """
    marks = [
        (number, (bool(tag[1]), tag[2]))
        for number, text in enumerate(texts)
        for tag in _TAG.finditer(text)
        if not tag[0].endswith("/>")
    ]
    return [(first, last) for first, last in _pairs(marks) if first < last]


def edge_of(words: str) -> Literal["", "first", "last"]:
    """Return whether a text consists only of opening marks ("first") or only of closing marks ("last").

    >>> edge_of(":::note"), edge_of("{{% /alert %}}"), edge_of("<div>"), edge_of("!!! note"), edge_of("Text")
    ('first', 'last', 'first', 'first', '')
    """
    if words.startswith(INDENTING):
        return "first"
    if words[:1] not in ("{", "<", ":"):
        return ""
    marks = [*_marks(words), *((bool(tag[1]), tag[2]) for tag in _TAG.finditer(words))]
    bare = _TAG.sub("", _SHORTCODE.sub("", _COLONS.sub("", words)))
    if bare.strip(" .\t\r\n") or not marks:
        return ""
    return "last" if all(closes for closes, _ in marks) else "first"


def body_end(lines: Sequence[Line], number: int) -> int:
    """Return the number one past the last line that is indented under an admonition's line of MkDocs.

    Such a line begins an admonition (`!!! note`), a collapsed one (`??? note`) or a tab (`=== "Linux"`). For
    any other line, and without an indented line, this is the number of the next line.
    """
    line = lines[number]
    begins = line.words.startswith(INDENTING)
    return indented_end(lines, number, line.indent + BODY_INDENT) if begins else number + 1


def _marks(words: str) -> Iterator[Mark]:
    if colons := _COLONS.fullmatch(words):
        yield not colons[2], colons[1]
    if "{" in words:
        for found in _SHORTCODE.finditer(words):
            yield bool(found[1] or found[3]), found[2] or found[4]


def _pairs(marks: Sequence[tuple[int, Mark]]) -> Iterator[tuple[int, int]]:
    """Yield the places of each opening mark and of its closing mark.

    A closing mark belongs to the last open mark of its name. Marks opened since then have no partner.
    """
    opened: list[tuple[int, str]] = []
    num_open = Counter[str]()
    for place, (closes, name) in marks:
        if not closes:
            opened.append((place, name))
            num_open[name] += 1
        elif num_open[name]:
            first, found = opened.pop()
            num_open[found] -= 1
            while found != name:
                first, found = opened.pop()
                num_open[found] -= 1
            yield first, place
