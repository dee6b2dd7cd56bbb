"""Documents and their parts: blocks, sentences and chunks.

A span is a pair of character offsets (start, end): Python string indices, with the end excluded. Ids are
derived from content and are never random. A record whose values break its contract cannot be made: its
constructor raises an error.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from contextsvc.errors import SpanError
from contextsvc.records.fingerprints import digest
from contextsvc.records.spans import NO_FRAME, NO_SPAN, Frame, Span, offset_in, spans_match_text

Format = Literal["markdown", "plain"]
"""Markup of a text, which decides how its headings, lists and other blocks are found."""

BlockKind = Literal["heading", "paragraph", "list_item", "code", "table"]


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its title, its origin and its metadata.

    Attributes:
        doc_id: Id, unique in an index.
        text: The text that all character offsets refer to. For an HTML file it is the extracted Markdown.
        title: Title of the document; it may be empty.
        source: Path, URL or name by which a person can find the document.
        format: Markup of the text.
        metadata: Fields that filters compare. A value is a str, int, float or bool, or a list of these;
            nothing is nested.
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
        """Digest of everything that an index stores about this document, as 64 hex digits."""
        meta = repr(sorted(self.metadata.items()))
        return digest(self.doc_id, self.title, self.source, self.format, meta, self.text)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a document: a heading, paragraph, list item, code fence or table.

    Attributes:
        kind: Kind of the block.
        start: Offset of the block's first character in the document.
        end: Offset after the block's last character.
        level: Level of a heading, 1 to 6; 0 for any other block.
        within: Numbers of the containers around the block, outermost first. A container is what should stay
            in one piece: an ordered list, a list item or an admonition. Each has its own number in the
            document. An item that is nested in another item is not within the outer item.
        edge: "first" if the block is only the opening mark of a container, such as `:::note` or `.. note::`;
            "last" if it is only the closing mark.
        opening: Span of the lines that are repeated before each later part, if the block is cut: the opening
            line of a fence, or the header rows of a table. (0, 0) if there are none.
        closing: Span of the text that closes a part, if the block is cut: the closing marks of a fence. For a
            fence that is never closed, these are the marks of its opening line. (0, 0) if there is none.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    _: KW_ONLY
    within: tuple[int, ...] = ()
    edge: Literal["", "first", "last"] = ""
    opening: Span = NO_SPAN
    closing: Span = NO_SPAN


@dataclass(frozen=True, slots=True)
class Sentence:
    """The smallest embedded piece of a text: a sentence, list item, code fence or table, or a part of one.

    Attributes:
        start: Offset of the sentence's first character in the document.
        end: Offset after the sentence's last character.
        num_tokens: Number of tokens of the sentence and its frame. The gap up to the next sentence counts,
            too, unless the sentence is a part of one that was cut.
        kind: Kind of the block that the sentence is taken from.
        unit: Number of the sentence's unit, ascending from 0 in the document. A unit is a run of sentences
            that stay together, such as a list item with its code. Neither a chunk nor a pack divides it.
        section: Headings above the sentence, outermost first; empty if there is no heading above.
        starts_section: Whether a section begins here: the sentence is a heading, or it introduces the heading
            that follows. A new chunk begins there where possible.
        opening: Span of the lines to repeat before the sentence, because it is a later part of a fence or
            table; (0, 0) if there are none.
        closing: Span of the marks to repeat after the sentence, because it is not the last part of its fence;
            (0, 0) if there are none.
    """

    start: int
    end: int
    num_tokens: int
    _: KW_ONLY
    kind: BlockKind
    unit: int
    section: tuple[str, ...] = ()
    starts_section: bool = False
    opening: Span = NO_SPAN
    closing: Span = NO_SPAN


def passage(text: str, span: Span, kind: BlockKind, opening: Span) -> str:
    """Return the text that the embedder reads for a sentence.

    A later part of a table is read with its header rows, because a row without them says little, but without
    the borders of the header, which can fill the embedder's window. A later part of a fence is read without
    the fence line.

    Args:
        text: Text of the document.
        span: Span of the sentence.
        kind: Kind of the sentence's block.
        opening: Span of the lines that are repeated before the sentence.
    """
    own = text[slice(*span)]
    if kind != "table" or opening == NO_SPAN:
        return own
    rows = [line for line in text[slice(*opening)].splitlines() if any(char.isalnum() for char in line)]
    return "\n".join([*rows, own])


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Consecutive whole sentences of one document; in a pack, a passage of sentences of one section.

    The text consists of the parts `document.text[a:b]` for (a, b) in `spans`, each between the opening and
    the closing of its frame, joined by the mark `spans.OMISSION`.

    Attributes:
        doc_id: Id of the document.
        start: Start of the first span.
        end: End of the last span.
        text: Text of all spans, joined by the omission mark.
        num_tokens: Number of tokens of the text. The index's token counter counts a chunk; the pack's token
            counter counts a passage.
        title: Title of the document.
        source: Source of the document.
        section: Headings above the first sentence, outermost first.
        content_hash: Content hash of the document.
        also_in: Ids of the copies of the document that deduplication left out of the index.
        spans: (start, end) character offsets in the document of the parts that the text holds, in order. An
            empty tuple is replaced by `((start, end),)`, the only span of a whole chunk.
        whole: (start, end) character offsets of all chunks that a passage has sentences of. The value (0, 0)
            is replaced by `(start, end)`.
        frames: For each span, the lines that are repeated around it, such as the header row of a table.
            Empty if nothing is repeated.

    Raises:
        SpanError: the spans are not in order inside `whole`, or the text cannot be the text of these spans.
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
    frames: tuple[Frame, ...] = ()

    def __post_init__(self) -> None:
        if not self.spans:
            object.__setattr__(self, "spans", ((self.start, self.end),))
        if self.whole == (0, 0):
            object.__setattr__(self, "whole", (self.start, self.end))
        hull = (self.start, self.end)
        if not spans_match_text(self.spans, self.text, hull, self.whole, self.frames):
            raise SpanError(self.doc_id, self.start, self.end, self.start + len(self.text))

    @property
    def chunk_id(self) -> str:
        """Id of the chunk: 16 hex digits of a digest of document id, document content and `whole`.

        The same chunk has the same id in every run. A passage of one chunk has the id of the chunk.
        """
        return digest(self.doc_id, self.content_hash, str(self.whole[0]), str(self.whole[1]))[:16]

    def offset(self, at: int) -> int:
        """Return the offset in `text` of a character of the document.

        Args:
            at: Offset of the character in the document.

        Raises:
            SpanError: the chunk's text does not hold that character.
        """
        offset = offset_in(self.spans, at, self.frames)
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
        frame: Frame = NO_FRAME,
    ) -> "Chunk":
        """Return the chunk that holds the characters from `start` to `end` of a document.

        Rejected: cutting by tokens, because decoded tokens do not reproduce the text exactly.

        Args:
            document: The document.
            start: Offset of the first character.
            end: Offset after the last character.
            num_tokens: Number of tokens of the chunk's text.
            section: Headings above the first sentence, outermost first.
            content_hash: Content hash of the document. If it is empty, the document is hashed again.
            frame: Lines to repeat around the chunk.

        Raises:
            SpanError: the span is empty or not inside the document.
        """
        if not 0 <= start < end <= len(document.text):
            raise SpanError(document.doc_id, start, end, len(document.text))
        text = frame.opening + document.text[start:end] + frame.closing
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
            frames=() if frame == NO_FRAME else (frame,),
        )
