"""Any amount of text from SciFact's abstracts, with almost no sentence twice.

The abstracts come first as they are. In each further round a sentence consists of the first half of its own
words and the second half of a sentence of another abstract. So words and lengths are those of real text, and
every sentence must be embedded. Repeated abstracts would not do: equal sentences are embedded once.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import TypeVar

from benchmarks.peers.protocol import Text
from benchmarks.rows import read_lines
from contextsvc.records.documents import Document

STEP = 101
"""Distance, per round, to the abstract that gives the second halves; a prime, so that rounds differ."""

Kind = TypeVar("Kind", Text, Document)

_END = re.compile(r"(?<=[.!?])\s+")


def spliced(own: Sequence[str], other: Sequence[str]) -> list[str]:
    """Sentences of the first half of one's words and the second half of another's; `other` repeats.

    >>> spliced(["Mice are small.", "They eat."], ["Some cells divide fast."])
    ['Mice divide fast.', 'They divide fast.']
    """
    made = []
    for number, sentence in enumerate(own):
        head, tail = sentence.split(), other[number % len(other)].split()
        made.append(" ".join(head[: max(1, len(head) // 2)] + tail[len(tail) // 2 :]))
    return made


def texts(abstracts: Path) -> Iterator[Text]:
    """Endless texts, the same every time, from SciFact's `corpus.jsonl`."""
    read = read_lines(abstracts)
    for record in read:
        yield Text(record["_id"], record["text"], record["title"])
    sentences = [_END.split(record["text"].strip()) for record in read]
    for turn in count(1):
        for number, record in enumerate(read):
            other = sentences[(number + STEP * turn) % len(read)]
            text = " ".join(spliced(sentences[number], other))
            yield Text(f"{record['_id']}-{turn}", text, record["title"])


def worth(given: Iterable[Kind], num_chars: int) -> Iterator[Kind]:
    """The first items that together have at least `num_chars` characters of text."""
    taken = 0

    def wanted(one: Kind) -> bool:
        nonlocal taken
        before, taken = taken, taken + len(one.text)
        return before < num_chars

    return takewhile(wanted, given)
