"""Invariants that hold in every undamaged corpus, checked for `contextsvc index check`.

The checks read the whole corpus and change no file.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from contextsvc.errors import ContextError
from contextsvc.records.documents import Chunk, Document
from contextsvc.records.spans import Frame, Span
from contextsvc.storage.corpus.files import KINDS, NO_KEY, sentence_key, sentence_passage
from contextsvc.storage.corpus.view import Corpus, Float16Array
from contextsvc.storage.generation import Manifest

UNIT_TOLERANCE = 1e-2
_BLOCK_ROWS = 8192


def broken_invariants(corpus: Corpus, manifest: Manifest | None = None) -> list[str]:
    """Check all invariants of a corpus and return one sentence per broken invariant; [] if all hold.

    The invariants are:

    - The text, the character offsets, the chunks and the sentences of each document fit each other.
    - Document ids and chunk ids are unique.
    - The units of each document are numbered in order, and each chunk begins and ends with a unit.
    - The vector of each sentence belongs to the text of that sentence.
    - Row numbers are in range, and counts agree.
    - Vectors have length 1 within `UNIT_TOLERANCE`, because they are stored as float16.

    Args:
        corpus: The corpus.
        manifest: Manifest whose counts must agree with the corpus; None if there is none to compare.
    """
    found = corpus.differences(manifest) if manifest else []
    if len(corpus.chunk_vectors) != corpus.num_chunks:
        found.append(f"{len(corpus.chunk_vectors)} chunk vectors for {corpus.num_chunks} chunks")
    found += _uneven(corpus.chunk_vectors, "chunk") + _uneven(corpus.sentence_vectors, "sentence")
    titles = corpus.document_table["title_row"]
    rows = np.concatenate([corpus.sentence_table["row"], titles[titles != -1]])
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(corpus.sentence_vectors):
        found.append(
            f"sentences and titles name vectors {rows.min()} to {rows.max()}, "
            f"there are {len(corpus.sentence_vectors)}"
        )
    if len(corpus.sentence_keys) != len(corpus.sentence_vectors):
        found.append(f"{len(corpus.sentence_keys)} sentence keys for {len(corpus.sentence_vectors)} vectors")
    found += _untiled(corpus)
    if found:
        return found
    # The texts are read last, because reading them uses the offsets that were just checked.
    seen: set[str] = set()
    doc_ids: set[str] = set()
    for doc in range(corpus.num_documents):
        found += _document_faults(corpus, doc, seen, doc_ids)
    return [*found, *_alias_faults(corpus, doc_ids)]


def _alias_faults(corpus: Corpus, doc_ids: set[str]) -> Iterator[str]:
    seen: set[str] = set()
    for alias in corpus.aliases:
        if alias.kept not in doc_ids:
            yield f"alias {alias.doc_id!r} names document {alias.kept!r}, which does not exist"
        if alias.doc_id in doc_ids or alias.doc_id in seen:
            yield f"alias {alias.doc_id!r} has the id of another document"
        seen.add(alias.doc_id)


def _uneven(vectors: Float16Array, kind: str) -> list[str]:
    faulty = 0
    for start in range(0, len(vectors), _BLOCK_ROWS):
        lengths = np.linalg.norm(vectors[start : start + _BLOCK_ROWS].astype(np.float32), axis=1)
        # The comparison is negated, so that a NaN counts as faulty.
        faulty += int((~(np.abs(lengths - 1) <= UNIT_TOLERANCE)).sum())
    return [f"{faulty} {kind} vectors are not of length 1"] if faulty else []


def _untiled(corpus: Corpus) -> list[str]:
    """Check that the ranges of consecutive documents have no gaps, and return one sentence per broken kind.

    The kinds of ranges are lines, bytes of texts, chunks and sentences.
    """
    ends = {
        "line": len(corpus.lines),
        "byte": len(corpus.texts),
        "chunk": corpus.num_chunks,
        "sentence": len(corpus.sentence_table),
    }
    found = []
    for kind, last in ends.items():
        starts, stops = corpus.document_table[f"first_{kind}"], corpus.document_table[f"end_{kind}"]
        expected = np.concatenate([[0], stops[:-1]]) if len(stops) else stops
        wrong = np.flatnonzero((starts != expected) | (stops < starts))
        if len(wrong):
            found.append(f"document {wrong[0]} does not start at {kind} {expected[wrong[0]]}")
        elif (int(stops[-1]) if len(stops) else 0) != last:
            found.append(f"the documents end at {kind} {stops[-1] if len(stops) else 0} of {last}")
    return found


def _document_faults(corpus: Corpus, doc: int, seen: set[str], doc_ids: set[str]) -> Iterator[str]:
    try:
        entry = corpus.entries[doc]
    except (ValueError, TypeError):
        yield f"the line of document {doc} cannot be read"
        return
    try:
        document = corpus.document(doc)
    except UnicodeDecodeError:
        yield f"document {entry.doc_id!r} is not UTF-8"
        return
    if entry.doc_id in doc_ids:
        yield f"two documents have the id {entry.doc_id!r}"
    doc_ids.add(entry.doc_id)
    faults = list(_unit_faults(corpus, doc, len(document.text)))
    yield from faults or _misnamed_vectors(corpus, doc, document)
    if document.content_hash != entry.content_hash:
        yield f"document {entry.doc_id!r} differs from its content hash"
    yield from _chunk_faults(corpus, doc, document, seen)


def _chunk_faults(corpus: Corpus, doc: int, document: Document, seen: set[str]) -> Iterator[str]:
    for number in corpus.chunks_of(doc):
        try:
            chunk = corpus.chunk(number)
        except (ContextError, UnicodeDecodeError, IndexError):
            yield f"chunk {number} cannot be cut from its document"
            continue
        if chunk.doc_id != document.doc_id or _text_of(corpus, number, document, chunk) != chunk.text:
            yield f"chunk {number} differs from its span in {document.doc_id!r}"
        if chunk.chunk_id in seen:
            yield f"chunk {number} has the id of another, {chunk.chunk_id}"
        seen.add(chunk.chunk_id)
        position = chunk.start
        for start, end in corpus.sentence_spans(number):
            if not position <= start < end <= chunk.end:
                yield f"chunk {number} ({chunk.start}-{chunk.end}) does not hold its sentence {start}-{end}"
            position = end


def _text_of(corpus: Corpus, number: int, document: Document, chunk: Chunk) -> str:
    rows = corpus.sentences(number)
    frame = Frame.cut(document.text, _span(rows[0], "opening"), _span(rows[-1], "closing"))
    return frame.opening + document.text[chunk.start : chunk.end] + frame.closing


def _span(row: Any, name: str) -> Span:
    return int(row[f"{name}_start"]), int(row[f"{name}_end"])


def _unit_faults(corpus: Corpus, doc: int, length: int) -> Iterator[str]:
    """Yield what is wrong with the units, kinds and repeated lines of a document's sentences."""
    row = corpus.document_table[doc]
    sentences = corpus.sentence_table[row["first_sentence"] : row["end_sentence"]]
    steps = np.diff(sentences["unit"].astype(np.int64), prepend=-1)
    if len(sentences) and (steps[0] != 1 or not np.isin(steps, (0, 1)).all()):
        yield f"the units of document {doc} are not numbered from 0 in order"
    firsts = corpus.chunk_table["first_sentence"][row["first_chunk"] : row["end_chunk"]]
    divided = firsts[steps[firsts - row["first_sentence"]] == 0]
    if len(divided):
        yield f"a chunk of document {doc} begins inside a unit, at sentence {divided[0]}"
    if (sentences["kind"] >= len(KINDS)).any() or (sentences["num_tokens"] < 0).any():
        yield f"a sentence of document {doc} has an unknown kind or a negative number of tokens"
    for name, last in (("opening", sentences["start"]), ("closing", length)):
        start, end = sentences[f"{name}_start"], sentences[f"{name}_end"]
        if not ((start >= 0) & (start <= end) & (end <= last)).all():
            yield f"the {name} lines that document {doc} repeats are not where they can be"


def _misnamed_vectors(corpus: Corpus, doc: int, document: Document) -> Iterator[str]:
    """Yield one sentence for each sentence or title whose vector belongs to another text."""
    text, title = document.text, int(corpus.document_table[doc]["title_row"])
    if title >= 0 and bytes(corpus.sentence_keys[title]) not in (NO_KEY, sentence_key(document.title)):
        yield f"the title of document {doc} names vector {title}, which belongs to another text"
    row = corpus.document_table[doc]
    sentences = corpus.sentence_table[row["first_sentence"] : row["end_sentence"]]
    keys = corpus.sentence_keys[sentences["row"]].tolist()
    for sentence, key in zip(sentences, keys, strict=True):
        if key != NO_KEY and key != sentence_key(sentence_passage(text, sentence)):
            where = f"sentence {sentence['start']}-{sentence['end']} of document {doc}"
            yield f"{where} names vector {sentence['row']}, which belongs to another text"
