"""Sources named on the command line: their documents, the skipped files, and the time left."""

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
    """Documents of sources. They are read once, and their bytes and characters are counted.

    Attributes:
        skipped: Source and reason of every file that gave no document. Files of unknown kinds are not listed.
    """

    def __init__(self, settings: Settings, names: Sequence[str]) -> None:
        from contextsvc.wiring import read_sources, source_bytes

        self.skipped: list[Json] = []
        self._roots = [_PREFIXES.get(name, PurePath(name).as_posix()) for name in names]
        self._documents = read_sources(settings, names, self._skip) if names else iter(())
        self._total_bytes = source_bytes(names)
        self._read_bytes = self._read_chars = 0

    def documents(self) -> Iterator[Document]:
        """Yield the documents in order, with one in memory at a time."""
        for document in self._documents:
            self._read_chars += len(document.text)
            self._read_bytes += _file_bytes(document)
            yield document
        self._total_bytes = self._read_bytes  # everything is read, so the total is known

    def gone(self, entry: Entry | Alias) -> bool:
        """Return whether a document of the index came from these sources and its file no longer exists.

        The source that the index recorded is compared with these sources as they are spelled. A file that was
        skipped in this run counts as existing.
        """
        kept = any(_lies_in(entry.source, str(item["source"])) for item in self.skipped)
        return not kept and any(_lies_in(entry.source, root) for root in self._roots)

    def remaining(self, done: Progress) -> str:
        """Return the time left as text, estimated from the characters done so far.

        The text is empty in the first 5 seconds, and while nothing can be estimated. The total number of
        characters is estimated: the bytes of all files, times the characters per byte of the files read so
        far.
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
    """Print how to continue if the user stops a build inside the `with` block."""
    try:
        yield
    except KeyboardInterrupt:
        say("nothing was published; repeat the command with --resume to continue from the finished parts")
        raise


def _lies_in(source: str, root: str) -> bool:
    # In a source, a colon precedes the line number of a JSONL file and the topic of the Python reference.
    return source == root or root == "." or source.startswith((f"{root}/", f"{root}:"))


def _file_bytes(document: Document) -> int:
    try:
        return Path(document.source).stat().st_size
    except (OSError, ValueError):  # the source is a line of a file, not a file
        return len(document.text.encode("utf-8", "surrogatepass"))
