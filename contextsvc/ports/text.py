"""Text ports: structure of documents, sentences, tokens and near-duplicates."""

from collections.abc import Sequence
from typing import Protocol

from contextsvc.records.documents import Block
from contextsvc.records.fingerprints import Fingerprint


class BlockParser(Protocol):
    """Parser that finds the blocks of a document: headings, paragraphs, list items, code and tables."""

    def parse(self, text: str) -> list[Block]:
        """Return the blocks of a text, in order.

        The blocks do not overlap, and together they cover every non-space character. Each block begins and
        ends with a non-space character, but code and tables begin at the start of their line, with the
        indent. The repeated lines of a block lie inside it. Text without structure becomes paragraphs. A text
        of spaces only has no blocks. Every string can be parsed without an error.
        """
        ...


class SentenceSplitter(Protocol):
    """Splitter that finds the sentences of running text."""

    def split(self, text: str) -> list[tuple[int, int]]:
        """Return the (start, end) character offsets of each sentence of a text, in order.

        The sentences do not overlap, and together they cover every non-space character. Each sentence begins
        and ends with a non-space character. A text of spaces only has no sentences.
        """
        ...


class TokenCounter(Protocol):
    """Counter of the tokens of texts in one encoding, which has a name."""

    @property
    def name(self) -> str:
        """Name of the encoding. Requests and answers use this name in their field `tokenizer`."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the encoding's name and content. It changes whenever counts may change."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the exact number of tokens of each text, in order, without special tokens.

        An empty text has 0 tokens. Text that looks like a special token is counted as ordinary text.
        """
        ...


class NearDuplicateIndex(Protocol):
    """Index of texts that finds near-duplicates of a new text.

    The least similarity of two near-duplicates is a parameter of the constructor.
    """

    def match(self, text: str) -> tuple[int, float] | None:
        """Find the near-duplicate of a text that is most similar to the text. If there is none, add the text.

        Returns:
            Number of the most similar text in the index, and the similarity, 0 to 1. Of equally similar texts
            the one with the lowest number is returned. None if no text is a near-duplicate and the new text
            was added. Added texts are numbered from 0, in order.
        """
        ...
