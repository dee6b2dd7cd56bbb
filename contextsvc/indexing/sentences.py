"""Cut a document into sentences: its blocks are split by structure, then by language, then by limits."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from contextsvc.records.documents import Block, BlockKind, Sentence
from contextsvc.records.spans import Span

Split = Callable[[str], list[Span]]
Fits = Callable[[Sequence[str]], list[bool]]
Count = Callable[[Sequence[str]], list[int]]


class _Piece(NamedTuple):
    """A sentence before its tokens are counted."""

    span: Span
    section: tuple[str, ...]
    kind: BlockKind
    starts_section: bool


_BREAKS = (re.compile(r"\n+"), re.compile(r"(?<=[.!?;:,])\s+"), re.compile(r"\s+"))


def cut_sentences(
    text: str, blocks: Sequence[Block], split: Split, fits: Fits, count: Count
) -> list[Sentence]:
    """Cut a document into sentences, each of which fits the embedder and a chunk.

    A paragraph is split into sentences. A heading, list item, code fence or table is one sentence. A sentence
    that does not fit is cut again near its middle: at a line end, else after punctuation, else at a space,
    else between two characters.

    Args:
        text: Text of the document.
        blocks: Blocks of the document, in order (`ports.BlockParser`).
        split: Returns the (start, end) character offsets of the sentences in a paragraph
            (`ports.SentenceSplitter`).
        fits: Returns for each text whether it fits the embedder and a chunk.
        count: Counts the tokens of each text.

    Returns:
        Sentences in order. They cover every non-space character. The list is empty for a document of spaces.
        The section of a heading includes the heading itself.
    """
    pieces: list[_Piece] = []
    headings: list[tuple[int, str]] = []
    for block in blocks:
        if block.kind == "heading":
            headings = [h for h in headings if h[0] < block.level]
            headings.append((block.level, heading_title(text[block.start : block.end])))
        section = tuple(title for _, title in headings if title)
        spans = [(block.start, block.end)]
        if block.kind == "paragraph":
            inside = split(text[block.start : block.end])
            spans = [(block.start + start, block.start + end) for start, end in inside]
        pieces.extend(_Piece(span, section, block.kind, block.kind == "heading") for span in spans)
    return _with_counts(text, _within_limits(text, pieces, fits), count)


def heading_title(text: str) -> str:
    """Return the words of a heading without its marks.

    >>> heading_title("## Restoring a cluster ##"), heading_title("=====\\nTitle\\n=====")
    ('Restoring a cluster', 'Title')
    """
    lines = [line.strip() for line in text.splitlines()]
    worded = [line for line in lines if any(c.isalnum() for c in line)]
    title = re.sub(r"^#{1,6}\s+|\s+#+$", "", worded[0]) if worded else ""
    return " ".join(title.split())


def cut_to_fit(text: str, span: Span, fits: Fits) -> list[Span]:
    """Halve a part of a text, at the best break near its middle, until every part fits.

    A part of n characters takes about log2(n / limit) rounds of counting. Rejected: filling each part up to
    the limit, because this leaves a tiny last part.

    Args:
        text: The whole text.
        span: (start, end) character offsets of the part.
        fits: Returns for each text whether it fits.

    Returns:
        (start, end) character offsets of the parts, in order.
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


def _within_limits(text: str, pieces: Sequence[_Piece], fits: Fits) -> list[_Piece]:
    verdicts = fits([text[slice(*piece.span)] for piece in pieces])
    found: list[_Piece] = []
    for piece, fit in zip(pieces, verdicts, strict=True):
        parts = [piece.span] if fit else cut_to_fit(text, piece.span, fits)
        found.extend(
            piece._replace(span=part, starts_section=piece.starts_section and i == 0)
            for i, part in enumerate(parts)
        )
    return found


def _with_counts(text: str, pieces: Sequence[_Piece], count: Count) -> list[Sentence]:
    # Each sentence is counted together with the gap after it. So the sum over a run of sentences comes
    # close to the number of tokens in the run's text.
    starts = [piece.span[0] for piece in pieces]
    ends = [*starts[1:], pieces[-1].span[1]] if pieces else []
    counts = count([text[start:end] for start, end in zip(starts, ends, strict=True)])
    return [
        Sentence(
            *piece.span, num_tokens, kind=piece.kind, unit=number, section=piece.section,
            starts_section=piece.starts_section,
        )
        for number, (piece, num_tokens) in enumerate(zip(pieces, counts, strict=True))
    ]  # fmt: skip
