"""What is asked of a side and what it answers: one JSON object a line, over its standard input and output.

    {"do": "build", "documents": PATH, "vectors": FOLDER or null}
                              -> {"seconds", "num_documents", "num_chunks", "peak_mib"}
    {"do": "embedded", "into": PATH}        -> {"num_texts", "num_tokens", "num_cut_tokens"}
    {"do": "ask", "queries": [..], "k": 5}  -> {"seconds": [..], "answers": [[passage, ..], ..]}
    {"do": "pack", "queries": [..], "budget": 512}
                              -> {"seconds": [..], "answers": [[passage, ..], ..], "num_tokens": [..]}

The first line, unasked, is {"name", "load_seconds", "versions"}; an answer {"error": ...} is the last one. A
document is a line {"doc_id", "text", "title", "format"} of the file, a passage {"doc_id", "text", "score",
"start", "end"}: best first, in a pack in its order; the span counts characters of the document. `worker`
looks it up after the clock has stopped; it is null unless it gives the passage's text to the letter. The file
of documents has to stay until the last question. `pack` is answered by a side that makes packs: the budget
holds for the text that it renders, in tokens of o200k_base, and `num_tokens` are those it took.

Python's own library alone is imported here, for both environments read it.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Text:
    """A document as every side gets it."""

    doc_id: str
    text: str
    title: str = ""
    format: str = "plain"


@dataclass(frozen=True)
class Passage:
    """A piece of an answer; a side that does not know `start` and `end` leaves them None."""

    doc_id: str
    text: str
    score: float
    start: int | None = None
    end: int | None = None


class Side(Protocol):
    """A pipeline, its model loaded; made from the folder of the embedding model."""

    packages: tuple[str, ...]
    """Distributions whose versions are kept with the figures."""

    def build(self, documents: Iterable[Text]) -> int:
        """Index the documents, from their texts to what can be searched; how many chunks there are."""

    def embedded(self) -> Iterable[str]:
        """Every text that went through the model to be in the index, as it was given to the model."""

    def ask(self, query: str, k: int) -> list[Passage]:
        """At most k passages of the index, best first."""


@runtime_checkable
class Packing(Side, Protocol):
    """A pipeline that renders packs within a budget by itself."""

    def pack(self, query: str, budget_tokens: int) -> tuple[list[Passage], int]:
        """The passages of the best pack, in its order, and the tokens of its text; none fits: [] and 0."""


def placed(passage: Passage, text: str) -> Passage:
    """The passage with a span that gives its text, or none.

    What the side told stays where it is right; else a text that occurs once is where it occurs. A text that
    the side has changed, or that occurs several times, is nowhere.

    Args:
        passage: As the side told it.
        text: Of its document.

    >>> placed(Passage("d", "two", 1.0, 4, 7), "one two two").start
    4
    >>> placed(Passage("d", "two", 1.0, -1, 2), "one two").start
    4
    >>> placed(Passage("d", "two", 1.0), "one two two").start is None
    True
    """
    start = passage.start
    if start is None or start < 0 or not text.startswith(passage.text, start):
        start = text.find(passage.text)
        if start < 0 or text.find(passage.text, start + 1) >= 0:
            return replace(passage, start=None, end=None)
    return replace(passage, start=start, end=start + len(passage.text))


def write_texts(path: Path, texts: Iterable[Text]) -> int:
    """Documents as lines; how many."""
    number = 0
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts, start=1):  # noqa: B007
            file.write(json.dumps(asdict(text)) + "\n")
    return number


def read_texts(path: Path) -> Iterator[Text]:
    """One in memory at a time."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Text(**json.loads(line))
