"""Aliases: documents that were left out because another says the same, and still are somebody's source.

aliases.jsonl    one line an alias, in the order in which they were read; absent where there is none
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from contextsvc.errors import CorruptIndex
from contextsvc.records.documents import Document
from contextsvc.storage.corpus.files import decode, encode

ALIASES = "aliases.jsonl"


@dataclass(frozen=True, slots=True)
class Alias:
    """A document for which another stands.

    Attributes:
        doc_id: Its own.
        kept: The id of the document that stands for it.
        likeness: 0 to 1; 1 for an equal text.
        exact: The texts are equal.
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
        """The alias that a document becomes."""
        return cls(
            document.doc_id, kept, likeness, exact, document.title, document.source, dict(document.metadata),
            document.content_hash,
        )  # fmt: skip

    @property
    def fields(self) -> Mapping[str, object]:
        """What filters see of it, as of a document."""
        return {**self.metadata, "doc_id": self.doc_id, "title": self.title, "source": self.source}


def write_aliases(folder: Path, aliases: Iterable[Alias]) -> None:
    """Write them into a folder; no file without aliases."""
    lines = [encode(json.dumps(asdict(alias), ensure_ascii=False) + "\n") for alias in aliases]
    if lines:
        (folder / ALIASES).write_bytes(b"".join(lines))


def parse_aliases(data: bytes) -> tuple[Alias, ...]:
    """The aliases of a file that was verified; none of empty data.

    Raises:
        CorruptIndex: it is of another form.
    """
    try:
        return tuple(Alias(**json.loads(decode(line))) for line in data.split(b"\n")[:-1])
    except (ValueError, TypeError) as error:
        raise CorruptIndex("aliases", [f"{ALIASES}: {error}"]) from error
