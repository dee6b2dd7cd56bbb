"""Excerpts: parts of a document that consist of some of its sentences, across the bounds of chunks."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.documents import Chunk
from contextsvc.records.spans import NO_FRAME, OMISSION, Frame, Span
from contextsvc.storage.corpus.view import Corpus


class _Run(NamedTuple):
    """Consecutive sentences: their span, the lines repeated around them, and the span of their chunks."""

    span: Span
    frame: Frame
    text: str
    whole: Span


class Excerpts:
    """A maker of excerpts for one request. It keeps what it read, because a pack grows sentence by sentence.

    Args:
        corpus: The corpus.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._runs: dict[Span, _Run] = {}

    def excerpt(self, chunk: Chunk, sentences: Sequence[int]) -> Chunk:
        """Return the part of a document that consists of some sentences.

        A gap between two sentences becomes the mark `OMISSION`. The field `whole` of the result reaches over
        all chunks that hold one of the sentences. Its `num_tokens` is 0, because the caller decides how to
        count.

        Args:
            chunk: Any chunk of the document. Its title, source and section are those of the result.
            sentences: Numbers of sentences of the document, ascending, at least one.

        Raises:
            ShapeError: there is no sentence.
        """
        if not sentences:
            raise ShapeError("an excerpt without sentences")
        edges = [(a, b) for a, b in pairwise(sentences) if b - a > 1]
        firsts, lasts = [sentences[0], *(b for _, b in edges)], [*(a for a, _ in edges), sentences[-1]]
        runs = [self._run(*bounds) for bounds in zip(firsts, lasts, strict=True)]
        framed = any(run.frame != NO_FRAME for run in runs)
        return replace(
            chunk,
            start=runs[0].span[0],
            end=runs[-1].span[1],
            text=OMISSION.join(run.text for run in runs),
            num_tokens=0,
            spans=tuple(run.span for run in runs),
            whole=(runs[0].whole[0], runs[-1].whole[1]),
            frames=tuple(run.frame for run in runs) if framed else (),
        )

    def _run(self, first: int, last: int) -> _Run:
        known = self._runs.get((first, last))
        return known or self._runs.setdefault((first, last), self._read(first, last))

    def _read(self, first: int, last: int) -> _Run:
        corpus, (head, tail) = self._corpus, self._corpus.sentence_table[[first, last]]
        starts = corpus.chunk_table["first_sentence"]
        number, end = (np.searchsorted(starts, [first, last], side="right") - 1).tolist()
        span = int(head["start"]), int(tail["end"])
        frame = Frame.of(
            corpus.text_near(number, int(head["opening_start"]), int(head["opening_end"])),
            corpus.text_near(end, int(tail["closing_start"]), int(tail["closing_end"])),
        )
        text = frame.opening + corpus.text_near(number, *span) + frame.closing
        whole = int(corpus.chunk_table["start"][number]), int(corpus.chunk_table["end"][end])
        return _Run(span, frame, text, whole)


def chunks_in(corpus: Corpus, number: int, part: Span) -> list[int]:
    """Return the numbers of the chunks in a part of a document, in order.

    Args:
        corpus: The corpus.
        number: Number of any chunk of the document.
        part: (start, end) character offsets of the part. A chunk that is only partly inside is left out.
    """
    table = corpus.chunk_table
    doc = table["doc"][number]
    first, end = np.searchsorted(table["doc"], [doc, doc + 1]).tolist()
    inside = (table["start"][first:end] >= part[0]) & (table["end"][first:end] <= part[1])
    found: list[int] = (first + np.flatnonzero(inside)).tolist()
    return found


def sentence_spans_in(corpus: Corpus, number: int, part: Span) -> list[Span]:
    """Return the (start, end) character offsets of the sentences in a part of a document, in order.

    Args:
        corpus: The corpus.
        number: Number of any chunk of the document.
        part: (start, end) character offsets of the part. A sentence that is only partly inside is left out.
    """
    document = corpus.document_table[int(corpus.document_of(np.array([number]))[0])]
    table = corpus.sentence_table[int(document["first_sentence"]) : int(document["end_sentence"])]
    inside = table[(table["start"] >= part[0]) & (table["end"] <= part[1])]
    return list(zip(inside["start"].tolist(), inside["end"].tolist(), strict=True))
