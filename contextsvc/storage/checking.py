"""Everything that must hold of an index on disk, for `contextsvc index check`: reads all, changes nothing."""

from pathlib import Path

import numpy as np

from contextsvc.errors import CorruptIndex
from contextsvc.storage.corpus import Corpus, broken_invariants
from contextsvc.storage.corpus.smoothing import context_norms
from contextsvc.storage.generation import Manifest, open_manifest, read_journal
from contextsvc.storage.library import OpenSearch
from contextsvc.storage.probes import changed_answers

NORM_TOLERANCE = 1e-2
"""Not 0: in a part that a resumed build took up, a vector may differ in its last bits from the one that now
stands for it."""


def check_index(root: Path, name: str, open_search: OpenSearch) -> tuple[Manifest | None, list[str]]:
    """The current generation's manifest, where it can be read, and what is wrong, one sentence each.

    Checked are: CURRENT's checksum, every byte of every file against the manifest, the invariants of the
    corpus, that the norms of sentences in context follow from their vectors, that the searches answer the
    probe queries as they did when the generation was sealed, and every record of the journal.

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
                f"document {number}: the norms of {wrong} sentences in context are not those of their vectors"
            )
    return found
