"""Documents and their parts: blocks, sentences and chunks.

Spans count characters (Python string indices), end exclusive. Ids are derived from content, never random. A
record that breaks its contract is refused when it is made.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from contextsvc.errors import SpanError
from contextsvc.records.fingerprints import digest
from contextsvc.records.spans import Span, offset_in, spans_match_text

Format = Literal["markdown", "plain"]
"""How the structure of a text is read."""

BlockKind = Literal["heading", "paragraph", "list_item", "code", "table"]


@dataclass(frozen=True, slots=True)
class Document:
    """A text and its origin.

    Attributes:
        doc_id: Unique in an index.
        text: The text that spans refer to; for HTML the extracted Markdown.
        title: May be empty.
        source: Path, URL or name that a person can follow.
        format: How the structure of the text is read.
        metadata: Fields for filters. Values are str, int, float, bool or a list of those; nothing is nested.
    """

    doc_id: str
    text: str
    _: KW_ONLY
    title: str = ""
    source: str = ""
    format: Format = "plain"
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """A digest of everything that an index stores of this document."""
        meta = repr(sorted(self.metadata.items()))
        return digest(self.doc_id, self.title, self.source, self.format, meta, self.text)


@dataclass(frozen=True, slots=True)
class Block:
    """A structural unit of a document.

    Attributes:
        kind: Kind of the unit.
        start: First character in the document.
        end: One past the last character.
        level: 1 to 6 for a heading, 0 otherwise.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Sentence:
    """The smallest unit that is embedded: a sentence, list item, code fence or table, or a piece of one.

    Attributes:
        start: First character in the document.
        end: One past the last character.
        num_tokens: Tokens of the text from `start` to the start of the next sentence.
        section: Headings above the sentence, outermost first; empty at the top.
        starts_section: Whether it is a heading; a chunk does not continue across it where avoidable.
    """

    start: int
    end: int
    num_tokens: int
    section: tuple[str, ...] = ()
    starts_section: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of whole sentences of one document; trimming may have left out some of them.

    Always: `text == spans.OMISSION.join(document.text[a:b] for a, b in spans)`.

    Attributes:
        doc_id: Id of the document.
        start: Start of the first span.
        end: End of the last span.
        text: Text of the spans.
        num_tokens: Tokens of the text, by the index's counter; for a trimmed chunk by the pack's counter.
        title: Title of the document.
        source: Source of the document.
        section: Headings above the first sentence, outermost first.
        content_hash: Content hash of the document.
        also_in: Ids of copies of the document that deduplication left out.
        spans: Spans of the document that the text holds, in order. Empty stands for `(start, end)`, the one
            span of a whole chunk.
        whole: Span of the chunk before trimming. (0, 0) stands for `(start, end)`.

    Raises:
        SpanError: the text cannot be the text of the spans.
    """

    doc_id: str
    start: int
    end: int
    text: str
    num_tokens: int
    title: str = ""
    source: str = ""
    section: tuple[str, ...] = ()
    content_hash: str = ""
    also_in: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    whole: Span = (0, 0)

    def __post_init__(self) -> None:
        if not self.spans:
            object.__setattr__(self, "spans", ((self.start, self.end),))
        if self.whole == (0, 0):
            object.__setattr__(self, "whole", (self.start, self.end))
        if not spans_match_text(self.spans, self.text, (self.start, self.end), self.whole):
            raise SpanError(self.doc_id, self.start, self.end, self.start + len(self.text))

    @property
    def chunk_id(self) -> str:
        """A digest of document, content and whole span: the same chunk has the same id in any run.

        A trimmed chunk has the id of the whole one.
        """
        return digest(self.doc_id, self.content_hash, str(self.whole[0]), str(self.whole[1]))[:16]

    def offset(self, at: int) -> int:
        """Position in `text` of a character of the document.

        Raises:
            SpanError: the character is not in the text.
        """
        offset = offset_in(self.spans, at)
        if offset is None:
            raise SpanError(self.doc_id, at, at + 1, self.end)
        return offset

    @classmethod
    def cut(
        cls,
        document: Document,
        start: int,
        end: int,
        num_tokens: int,
        section: tuple[str, ...] = (),
        content_hash: str = "",
    ) -> "Chunk":
        """Cut a chunk out of a document, by characters.

        Rejected: cutting by tokens, because decoded tokens do not reproduce the text exactly.
        `content_hash` saves hashing the document again for each of its chunks.

        Raises:
            SpanError: the span is empty or not inside the document.
        """
        if not 0 <= start < end <= len(document.text):
            raise SpanError(document.doc_id, start, end, len(document.text))
        text = document.text[start:end]
        content_hash = content_hash or document.content_hash
        return cls(
            doc_id=document.doc_id,
            start=start,
            end=end,
            text=text,
            num_tokens=num_tokens,
            title=document.title,
            source=document.source,
            section=section,
            content_hash=content_hash,
        )
