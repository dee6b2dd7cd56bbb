"""Queries for the recall of an approximate index."""

from pathlib import Path

import numpy as np

from contextsvc.indexing.recall_queries import held_out_sentences
from contextsvc.records.documents import Document
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import open_manifest
from contextsvc.storage.library import LoadedIndex
from tests.conftest import Build


def opened(root: Path) -> Corpus:
    return Corpus.open(open_manifest(root, "pages")[0])


def test_held_out_sentences_are_not_chunks(build: Build, tmp_path: Path) -> None:
    build([Document(f"page-{n}", f"Snapshot {n} of the cluster. Kept {n} days.") for n in range(40)])
    corpus = opened(tmp_path)
    held_out = held_out_sentences(corpus, 10)
    assert held_out.shape == (10, 256)
    assert held_out.dtype == np.float32
    chunks = {row.tobytes() for row in corpus.chunk_vectors.astype(np.float32)}
    assert not chunks & {row.tobytes() for row in held_out}


def test_one_of_several_equal_sentences_is_held_out(index: LoadedIndex) -> None:
    # Eight chunks of two sentences, and "copy" has those of "backup".
    assert held_out_sentences(index.corpus).shape == (7, 256)


def test_without_chunks_of_two_sentences_there_is_nothing_to_hold_out(build: Build, tmp_path: Path) -> None:
    build([Document("one", "Take a snapshot of the cluster.")])
    assert held_out_sentences(opened(tmp_path)).shape == (0, 256)
