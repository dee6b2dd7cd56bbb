"""Breaks: where a text that is too large is cut, and where it is not cut if there is another place."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import product

import regex

from contextsvc.records.spans import Span

# The breaks of prose and code, best first. A match ends where the second part begins. Lines begin at a
# character that is no space and never backtrack, so that long runs of spaces take linear time.
_LINE = r"(?<!\s)(?:[^\S\r\n]*+(?:\r\n|\r|\n))++"
_GRID_ROW = re.compile(rf"(?<=[-=]\+){_LINE}")
_LINES = (re.compile(rf"{_LINE}(?=[^\r\n]*\w)"), re.compile(_LINE))
_WORDS = (
    re.compile(r"(?<=[.!?])[)\]}'\"”’*_`]*\s+|[。！？][」』”’）]*\s*"),
    re.compile(r"(?<=[,;])\s+|[、，；]\s*"),
    re.compile(r"\s+"),
)
_CLUSTER = regex.compile(r"\X")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_SURE = r"[ -~\p{Latin}\p{Greek}\p{Cyrillic}\p{Han}\p{Hiragana}\p{Katakana}]"
_ANCHOR = regex.compile(rf"{_SURE}(?={_SURE})|(?<=[^\u200d])(?=\p{{Extended_Pictographic}})")
_INDENT = re.compile(r"[ \t>]*")
_BREAK = re.compile(r"[\s。！？、，；]")
_NEAR_WORDS, _NEAR_CLUSTERS, _TRIED = 400, 50, 20
_JOINED = regex.compile(r"\s*[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}]")
_IN_WORD = regex.compile(r"[\w\p{M}'’]")

_INTRODUCES = re.compile(r"[:：][*_`'\"”’»)\]）」』]*(?:<[^<>]{0,100}>)*\s*\Z")
_COLONS = re.compile(r"\s*:{3,}\s*")
_TAIL_CHARS = 200

_INLINE_MARK = re.compile(
    r"\\.|`+|\*+|_+|\[|\](?:\([^()\n]{0,500}(?:\([^()\n]{0,100}\)[^()\n]{0,100})?\)|\[[^\[\]]{0,100}\])?"
    r"|<[A-Za-z/!][^<>]{0,500}>|\{[{%][^{}]{0,500}[%}]\}|\n[^\S\n]*\n",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class CutRules:
    """How a block is cut.

    Attributes:
        body: Span that must be cut. The text before it, such as a fence line, stays with the first part, and
            the text after it with the last part.
        by_lines: Whether the parts are whole lines where possible, with their indent, as in code and tables.
        is_closed: Whether marks are repeated after a part, so that a part may end in a colon.
        undivided: Spans inside which a break is the last choice (`inline_spans`), in order.
    """

    body: Span
    by_lines: bool = False
    is_closed: bool = False
    undivided: Sequence[Span] = ()


def introduces(text: str, start: int, end: int) -> bool:
    """Return whether a part of a text introduces what follows: it ends in a colon.

    Closing quotation marks, brackets, emphasis marks and tags may follow the colon. A line of three or more
    colons closes an admonition and introduces nothing.

    >>> introduces("Run **this:**", 0, 13), introduces("Run this.", 0, 9), introduces(":::", 0, 3)
    (True, False, False)
    """
    while end > start and text[end - 1].isspace():
        end -= 1
    tail = text[max(start, end - _TAIL_CHARS) : end]
    if ":" not in tail and "：" not in tail:
        return False
    return bool(_INTRODUCES.search(tail)) and not _COLONS.fullmatch(tail.rsplit("\n", 1)[-1])


def inline_spans(text: str) -> list[Span]:
    """Return the spans of a paragraph that should not be divided: emphasis, code, links, tags, shortcodes.

    The rules are close to those of Markdown, and also find the inline markup of reStructuredText. A span does
    not reach over a blank line. The time is linear in the length of the text.

    Returns:
        (start, end) character offsets, in order. The spans do not overlap.
    """
    marks = [match.span() for match in _INLINE_MARK.finditer(text)]
    ticks: defaultdict[int, list[int]] = defaultdict(list)
    for number, (start, end) in enumerate(marks):
        if text[start] == "`":
            ticks[end - start].append(number)
    found: list[Span] = []
    opened: list[tuple[str, int]] = []
    number = 0
    while number < len(marks):
        start, end = marks[number]
        mark = text[start]
        if mark == "`":
            same = ticks[end - start]
            following = bisect_left(same, number) + 1
            if following < len(same):
                number = same[following]
                found.append((start, marks[number][1]))
        elif mark == "\n":
            opened.clear()
        elif mark in "<{":
            found.append((start, end))
        elif mark in "*_[]":
            found += _delimited(text, (start, end), opened)
        number += 1
    return _merged(found)


def _delimited(text: str, mark: Span, opened: list[tuple[str, int]]) -> Iterator[Span]:
    """Open or close emphasis or a link at a mark, and yield the span that is closed, if any."""
    start, end = mark
    name = "[" if text[start] == "]" else text[start]
    before, after = text[start - 1 : start], text[end : end + 1]
    closes = text[start] == "]" or (name != "[" and bool(before.strip()))
    opens = text[start] == "[" or (name in "*_" and bool(after.strip()))
    if name == "_":
        closes, opens = closes and not after.isalnum(), opens and not before.isalnum()
    at = next((at for at in range(len(opened) - 1, -1, -1) if opened[at][0] == name), -1) if closes else -1
    if at >= 0:
        if name != "[" or end - start > 1:
            yield opened[at][1], end
        del opened[at:]
    elif opens:
        opened.append((name, start))


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def is_inside(spans: Sequence[Span], at: int) -> bool:
    """Return whether an offset is inside one of some ordered spans that do not overlap, not at its edge."""
    number = bisect_left(spans, (at, -1)) - 1
    return number >= 0 and at < spans[number][1]


def cut_to_fit(
    text: str, span: Span, rules: CutRules, fits: Callable[[Sequence[Span]], Sequence[bool]]
) -> list[Span]:
    """Halve a part of a text that does not fit, at the best break near its middle, until every part fits.

    A part of n characters takes about log2(n / limit) rounds of counting. Rejected: filling each part up to
    the limit, because this leaves a tiny last part.

    Args:
        text: The whole text.
        span: (start, end) character offsets of the part.
        rules: Where the part may be cut.
        fits: Returns for each of some spans whether it fits.

    Returns:
        (start, end) character offsets of the parts, in order. A single character is a part even if it does
        not fit.
    """
    done: list[Span] = []
    too_large = [span]
    while too_large:
        parts: list[Span] = []
        for part in too_large:
            cut = halves(text, part, rules)
            if cut:
                parts += cut
            else:
                done.append(part)
        verdicts = fits(parts)
        done += [part for part, fit in zip(parts, verdicts, strict=True) if fit]
        too_large = [part for part, fit in zip(parts, verdicts, strict=True) if not fit]
    return sorted(done)


def halves(text: str, span: Span, rules: CutRules) -> tuple[Span, Span] | None:
    """Cut a part of a text in two, near its middle.

    The first of these kinds of breaks is taken that the text has: a line end, in code before the line with
    the smallest indent; an end of a sentence; a comma or semicolon; a space; an edge of a word, also between
    two characters of a script without spaces; between two grapheme clusters; between two characters. Breaks
    inside emphasis, code, links and tags come after all other breaks outside words. No part ends in a colon,
    because what the colon introduces would be elsewhere, unless the text has no other break.

    Args:
        text: The whole text.
        span: (start, end) character offsets of the part.
        rules: Where the part may be cut.

    Returns:
        The two parts, without the space between them, or None for a single character.
    """
    start, end = span
    low, high = max(start, rules.body[0]), min(end, rules.body[1])
    at = _best_break(text, (low, high), start, rules)
    if at is None and (low, high) != span:
        at = _best_break(text, span, start, rules)
    if at is None:
        return None
    first_end, second = at, at
    while text[first_end - 1].isspace():
        first_end -= 1
    while text[second].isspace() and not (rules.by_lines and text[second - 1] in "\r\n"):
        second += 1
    return (start, first_end), (second, end)


def _best_break(text: str, body: Span, start: int, rules: CutRules) -> int | None:
    """Return the best offset inside `body` at which a part that begins at `start` is cut."""
    low, high = body
    while low < high and text[low].isspace():
        low += 1
    while low < high and text[high - 1].isspace():
        high -= 1
    if high - low < 2:
        return None
    middle = (low + high) // 2

    def distance(at: int) -> tuple[int, int, int]:
        # Code is cut before the least indented line, where a block of it begins.
        indent = _INDENT.match(text, at, high) if rules.by_lines and text[at - 1] in "\r\n" else None
        return len(indent[0]) if indent else 0, abs(at - middle), at

    for offsets, avoided in _searches(text, (low, high), rules):
        inside = (at for at in offsets if low < at < high and not is_inside(avoided, at))
        for at in nsmallest(_TRIED, inside, key=distance):
            if not _JOINED.match(text, at) and (rules.is_closed or not introduces(text, start, at)):
                return at
    return middle


def _searches(text: str, body: Span, rules: CutRules) -> Iterator[tuple[Iterable[int], Sequence[Span]]]:
    """Yield the breaks of each kind, best kind first, each with the spans that they must not divide."""
    low, high = body
    middle, quarter = (low + high) // 2, (high - low) // 4
    groups = ((_GRID_ROW, *_LINES), _WORDS) if rules.by_lines else ((_LINES[1], *_WORDS),)
    choices = (rules.undivided, ()) if rules.undivided else ((),)
    # Of a very long text, only the breaks near the middle are looked at, if there are any.
    reaches = [reach for reach in (_NEAR_WORDS, quarter) if reach <= quarter] + [high - low]
    for avoided, patterns in product(choices, groups if _BREAK.search(text, low, high) else ()):
        for reach in reaches:
            window = (max(low, middle - reach), min(high, middle + reach))
            for pattern in patterns:
                yield (match.end() for match in pattern.finditer(text, *window)), avoided
    for reach in (_NEAR_CLUSTERS, high - low):
        edges = _cluster_edges(text, max(low, middle - reach), min(high, middle + reach), low)
        between_words = [at for at in edges if not _in_word(text, at)]
        for offsets in (between_words, edges):
            yield from ((offsets, avoided) for avoided in choices)
    yield range(max(low, middle - _TRIED), min(high, middle + _TRIED)), ()


def _cluster_edges(text: str, first: int, end: int, low: int) -> list[int]:
    """Return the offsets between grapheme clusters from `first` to `end`. The offset `low` is such an edge.

    Whether an offset is an edge can depend on all characters before it. Counting begins where there is an
    edge in any case: between two letters of most scripts, or before an emoji that nothing joins to the last.
    """
    anchor = None if first == low else _ANCHOR.search(text, first, end)
    if first > low and anchor is None:
        return []
    begin = anchor.end() if anchor else first
    return [begin + match.end() for match in _CLUSTER.finditer(text[begin:end])][:-1]


def _in_word(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    joined = _IN_WORD.match(before) and _IN_WORD.match(after)
    return bool(joined) and not (_UNSPACED.match(before) or _UNSPACED.match(after))
