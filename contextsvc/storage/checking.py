"""Checks of an index on disk, for `contextsvc index check`. The checks change no file.

A generation is one published version of an index.
"""

from pathlib import Path

import numpy as np

from contextsvc.errors import CorruptIndex
from contextsvc.storage.corpus import Corpus, broken_invariants
from contextsvc.storage.corpus.smoothing import context_norms
from contextsvc.storage.generation import Manifest, current, open_manifest, read_journal
from contextsvc.storage.library import OpenSearch
from contextsvc.storage.probes import changed_answers

NORM_TOLERANCE = 1e-2
"""Largest difference of a stored norm from the norm that the stored vectors give. It is not 0, because a
resumed build takes vectors from an earlier, interrupted build. The last bits of these vectors may differ from
those of the vectors with which the norms were computed."""


def check_index(root: Path, name: str, open_search: OpenSearch) -> tuple[Manifest | None, list[str]]:
    """Check the current generation of an index and its journal. This reads every byte of both.

    The function checks, in this order:

    - the checksum of the file CURRENT;
    - every byte of every file against the manifest;
    - the invariants of the corpus;
    - the norms of sentences in context against the stored vectors;
    - the results of the probe queries against the recorded results;
    - every record of the journal.

    Args:
        root: Folder of all indexes.
        name: Name of the index.
        open_search: Function that opens the search structures of a generation.

    Returns:
        The manifest, or None if the manifest cannot be read, and a list of all problems. Each problem is one
        sentence.

    Raises:
        InvalidRequest: the name is not valid.
        UnknownIndex: no index was published under the name.
    """
    while True:
        wanted = _wanted(root, name)
        manifest, found = _check_generation(root, name, open_search)
        # A publish during the checks may have removed the folder. Then the new generation is checked.
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
        # The comparison is negated, so that a NaN counts as wrong.
        wrong = int((~(apart <= NORM_TOLERANCE)).sum())
        if wrong:
            found.append(
                f"document {number}: the norms of {wrong} sentences in context do not fit their vectors"
            )
    return found
