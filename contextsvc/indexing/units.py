"""Units: runs of sentences that stay together, as far as the largest chunk allows.

Between each piece of a document and the next there is a bond. A run of bonded pieces that fits a chunk is a
unit. A run that does not fit is divided at its weakest bonds, and so on. The strongest bond joins what
introduces to what is introduced, and it always holds: if the two do not fit together, what is introduced is
cut smaller. Pieces are cut in `breaks`; here it is only decided which.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from contextsvc.indexing.breaks import CutRules, cut_to_fit, halves, inline_spans
from contextsvc.records.documents import Block, passage
from contextsvc.records.spans import NO_SPAN, Frame, Span

Count = Callable[[Sequence[str]], list[int]]
Fits = Callable[[Sequence[str]], list[bool]]

_FIRST_LINE = re.compile(r"\s*[^\r\n]*")

APART = -1
"""The next piece must not be in the same chunk."""

LOOSE = 0
"""The next piece may be in another unit. Numbers from 1 on count the containers around both pieces."""

WITHIN_MARKS = 1000
"""Emphasis, code or a link reaches from this piece into the next."""

INTRODUCES = 1001
"""This piece introduces the next."""


@dataclass(slots=True, kw_only=True)
class Piece:
    """A sentence before its tokens are counted.

    Attributes:
        start: Offset of the first character in the document.
        end: Offset after the last character.
        block: The block that the piece is taken from.
        section: Headings above the piece.
        starts_section: Whether a section begins here.
        bond: Bond to the next piece: one of the constants above, or a number of containers.
        opening: Span of the lines to repeat before the piece.
        closing: Span of the marks to repeat after the piece.
        estimate: Number of tokens of the piece with its frame, and of the gap after it unless the piece is a
            part of a larger one; infinity if they were not counted.
    """

    start: int
    end: int
    block: Block
    section: tuple[str, ...] = ()
    starts_section: bool = False
    bond: int = LOOSE
    opening: Span = NO_SPAN
    closing: Span = NO_SPAN
    estimate: float = inf


def is_never_closed(block: Block) -> bool:
    """Return whether the marks that close a block are those of its opening line, because it has no others."""
    return block.closing[0] < block.opening[1] and block.closing != NO_SPAN


class PieceCutter:
    """Cuts pieces of a document so that they fit a chunk with the lines that are repeated around them.

    Args:
        text: Text of the document.
        count: Counts the tokens of each text.
        reads: Returns for each text whether the embedder reads it to its end.
        max_tokens: Largest number of tokens in a chunk.
    """

    def __init__(self, text: str, count: Count, reads: Fits, max_tokens: int) -> None:
        self.text, self.max_tokens = text, max_tokens
        self._count, self._reads = count, reads

    def framed(self, pieces: Sequence[Piece]) -> str:
        """Return the text of consecutive pieces with the lines that are repeated around them."""
        return self._between(self.text[pieces[0].start : pieces[-1].end], pieces[0], pieces[-1])

    def is_within(self, pieces: Sequence[Piece], max_tokens: int) -> bool:
        """Return whether consecutive pieces have at most this number of tokens together."""
        # Tokens can differ from the sum of the estimates only where two pieces meet. So the text itself is
        # counted only if the sum is not far from the limit.
        estimate = sum(piece.estimate for piece in pieces)
        if 2 * estimate <= max_tokens or max_tokens < estimate / 2 < inf:
            return bool(2 * estimate <= max_tokens)
        return self._count([self.framed(pieces)])[0] <= max_tokens

    def estimate(self, pieces: Sequence[Piece]) -> None:
        """Count the tokens of all pieces of the document that were not counted yet."""
        new, texts = [], []
        for number, piece in enumerate(pieces):
            if piece.estimate == inf:
                end = pieces[number + 1].start if number + 1 < len(pieces) else piece.end
                new.append(piece)
                texts.append(self._between(self.text[piece.start : end], piece, piece))
        for piece, size in zip(new, self._count(texts), strict=True):
            piece.estimate = size

    def all_fitting(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Return the pieces, with those cut into parts that do not fit the embedder or a chunk."""
        most = self.max_tokens
        small: list[Piece] = []
        for piece in pieces:
            is_small = 2 * piece.estimate <= most or self.is_within([piece], most)
            small += [piece] if is_small else self._cut(piece, most, must_be_read=False)
        verdicts = self._reads([self._passage(piece) for piece in small])
        found: list[Piece] = []
        for piece, is_read in zip(small, verdicts, strict=True):
            found += [piece] if is_read else self.parts(piece, most)
        return found

    def parts(self, piece: Piece, max_tokens: int) -> list[Piece]:
        """Cut a piece into parts that fit the embedder and have at most this number of tokens.

        The bond of the piece to the next is that of the last part. The parts have none to each other.
        """
        return self._cut(piece, max_tokens, must_be_read=True)

    def shrunk(self, held: Sequence[Piece], piece: Piece) -> list[Piece]:
        """Cut a piece so that its first part fits a chunk together with the pieces before it.

        Returns:
            The parts, or nothing if no cut helps.
        """
        repeated = self._repeated(piece.block)
        rules = self._rules(piece, repeated)
        span = (piece.start, piece.end)
        while cut := halves(self.text, span, rules):
            span = cut[0]
            first = _part(piece, span, repeated)
            if self.is_within([*held, first], self.max_tokens):
                rest = _part(piece, (cut[1][0], piece.end), repeated)
                return [*self.all_fitting([first]), *self.all_fitting([rest])]
        return []

    def least(self, piece: Piece) -> int:
        """Return the number of tokens of the first line of code or a table, with the lines before it."""
        block = piece.block
        if block.kind not in ("code", "table"):
            return 0
        line = _FIRST_LINE.match(self.text, max(piece.start, block.opening[1]), piece.end)
        end = line.end() if line else piece.end
        return self._count([self.framed([_part(piece, (piece.start, end), self._repeated(block))])])[0]

    def _cut(self, piece: Piece, max_tokens: int, must_be_read: bool) -> list[Piece]:
        repeated = self._repeated(piece.block)
        sizes: dict[Span, int] = {}

        def fits(spans: Sequence[Span]) -> list[bool]:
            parts = [_part(piece, span, repeated) for span in spans]
            counts = self._count([self.framed([part]) for part in parts])
            sizes.update(zip(spans, counts, strict=True))
            found = [size <= max_tokens for size in counts]
            reads = self._reads([self._passage(part) for part in parts]) if must_be_read else found
            return [is_small and is_read for is_small, is_read in zip(found, reads, strict=True)]

        spans = cut_to_fit(self.text, (piece.start, piece.end), self._rules(piece, repeated), fits)
        return [_part(piece, span, repeated, sizes.get(span, inf)) for span in spans]

    def _rules(self, piece: Piece, repeated: tuple[Span, Span]) -> CutRules:
        block = piece.block
        # Lines that are too long to be repeated stay with the first line after them only if both fit.
        is_whole = repeated[0] != NO_SPAN or self.least(piece) <= self.max_tokens
        first = max(block.start, block.opening[1]) if is_whole else block.start
        last = block.end if block.closing == NO_SPAN or is_never_closed(block) else block.closing[0]
        by_lines = block.kind in ("code", "table")
        inline = [] if by_lines else inline_spans(self.text[piece.start : piece.end])
        return CutRules(
            body=(first, last),
            by_lines=by_lines,
            is_closed=block.kind == "code" and block.closing != NO_SPAN,
            undivided=[(piece.start + start, piece.start + end) for start, end in inline],
        )

    def _passage(self, piece: Piece) -> str:
        if piece.opening == NO_SPAN:  # fast path, because this holds nearly always
            return self.text[piece.start : piece.end]
        return passage(self.text, (piece.start, piece.end), piece.block.kind, piece.opening)

    def _between(self, text: str, first: Piece, last: Piece) -> str:
        if first.opening == NO_SPAN == last.closing:  # fast path, because this holds nearly always
            return text
        frame = Frame.cut(self.text, first.opening, last.closing)
        return frame.opening + text + frame.closing

    def _repeated(self, block: Block) -> tuple[Span, Span]:
        """Return the spans of the lines to repeat before and after the parts of a block.

        They take at most half of a chunk. If they take more, only the marks of a fence are repeated, or
        nothing.
        """
        marks = block.closing if block.kind == "code" else NO_SPAN
        for opening, closing in ((block.opening, block.closing), (marks, marks)):
            frame = Frame.cut(self.text, opening, closing)
            if self._count([frame.opening + frame.closing])[0] <= self.max_tokens // 2:
                return opening, closing
        return NO_SPAN, NO_SPAN


def _part(piece: Piece, span: Span, repeated: tuple[Span, Span], estimate: float = inf) -> Piece:
    block = piece.block
    is_later = span[0] >= block.opening[1] > block.start
    is_open = is_never_closed(block) or span[1] <= block.closing[0]
    return replace(
        piece,
        start=span[0],
        end=span[1],
        estimate=estimate,
        starts_section=piece.starts_section and span[0] == piece.start,
        bond=piece.bond if span[1] == piece.end else LOOSE,
        opening=repeated[0] if is_later else NO_SPAN,
        closing=repeated[1] if is_open else NO_SPAN,
    )


class UnitDivider:
    """Divides the pieces of a document into units, in order.

    Args:
        cutter: Cuts pieces that do not fit together with what introduces them.
    """

    def __init__(self, cutter: PieceCutter) -> None:
        self._cutter = cutter
        # The headings directly above the next unit. They are other units, but belong into the same chunk.
        self._above: list[Piece] = []

    def units(self, pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
        """Yield the units of a document.

        A unit has at most as many tokens as a chunk, together with the headings above it if these take at
        most half of that.
        """
        for run in _split(pieces, LOOSE):
            waiting = [run]
            while waiting:
                run = waiting.pop()
                if self._fits(run):
                    yield self._kept(run)
                    continue
                weakest = min((piece.bond for piece in run[:-1]), default=INTRODUCES)
                if weakest < INTRODUCES:
                    waiting += reversed(_split(run, weakest))
                else:
                    yield from map(self._kept, self._introduced(deque(run)))

    def _fits(self, run: Sequence[Piece]) -> bool:
        if not self._above and len(run) == 1:
            return True  # each piece was cut to fit
        return self._cutter.is_within([*self._above, *run], self._cutter.max_tokens)

    def _kept(self, unit: list[Piece]) -> list[Piece]:
        if unit[-1].block.kind == "heading":
            above = [*self._above, *unit]
            self._above = above if self._cutter.is_within(above, self._cutter.max_tokens // 2) else []
        else:
            self._above = []
        return unit

    def _introduced(self, waiting: deque[Piece]) -> Iterator[list[Piece]]:
        """Yield units of pieces each of which introduces the next, though all of them do not fit a chunk.

        A unit ends inside a piece, so that it does not end with an introduction.
        """
        cutter, unit = self._cutter, list[Piece]()
        while waiting:
            piece = waiting.popleft()
            held = [*self._above, *unit]
            if cutter.is_within([*held, piece], self._room(held, waiting[0] if waiting else None)):
                unit.append(piece)
            elif not held:
                # The last of its parts introduces the next piece. A part of one character goes on as it is.
                *before, last = cutter.parts(piece, cutter.max_tokens // 2)
                yield from ([part] for part in before)
                unit.append(last)
            elif parts := cutter.shrunk(held, piece):
                yield [*unit, parts[0]]
                unit = []
                waiting.extendleft(reversed(parts[1:]))
            elif cutter.is_within([*held, piece], cutter.max_tokens):
                unit.append(piece)
            elif unit:
                yield unit
                unit = []
                waiting.appendleft(piece)
            else:
                self._above = []
                waiting.appendleft(piece)
        yield unit

    def _room(self, held: Sequence[Piece], following: Piece | None) -> int:
        """Return the number of tokens up to which a unit grows before it has to end inside a piece.

        Room is left for the first part of the piece that follows.
        """
        most = self._cutter.max_tokens
        if following is None:
            return most
        left = max(most // 4, min(self._cutter.least(following), most // 2))
        return most - left if held else min(most - left, most // 2)


def _split(pieces: Sequence[Piece], bond: int) -> list[list[Piece]]:
    """Divide pieces after those whose bond to the next is at most `bond`."""
    runs: list[list[Piece]] = [[]]
    for piece in pieces:
        runs[-1].append(piece)
        if piece.bond <= bond:
            runs.append([])
    return [run for run in runs if run]
