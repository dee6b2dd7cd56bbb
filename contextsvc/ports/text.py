"""Reading text: structure, sentences, tokens, likeness."""

from collections.abc import Sequence
from typing import Protocol

from contextsvc.records.documents import Block
from contextsvc.records.fingerprints import Fingerprint


class BlockParser(Protocol):
    """Reads the structure of a document."""

    def parse(self, text: str) -> list[Block]:
        """Blocks in order, none overlapping, that together cover every non-space character.

        A block starts and ends on a non-space character. Text without structure is paragraphs;
        text of spaces alone gives []. Never raises on any string.
        """
        ...


class SentenceSplitter(Protocol):
    """Splits running text into sentences."""

    def split(self, text: str) -> list[tuple[int, int]]:
        """Spans in order, none overlapping, that together cover every non-space character.

        A span starts and ends on a non-space character. Text of spaces alone gives [].
        """
        ...


class TokenCounter(Protocol):
    """Counts tokens as a named encoding would."""

    @property
    def name(self) -> str:
        """What `tokenizer` says in requests and answers."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """Name and content of the encoding: changes when counts may change."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """One exact count a text, order kept, special tokens never added; "" counts 0.

        Text that looks like a special token is counted as ordinary text.
        """
        ...


class LikenessIndex(Protocol):
    """Finds a text that is much like one given before."""

    def match(self, text: str) -> tuple[int, float] | None:
        """The kept text most like this one and how much, 0 to 1; None where none is enough alike.

        On None, and only then, the text itself is kept; kept texts are numbered from 0. Ties go to the
        lower number. What is enough alike is chosen when the index is made.
        """
        ...
