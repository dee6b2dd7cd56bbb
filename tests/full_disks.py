"""What a full disk does, on a small file system: `python -m tests.full_disks FOLDER`, FOLDER being its root.

Without a small file system, `--limit BYTES` lets no file grow longer (RLIMIT_FSIZE), which fails in the same
calls with another error number. Prints one JSON object.
"""

import argparse
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from contextsvc.errors import Fault
from contextsvc.indexing.build import Update, build_index, update_index
from contextsvc.records.documents import Document
from contextsvc.service.publishing import Publisher
from contextsvc.storage.checking import check_index
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.fakes.embedder import FakeEmbedder
from tests.world import documents, fake_parts

LARGE = [Document(f"large{n}", f"Sentence {n} of a long page about disks. " * 900) for n in range(12)]


def refused(root: Path) -> list[str]:
    """What was told when there was no room, for a put, an update and a build."""
    library = Library(root, FakeEmbedder().fingerprint, open_search)
    tries: list[Callable[[], object]] = [
        lambda: Publisher(library, fake_parts, 2).put("pages", LARGE),
        lambda: update_index(root, "pages", lambda _: Update(LARGE), fake_parts()),
        lambda: build_index(root, "pages", LARGE, fake_parts()),
    ]
    told = []
    for attempt in tries:
        try:
            attempt()
            told.append("")
        except Fault as error:
            told.append(str(error))
        serves = library.get("pages")
        assert (serves.manifest.num_documents, serves.instead_of) == (len(documents()), "")
        assert check_index(root, "pages", open_search)[1] == []
    return told


def run(folder: Path, limit: int | None) -> dict[str, object]:
    """Build, fill the disk, be refused, make room, update."""
    build_index(folder, "pages", documents(), fake_parts())
    filler = folder / "filler"
    if limit is None:
        fill(filler)
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    told = refused(folder)
    if limit is None:
        filler.unlink()
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    built = update_index(folder, "pages", lambda _: Update(LARGE), fake_parts())
    return {
        "told": told,
        "num_documents": built.manifest.num_documents,
        "problems": check_index(folder, "pages", open_search)[1],
        "left": sorted(path.name for path in (folder / "pages").iterdir()),
    }


def fill(path: Path) -> None:
    """Take all room but for a few pages."""
    with path.open("wb") as file:
        try:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        except OSError:
            os.ftruncate(file.fileno(), max(0, file.tell() - 24 * 4096))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    json.dump(run(given.folder, given.limit), sys.stdout)
