"""Sources on the command line: what they give, what was skipped, how far they are read, what is gone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from contextsvc.cli.output import say
from contextsvc.indexing.build import Progress
from contextsvc.records.documents import Document
from contextsvc.records.json import Json
from contextsvc.settings import Settings
from contextsvc.storage.corpus.aliases import Alias
from contextsvc.storage.corpus.files import Entry

_LEAST_SECONDS = 5.0
_PREFIXES = {"python-reference": "pydoc_data.topics"}


class Sources:
    """Reads sources once, and keeps count.

    Attributes:
        skipped: What gave no document and why, but for files of kinds that are not read.
    """

    def __init__(self, settings: Settings, names: Sequence[str]) -> None:
        from contextsvc.wiring import read_sources, source_bytes

        self.skipped: list[Json] = []
        self._roots = [_PREFIXES.get(name, PurePath(name).as_posix()) for name in names]
        self._documents = read_sources(settings, names, self._skip) if names else iter(())
        self._total_bytes = source_bytes(names)
        self._read_bytes = self._read_chars = 0

    def documents(self) -> Iterator[Document]:
        """The documents, one in memory at a time."""
        for document in self._documents:
            self._read_chars += len(document.text)
            self._read_bytes += _file_bytes(document)
            yield document
        self._total_bytes = self._read_bytes  # all is read: nothing has to be estimated any more

    def gone(self, entry: Entry | Alias) -> bool:
        """Whether a document that did not come was one of these sources', whose file is not there any more.

        By the source it was read from then, spelled as these are. What was skipped this time is there.
        """
        kept = any(_lies_in(entry.source, str(item["source"])) for item in self.skipped)
        return not kept and any(_lies_in(entry.source, root) for root in self._roots)

    def remaining(self, done: Progress) -> str:
        """How long it will take, from the characters done in the time so far; empty where it is a guess.

        How many characters there are follows from the files' bytes, at the ratio of what was read.
        """
        fresh = done.num_chars - done.num_reused_chars
        if not (self._total_bytes and self._read_bytes and fresh) or done.seconds < _LEAST_SECONDS:
            return ""
        total = max(self._read_chars, self._total_bytes * self._read_chars / self._read_bytes)
        seconds = round((total - done.num_chars) * done.seconds / fresh)
        return f", about {seconds // 60} min {seconds % 60} s left of {done.phase}"

    def _skip(self, source: str, reason: str, num_ignored: int) -> None:
        say(f"{'ignored' if num_ignored else 'skipped'} {source}: {reason}")
        if not num_ignored:
            self.skipped.append({"source": source, "reason": reason})


@contextmanager
def interruptible() -> Iterator[None]:
    """Tells whoever stops a build how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        say("nothing was published; the same command with --resume goes on from the finished parts")
        raise


def _lies_in(source: str, root: str) -> bool:
    # A line of a JSONL file, and a topic of the reference, stand behind a colon.
    return source == root or root == "." or source.startswith((f"{root}/", f"{root}:"))


def _file_bytes(document: Document) -> int:
    try:
        return Path(document.source).stat().st_size
    except (OSError, ValueError):  # a line of a file
        return len(document.text.encode("utf-8", "surrogatepass"))
