"""Where passages lie in the documents they were cut from, also those of sides that do not tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from benchmarks.chunking.metrics import Span, union
from benchmarks.chunking.peer_splitters import BROKEN
from benchmarks.peers.protocol import Passage, Text
from contextsvc.indexing.sentences import Split


@dataclass(frozen=True, slots=True)
class Place:
    """A span of a document."""

    doc_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Given:
    """What a side got, and which part of a document it is.

    Attributes:
        doc_id: The document; `text.doc_id` is the side's name for it.
        start: Where in the document the text begins.
        num_lead: Characters in front of it that are not the document's: a title.
    """

    text: Text
    doc_id: str
    start: int = 0
    num_lead: int = 0


class Locator:
    """Finds passages.

    A side's own span is believed where the text there is the passage. Otherwise the passage is searched in
    the text, spaces aside, for sides join and trim as they like; the first place counts. A passage that is
    nowhere, because a side left something out of its middle, is searched sentence by sentence.
    """

    def __init__(self, given: Iterable[Given], split: Split) -> None:
        """`split` finds sentences."""
        self._given = {one.text.doc_id: (one, _Squeezed(one.text.text)) for one in given}
        self._split = split

    def places(self, passage: Passage) -> tuple[list[Place], int]:
        """Where a passage lies, and how many of its characters, spaces aside, lie nowhere."""
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
    """A text without its spaces, and where each character was."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _squeezed(self) -> tuple[str, list[int]]:
        return _letters(self.text), [at for at, char in enumerate(self.text) if not char.isspace()]

    def find(self, piece: str) -> Span | None:
        """The first place that says the same, spaces aside; None: there is none, or nothing to find."""
        wanted = _letters(piece)
        letters, at = self._squeezed
        found = letters.find(wanted) if wanted else -1
        return None if found < 0 else (at[found], at[found + len(wanted) - 1] + 1)


def _letters(text: str) -> str:
    return "".join(text.split())
