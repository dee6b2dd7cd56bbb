"""Text ports: structure, sentences, tokens, near-duplicates."""

from collections.abc import Sequence
from typing import Protocol

from contextsvc.records.documents import Block
from contextsvc.records.fingerprints import Fingerprint


class BlockParser(Protocol):
    """Parser of the structure of documents."""

    def parse(self, text: str) -> list[Block]:
        """Blocks of a text in order, without overlaps, that together cover every non-space character.

        A block starts and ends with a non-space character. Text without structure is paragraphs. A text of
        spaces only has no blocks. No string raises an error.
        """
        ...


class SentenceSplitter(Protocol):
    """Splitter of running text into sentences."""

    def split(self, text: str) -> list[tuple[int, int]]:
        """Spans of sentences in order, without overlaps, that together cover every non-space character.

        A span starts and ends with a non-space character. A text of spaces only has no sentences.
        """
        ...


class TokenCounter(Protocol):
    """Counter of tokens in a named encoding."""

    @property
    def name(self) -> str:
        """Name of the encoding, as `tokenizer` in requests and answers."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """Name and content of the encoding; changes when counts may change."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Exact number of tokens of each text, without special tokens; 0 for an empty text.

        Text that looks like a special token is counted as ordinary text.
        """
        ...


class NearDuplicateIndex(Protocol):
    """Index of texts that finds near-duplicates; their least similarity is chosen when it is made."""

    def match(self, text: str) -> tuple[int, float] | None:
        """Find the most similar text of the index, or add this one.

        Returns:
            Number of the most similar text and its similarity, 0 to 1; of equal ones the lower number. None
            if no text is a near-duplicate: then this text is added. Added texts are numbered from 0.
        """
        ...
