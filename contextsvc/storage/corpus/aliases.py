"""Aliases: documents that deduplication left out, because another document has the same or a similar text.

The file aliases.jsonl holds one line per alias, in the order in which the documents were read. If there is no
alias, there is no file.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from contextsvc.errors import CorruptIndex
from contextsvc.records.documents import Document
from contextsvc.storage.corpus.files import decode_text, encode_text
from contextsvc.storage.generation import disk_writes

ALIASES = "aliases.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A left-out document, which another document of the index represents.

    Attributes:
        doc_id: Id of the left-out document.
        kept: Id of the document that represents the left-out document.
        likeness: Similarity of the two texts, 0 to 1. It is 1 if the texts are equal.
        exact: Whether the two texts are equal.
        title: Title of the left-out document.
        source: Path, URL or name of the left-out document.
        metadata: Metadata of the left-out document.
        content_hash: Content hash of the left-out document (`Document.content_hash`).
    """

    doc_id: str
    kept: str
    likeness: float
    exact: bool
    title: str
    source: str
    metadata: Mapping[str, object]
    content_hash: str

    @classmethod
    def of(cls, document: Document, kept: str, likeness: float, exact: bool) -> "Alias":
        """Return the alias of a document that was left out.

        Args:
            document: The left-out document.
            kept: Id of the document that represents the left-out document.
            likeness: Similarity of the two texts, 0 to 1.
            exact: Whether the two texts are equal.
        """
        return cls(
            doc_id=document.doc_id,
            kept=kept,
            likeness=likeness,
            exact=exact,
            title=document.title,
            source=document.source,
            metadata=dict(document.metadata),
            content_hash=document.content_hash,
        )

    @property
    def fields(self) -> Mapping[str, object]:
        """Fields that filters compare: metadata, `doc_id`, `title` and `source`."""
        return {**self.metadata, "doc_id": self.doc_id, "title": self.title, "source": self.source}


@disk_writes()
def write_aliases(folder: Path, aliases: Iterable[Alias]) -> None:
    """Write aliases.jsonl into a folder. Without an alias no file is written.

    Raises:
        WriteError: the operating system refused to write the file.
    """
    lines = [encode_text(json.dumps(asdict(alias), ensure_ascii=False) + "\n") for alias in aliases]
    if lines:
        (folder / ALIASES).write_bytes(b"".join(lines))


def parse_aliases(data: bytes) -> tuple[Alias, ...]:
    """Parse the content of aliases.jsonl and return the aliases in order. Empty data gives ().

    Raises:
        CorruptIndex: a line does not describe an alias.
    """
    try:
        return tuple(Alias(**json.loads(decode_text(line))) for line in data.split(b"\n")[:-1])
    except (ValueError, TypeError) as error:
        raise CorruptIndex("aliases", [f"{ALIASES}: {error}"]) from error
