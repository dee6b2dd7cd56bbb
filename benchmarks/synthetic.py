"""Any amount of text from SciFact's abstracts, with next to no sentence twice.

First the abstracts as they are. When they are used up each comes again with other sentences: the first half
of its own and the second half of those of another abstract, a different one in every round. Words and lengths
stay those of real text, and every sentence has to be embedded, as in a real collection of that size.
Repeating the abstracts instead would measure copying: a sentence that occurs twice is embedded once.
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
"""How many abstracts further on the second halves are taken, a round; a prime, so that rounds differ."""

Kind = TypeVar("Kind", Text, Document)

_END = re.compile(r"(?<=[.!?])\s+")


def spliced(own: Sequence[str], other: Sequence[str]) -> list[str]:
    """The first half of each sentence's words with the second half of another's; other's come round.

    >>> spliced(["Mice are small.", "They eat."], ["Some cells divide fast."])
    ['Mice divide fast.', 'They divide fast.']
    """
    made = []
    for number, sentence in enumerate(own):
        head, tail = sentence.split(), other[number % len(other)].split()
        made.append(" ".join(head[: max(1, len(head) // 2)] + tail[len(tail) // 2 :]))
    return made


def texts(abstracts: Path) -> Iterator[Text]:
    """Without end, the same every time.

    Args:
        abstracts: SciFact's `corpus.jsonl`.
    """
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
    """The first of them, as many as it takes to have at least so many characters of text."""
    taken = 0

    def wanted(one: Kind) -> bool:
        nonlocal taken
        before, taken = taken, taken + len(one.text)
        return before < num_chars

    return takewhile(wanted, given)
