"""Requests to a side and its answers: one JSON object a line, over standard input and output.

    {"do": "build", "documents": PATH, "vectors": FOLDER or null}
                              -> {"seconds", "num_documents", "num_chunks", "peak_mib"}
    {"do": "embedded", "into": PATH}        -> {"num_texts", "num_tokens", "num_cut_tokens"}
    {"do": "ask", "queries": [..], "k": 5}  -> {"seconds": [..], "answers": [[passage, ..], ..]}
    {"do": "pack", "queries": [..], "budget": 512}
                              -> {"seconds": [..], "answers": [[passage, ..], ..], "num_tokens": [..]}

The first line, without a request, is {"name", "load_seconds", "versions"}; after {"error": ...} the side
ends. A document is a line {"doc_id", "text", "title", "format"} of the file, which must exist until the last
request. A passage is {"doc_id", "text", "score", "start", "end"}, best first, or in the order of its pack.
`worker` looks the span up after the timing: characters of the document, null unless the text there equals the
passage's. Only sides that make packs answer `pack`: the budget holds for the rendered text, in tokens of
o200k_base; `num_tokens` are those of the text.

This module imports only the standard library, because both environments import it.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Text:
    """A document as a side gets it."""

    doc_id: str
    text: str
    title: str = ""
    format: str = "plain"


@dataclass(frozen=True)
class Passage:
    """A piece of an answer; `start` and `end` are None if unknown."""

    doc_id: str
    text: str
    score: float
    start: int | None = None
    end: int | None = None


class Side(Protocol):
    """A pipeline with its model loaded; the constructor takes the folder of the embedding model."""

    packages: tuple[str, ...]
    """Distributions whose versions go into the rows."""

    def build(self, documents: Iterable[Text]) -> int:
        """Index documents; returns the number of chunks."""

    def embedded(self) -> Iterable[str]:
        """All indexed texts, as the model got them."""

    def ask(self, query: str, k: int) -> list[Passage]:
        """At most k passages, best first."""


@runtime_checkable
class Packing(Side, Protocol):
    """A pipeline that makes packs."""

    def pack(self, query: str, budget_tokens: int) -> tuple[list[Passage], int]:
        """Passages of the pack in its order, and tokens of its text; [] and 0 if nothing fits."""


def placed(passage: Passage, text: str) -> Passage:
    """The passage with the span of its text in the document's text, or without span.

    A correct span stays. Otherwise the text is searched: it gets a span if it occurs exactly once.

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
    """Write documents as lines; returns their number."""
    number = 0
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts, start=1):  # noqa: B007
            file.write(json.dumps(asdict(text)) + "\n")
    return number


def read_texts(path: Path) -> Iterator[Text]:
    """Read documents one by one."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Text(**json.loads(line))
