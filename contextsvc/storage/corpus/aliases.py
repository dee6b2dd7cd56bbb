"""Aliases: documents that deduplication left out, because another has the same or nearly the same text.

aliases.jsonl    one line for each alias, in the order in which they were read; absent if there is none
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from contextsvc.errors import CorruptIndex
from contextsvc.records.documents import Document
from contextsvc.storage.corpus.files import decode, encode
from contextsvc.storage.generation import disk_writes

ALIASES = "aliases.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A document that another document represents in the index.

    Attributes:
        doc_id: Its own id.
        kept: Id of the document that represents it.
        likeness: 0 to 1; 1 for an equal text.
        exact: Whether the texts are equal.
        title: Its own title; so are `source` and `metadata`.
        content_hash: Its own, as `Document.content_hash`.
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
        """Return the alias of a document that was left out."""
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
        """Fields that filters compare, as for a document."""
        return {**self.metadata, "doc_id": self.doc_id, "title": self.title, "source": self.source}


@disk_writes()
def write_aliases(folder: Path, aliases: Iterable[Alias]) -> None:
    """Write aliases.jsonl into a folder; no file if there is no alias.

    Raises:
        WriteError: the operating system refused.
    """
    lines = [encode(json.dumps(asdict(alias), ensure_ascii=False) + "\n") for alias in aliases]
    if lines:
        (folder / ALIASES).write_bytes(b"".join(lines))


def parse_aliases(data: bytes) -> tuple[Alias, ...]:
    """Return the aliases of a verified file; () for empty data.

    Raises:
        CorruptIndex: the data has another form.
    """
    try:
        return tuple(Alias(**json.loads(decode(line))) for line in data.split(b"\n")[:-1])
    except (ValueError, TypeError) as error:
        raise CorruptIndex("aliases", [f"{ALIASES}: {error}"]) from error
