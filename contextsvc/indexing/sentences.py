"""Cut a document into sentences: its blocks are split by structure, then by language, then by limits."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from contextsvc.indexing.breaks import inline_spans, introduces, is_inside
from contextsvc.indexing.units import (
    APART,
    INTRODUCES,
    LOOSE,
    WITHIN_MARKS,
    Count,
    Fits,
    Piece,
    PieceCutter,
    UnitDivider,
    is_never_closed,
)
from contextsvc.records.documents import Block, Sentence
from contextsvc.records.spans import NO_SPAN, Span

Split = Callable[[str], list[Span]]

_BOLD = re.compile(
    r"(?:>\s*)*(?:(\*{2,3}|__)(?=\S)(?:(?!\1).)+(?<=\S)\1|<(b|strong)>(?:(?!</\2>).)+</\2>)[.!]?", re.DOTALL
)

_CLOSING_MARKS = re.compile(r"([*_`~)\]}\"'”’»]+)\s+")


def cut_sentences(
    text: str, blocks: Sequence[Block], split: Split, reads: Fits, count: Count, max_tokens: int
) -> list[Sentence]:
    """Cut a document into sentences, each of which fits the embedder and a chunk, and number their units.

    A paragraph is split into sentences. A heading, list item, code fence or table is one sentence. A sentence
    that does not fit is cut again (`breaks`). Sentences that stay together have the same unit (`units`):

    - those of one container, such as a list item, an ordered list or an admonition;
    - a sentence that ends in a colon, or a paragraph that is bold as a whole, and the sentence after it;
    - two sentences of a paragraph between which emphasis, code or a link goes on.

    Args:
        text: Text of the document.
        blocks: Blocks of the document, in order (`ports.BlockParser`).
        split: Returns the (start, end) character offsets of the sentences in a paragraph
            (`ports.SentenceSplitter`).
        reads: Returns for each text whether the embedder reads it to its end.
        count: Counts the tokens of each text.
        max_tokens: Largest number of tokens in a chunk.

    Returns:
        Sentences in order. They cover every non-space character. The list is empty for a document of spaces.
        The section of a heading includes the heading itself.
    """
    cutter = PieceCutter(text, count, reads, max_tokens)
    pieces = list(_pieces(text, blocks, split))
    _introduce_sections(pieces)
    cutter.estimate(pieces)
    units = UnitDivider(cutter).units(cutter.all_fitting(pieces))
    numbered = [(number, piece) for number, unit in enumerate(units) for piece in unit]
    cutter.estimate([piece for _, piece in numbered])
    return [_sentence(piece, number) for number, piece in numbered]


def heading_title(text: str) -> str:
    """Return the words of a heading without its marks.

    >>> heading_title("## Restoring a cluster ##"), heading_title("=====\\nTitle\\n=====")
    ('Restoring a cluster', 'Title')
    """
    lines = [line.strip() for line in text.splitlines()]
    worded = [line for line in lines if any(c.isalnum() for c in line)]
    title = re.sub(r"^#{1,6}\s+|\s+#+$", "", worded[0]) if worded else ""
    return " ".join(title.split())


def _pieces(text: str, blocks: Sequence[Block], split: Split) -> Iterator[Piece]:
    """Yield the sentences of all blocks, with their bonds."""
    headings: list[tuple[int, str]] = []
    section: tuple[str, ...] = ()
    for block, following in zip(blocks, [*blocks[1:], None], strict=False):
        if block.kind == "heading":
            headings = [h for h in headings if h[0] < block.level]
            headings.append((block.level, heading_title(text[block.start : block.end])))
            section = tuple(title for _, title in headings if title)
        spans = [(block.start, block.end)]
        if block.kind == "paragraph" and not block.edge:
            spans = _sentences(text, block, split)
        bonds = [*_inner_bonds(text, block, spans), _last_bond(text, block, following, spans[-1])]
        closing = block.closing if is_never_closed(block) else NO_SPAN
        for (start, end), bond in zip(spans, bonds, strict=True):
            yield Piece(
                start=start,
                end=end,
                block=block,
                section=section,
                starts_section=block.kind == "heading",
                bond=bond,
                closing=closing,
            )


def _sentences(text: str, block: Block, split: Split) -> list[Span]:
    """Return the spans of the sentences of a paragraph.

    Marks that close emphasis or a quotation go with the sentence before them, and so does what has no word,
    such as the mark of a quoted line.
    """
    spans: list[Span] = []
    for start, end in split(text[block.start : block.end]):
        start, end = block.start + start, block.start + end
        if spans and start == spans[-1][1] and (marks := _CLOSING_MARKS.match(text, start, end)):
            spans[-1] = (spans[-1][0], marks.end(1))
            start = marks.end()
        if spans and not any(char.isalnum() for char in text[start:end]):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _inner_bonds(text: str, block: Block, spans: Sequence[Span]) -> Iterator[int]:
    """Yield the bond of each sentence of a block, but the last one, to the next."""
    if len(spans) == 1:
        return
    marked = inline_spans(text[block.start : block.end])
    for (start, end), (after, _) in pairwise(spans):
        if introduces(text, start, end):
            yield INTRODUCES
        elif is_inside(marked, end - block.start) or is_inside(marked, after - block.start):
            yield WITHIN_MARKS
        else:
            yield len(block.within)


def _last_bond(text: str, block: Block, following: Block | None, last: Span) -> int:
    """Return the bond of the last sentence of a block to the next block."""
    if following is None or is_never_closed(block):
        return APART  # what follows a fence that is never closed would look like code in the same chunk
    if introduces(text, *last) or (following.kind != "heading" and _is_bold(text, block)):
        return INTRODUCES
    return _container_bond(block, following)


def _is_bold(text: str, block: Block) -> bool:
    return (
        block.kind == "paragraph"
        and text[block.start] in "*_<>"
        and bool(_BOLD.fullmatch(text, block.start, block.end))
    )


def _container_bond(block: Block, following: Block) -> int:
    """Return the bond of a block to the next by the containers around both.

    The opening mark of a container, or the first block of a list item, introduces the rest of it.
    """
    if not block.within or not following.within:
        return LOOSE
    same = [a for a, b in zip(block.within, following.within, strict=False) if a == b]
    is_first = block.edge == "first" or (block.kind == "list_item" and len(same) == len(block.within))
    if same and is_first:
        return INTRODUCES
    return WITHIN_MARKS if same and following.edge == "last" else len(same)


def _introduce_sections(pieces: Sequence[Piece]) -> None:
    """Move what introduces a heading into the section of that heading."""
    for introduced, piece in pairwise(reversed(pieces)):
        if piece.bond == INTRODUCES and introduced.starts_section and not piece.starts_section:
            piece.section, piece.starts_section = introduced.section, True
            introduced.starts_section = False


def _sentence(piece: Piece, unit: int) -> Sentence:
    return Sentence(
        piece.start,
        piece.end,
        int(piece.estimate),
        kind=piece.block.kind,
        unit=unit,
        section=piece.section,
        starts_section=piece.starts_section,
        opening=piece.opening,
        closing=piece.closing,
    )
