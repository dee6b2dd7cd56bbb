"""Places of passages in their documents, also for sides that do not report them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from benchmarks.chunking.metrics import Place, Span, union
from benchmarks.chunking.peer_splitters import BROKEN
from benchmarks.peers.protocol import Passage, Text
from contextsvc.indexing.sentences import Split


@dataclass(frozen=True, slots=True)
class Given:
    """A text that a side got.

    Attributes:
        text: The text, with the id that the side knows.
        doc_id: The document that the text is a part of.
        start: First character of the text in the document.
        num_lead: Characters at the beginning that are not the document's: a title.
    """

    text: Text
    doc_id: str
    start: int = 0
    num_lead: int = 0


class Locator:
    """Finds passages in documents.

    A reported span counts if the text there is the passage. Otherwise the passage is searched without regard
    to spaces, because sides join and trim texts; the first place counts. If it is not found, because a side
    left something out, its sentences are searched one by one.
    """

    def __init__(self, given: Iterable[Given], split: Split) -> None:
        """`split` finds sentences."""
        self._given = {one.text.doc_id: (one, _Squeezed(one.text.text)) for one in given}
        self._split = split

    def places(self, passage: Passage) -> tuple[list[Place], int]:
        """Places of a passage, and its number of characters, spaces aside, that were not found."""
        given, squeezed = self._given[passage.doc_id]
        spans, num_lost = self._spans(passage, squeezed)
        moved = ((max(0, start - given.num_lead), end - given.num_lead) for start, end in spans)
        return [
            Place(given.doc_id, given.start + start, given.start + end) for start, end in union(moved)
        ], num_lost

    def _spans(self, passage: Passage, squeezed: "_Squeezed") -> tuple[list[Span], int]:
        start, end = passage.start, passage.end
        if start is not None and end is not None and squeezed.text[start:end] == passage.text:
            return [(start, end)], 0
        text = passage.text.strip(BROKEN)
        whole = squeezed.find(text)
        if whole:
            return [whole], 0
        found, num_lost = list[Span](), 0
        for first, last in self._split(text):
            span = squeezed.find(text[first:last])
            if span:
                found.append(span)
            else:
                num_lost += len(_letters(text[first:last]))
        return found, num_lost


class _Squeezed:
    """A text without its spaces, and the place of each character."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _squeezed(self) -> tuple[str, list[int]]:
        return _letters(self.text), [at for at, char in enumerate(self.text) if not char.isspace()]

    def find(self, piece: str) -> Span | None:
        """The first place of a piece, spaces aside; None if it is absent or empty."""
        wanted = _letters(piece)
        letters, at = self._squeezed
        found = letters.find(wanted) if wanted else -1
        return None if found < 0 else (at[found], at[found + len(wanted) - 1] + 1)


def _letters(text: str) -> str:
    return "".join(text.split())
