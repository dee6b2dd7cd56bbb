"""What flows through the package: frozen records whose promises are checked at birth.

Spans count characters (Python string indices), end exclusive. Ids are derived, never random.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from contextsvc.errors import SpanError
from contextsvc.records.fingerprints import digest
from contextsvc.records.spans import Span, explain, offset_in

Format = Literal["markdown", "plain"]

BlockKind = Literal["heading", "paragraph", "list_item", "code", "table"]


@dataclass(frozen=True, slots=True)
class Document:
    """One text with where it came from.

    Attributes:
        doc_id: Unique in an index.
        text: What spans refer to; for HTML the extracted Markdown.
        title: May be empty.
        source: Path, URL or name a person can follow.
        format: How structure is read from the text.
        metadata: Flat; what filters see. Values are str, int, float, bool or a list of those.
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
        """Changes whenever anything that an index stores of this document changes."""
        meta = repr(sorted(self.metadata.items()))
        return digest(self.doc_id, self.title, self.source, self.format, meta, self.text)


@dataclass(frozen=True, slots=True)
class Block:
    """A structural unit of a document: `level` is 1 to 6 for a heading, 0 otherwise."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Sentence:
    """The smallest unit that is embedded: a sentence, a list item, a code fence, a table or a part of one.

    Attributes:
        start: First character in the document.
        end: One past the last.
        num_tokens: Tokens of the text from `start` to the start of the next sentence.
        section: Headings above it, outermost first; empty at the top.
        starts_section: A heading; a chunk is not continued across it where that can be avoided.
    """

    start: int
    end: int
    num_tokens: int
    section: tuple[str, ...] = ()
    starts_section: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of whole sentences of one document, or what trimming has left of one.

    Always: `text == spans.OMISSION.join(document.text[a:b] for a, b in spans)`.

    Attributes:
        start: Where the first span begins.
        end: Where the last one ends.
        num_tokens: Of the text: as the index counts; of a trimmed one, as the pack it was trimmed for.
        also_in: Ids of documents that say the same and were left out.
        spans: The parts of the document that the text holds, in order; one unless trimmed, which is default.
        whole: Span of the index's chunk that this is, or is what is left of; default: the former.
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
        if not explain(self.spans, self.text, (self.start, self.end), self.whole):
            raise SpanError(self.doc_id, self.start, self.end, self.start + len(self.text))

    @property
    def chunk_id(self) -> str:
        """Derived from document, content and whole span: the same chunk has the same id in any run.

        Trimmed for one query or another it keeps its id: `spans` say what is left of it.
        """
        return digest(self.doc_id, self.content_hash, str(self.whole[0]), str(self.whole[1]))[:16]

    def offset(self, at: int) -> int:
        """Where in `text` a character of the document stands.

        Raises:
            SpanError: it is not in the text.
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
        """Cut by characters; tokens are counted on the text, never the other way round, which drifts.

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
