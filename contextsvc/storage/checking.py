"""The checks of `contextsvc index check`: everything that must hold of an index on disk; changes nothing."""

from pathlib import Path

import numpy as np

from contextsvc.errors import CorruptIndex
from contextsvc.storage.corpus import Corpus, broken_invariants
from contextsvc.storage.corpus.smoothing import context_norms
from contextsvc.storage.generation import Manifest, current, open_manifest, read_journal
from contextsvc.storage.library import OpenSearch
from contextsvc.storage.probes import changed_answers

NORM_TOLERANCE = 1e-2
"""Not 0: a resumed build takes vectors of an earlier part, whose last bits may differ from the vector that is
stored for the same sentence now."""


def check_index(root: Path, name: str, open_search: OpenSearch) -> tuple[Manifest | None, list[str]]:
    """Check the current generation and the journal; read every byte.

    The checks: the checksum of CURRENT, every byte of every file against the manifest, the invariants of the
    corpus, the norms of sentences in context against their vectors, the results of the probe queries against
    the recorded ones, and every record of the journal.

    Returns:
        The manifest, None if it cannot be read, and all problems, one sentence each.

    Raises:
        InvalidRequest: the name is not valid.
        UnknownIndex: nothing was published under the name.
    """
    while True:
        wanted = _wanted(root, name)
        manifest, found = _check_generation(root, name, open_search)
        # A publish meanwhile may have removed the folder: then check the new generation.
        if not found or _wanted(root, name) == wanted:
            break
    try:
        for _ in read_journal(root / name):
            pass
    except CorruptIndex as error:
        found += error.problems
    return manifest, found


def _wanted(root: Path, name: str) -> str:
    try:
        return current(root, name)
    except CorruptIndex as error:
        return str(error)


def _check_generation(root: Path, name: str, open_search: OpenSearch) -> tuple[Manifest | None, list[str]]:
    manifest = None
    try:
        folder, manifest = open_manifest(root, name)
        corpus = Corpus.open(folder, manifest)
        found = broken_invariants(corpus) or _wrong_norms(corpus)
        if not found:
            found = changed_answers(folder, corpus, *open_search(name, folder, corpus))
    except CorruptIndex as error:
        return manifest, list(error.problems)
    return manifest, found


def _wrong_norms(corpus: Corpus) -> list[str]:
    found = []
    bounds = (corpus.document_table[f"{edge}_sentence"].tolist() for edge in ("first", "end"))
    for number, (first, end) in enumerate(zip(*bounds, strict=True)):
        sentences = corpus.sentence_table[first:end]
        title = int(corpus.document_table[number]["title_row"])
        norms = context_norms(
            corpus.sentence_vectors[sentences["row"]], corpus.sentence_vectors[title] if title >= 0 else None
        )
        apart = np.abs(sentences["context_norm"] - norms)
        # Negated, so that NaN counts as wrong.
        wrong = int((~(apart <= NORM_TOLERANCE)).sum())
        if wrong:
            found.append(
                f"document {number}: the norms of {wrong} sentences in context do not fit their vectors"
            )
    return found
