"""Everything that must hold of an index on disk, for `contextsvc index check`: reads all, changes nothing."""

from pathlib import Path

from contextsvc.corpus import Corpus, broken_invariants
from contextsvc.errors import CorruptIndex
from contextsvc.generation import Manifest, open_manifest, read_journal
from contextsvc.library import OpenSearch
from contextsvc.probing import changed_answers


def check_index(root: Path, name: str, open_search: OpenSearch) -> tuple[Manifest | None, list[str]]:
    """The current generation's manifest, where it can be read, and what is wrong, one sentence each.

    Checked are: CURRENT's checksum, every byte of every file against the manifest, the invariants of the
    corpus, that the searches answer the probe queries as they did when the generation was sealed, and
    every record of the journal.

    Raises:
        InvalidRequest: the name is none.
        UnknownIndex: nothing was published under it.
    """
    manifest, found = _check_generation(root, name, open_search)
    try:
        for _ in read_journal(root / name):
            pass
    except CorruptIndex as error:
        found += error.problems
    return manifest, found


def _check_generation(root: Path, name: str, open_search: OpenSearch) -> tuple[Manifest | None, list[str]]:
    manifest = None
    try:
        folder, manifest = open_manifest(root, name)
        corpus = Corpus.open(folder, manifest)
        found = broken_invariants(corpus)
        if not found:
            found = changed_answers(folder, corpus, *open_search(name, folder, corpus))
    except CorruptIndex as error:
        return manifest, list(error.problems)
    return manifest, found
