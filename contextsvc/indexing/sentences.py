"""A document's blocks -> the sentences that are embedded: structure first, then language, then limits."""

import re
from collections.abc import Callable, Iterable, Sequence

from contextsvc.records.documents import Block, Sentence

Span = tuple[int, int]
Split = Callable[[str], list[Span]]
Fits = Callable[[Sequence[str]], list[bool]]
Count = Callable[[Sequence[str]], list[int]]

_BREAKS = (re.compile(r"\n+"), re.compile(r"(?<=[.!?;:,])\s+"), re.compile(r"\s+"))


def cut_sentences(
    text: str, blocks: Sequence[Block], split: Split, fits: Fits, count: Count
) -> list[Sentence]:
    """CutDocuments a document into sentences that each fit.

    A paragraph is split into sentences; a heading, list item, code fence or table is one sentence.
    Whatever does not fit is cut again: at a line end, else after punctuation, else at a space,
    else between two characters.

    Args:
        text: The document.
        blocks: Its structure, in order (`ports.BlockParser`).
        split: Sentence spans of a paragraph (`ports.SentenceSplitter`).
        fits: For each text, whether it is short enough to be embedded whole and to be a chunk.
        count: Tokens of each text.

    Returns:
        Sentences in order that cover every non-space character; [] for a document of spaces.
        A heading's own section includes the heading.
    """
    spans: list[tuple[Span, tuple[str, ...], bool]] = []
    headings: list[tuple[int, str]] = []
    for block in blocks:
        if block.kind == "heading":
            headings = [h for h in headings if h[0] < block.level]
            headings.append((block.level, heading_title(text[block.start : block.end])))
        section = tuple(title for _, title in headings if title)
        pieces = [(block.start, block.end)]
        if block.kind == "paragraph":
            inside = split(text[block.start : block.end])
            pieces = [(block.start + start, block.start + end) for start, end in inside]
        spans.extend((piece, section, block.kind == "heading") for piece in pieces)
    return _with_counts(text, _within_limits(text, spans, fits), count)


def heading_title(text: str) -> str:
    """The words of a heading without its marks.

    >>> heading_title("## Restoring a cluster ##"), heading_title("=====\\nTitle\\n=====")
    ('Restoring a cluster', 'Title')
    """
    lines = [line.strip() for line in text.splitlines()]
    worded = [line for line in lines if any(c.isalnum() for c in line)]
    title = re.sub(r"^#{1,6}\s+|\s+#+$", "", worded[0]) if worded else ""
    return " ".join(title.split())


def cut_to_fit(text: str, span: Span, fits: Fits) -> list[Span]:
    """Halve a span, at the best break near its middle, until every part fits.

    Halves rather than filling up to the limit: no part is left tiny, and a span of n characters
    takes about log2(n / limit) rounds of counting.
    """
    done: list[Span] = []
    waiting = [span]
    while waiting:
        verdicts = fits([text[start:end] for start, end in waiting])
        parts: list[Span] = []
        for (start, end), fit in zip(waiting, verdicts, strict=True):
            if fit or end - start < 2:
                done.append((start, end))
            else:
                parts.extend(_halves(text, start, end))
        waiting = parts
    return sorted(done)


def _halves(text: str, start: int, end: int) -> Iterable[Span]:
    middle, reach = (start + end) // 2, max(1, (end - start) // 4)
    at = middle
    for pattern in _BREAKS:
        ends = [m.end() for m in pattern.finditer(text, middle - reach, middle + reach)]
        if ends:
            at = min(ends, key=lambda e: (abs(e - middle), e))
            break
    parts = (_trimmed(text, start, at), _trimmed(text, at, end))
    return [(first, last) for first, last in parts if first < last]


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))


def _within_limits(
    text: str, spans: Sequence[tuple[Span, tuple[str, ...], bool]], fits: Fits
) -> list[tuple[Span, tuple[str, ...], bool]]:
    verdicts = fits([text[start:end] for (start, end), _, _ in spans])
    found: list[tuple[Span, tuple[str, ...], bool]] = []
    for (span, section, is_heading), fit in zip(spans, verdicts, strict=True):
        parts = [span] if fit else cut_to_fit(text, span, fits)
        found.extend((part, section, is_heading and i == 0) for i, part in enumerate(parts))
    return found


def _with_counts(
    text: str, spans: Sequence[tuple[Span, tuple[str, ...], bool]], count: Count
) -> list[Sentence]:
    # The gap to the next sentence is counted with the sentence before it, so that sums over a
    # run of sentences come close to the tokens of the run's text.
    starts = [span[0] for span, _, _ in spans]
    reaches = [*starts[1:], spans[-1][0][1]] if spans else []
    counts = count([text[start:reach] for start, reach in zip(starts, reaches, strict=True)])
    return [
        Sentence(span[0], span[1], num_tokens, section, is_heading)
        for (span, section, is_heading), num_tokens in zip(spans, counts, strict=True)
    ]
