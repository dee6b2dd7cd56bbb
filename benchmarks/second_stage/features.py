"""What a learned second stage may read of a candidate: a dozen numbers, from what a request has at hand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.second_stage.judged import Judged
from contextsvc.adapters.search.postings import count_terms, idf, stems
from contextsvc.packing.assembler import RetrievalSettings
from contextsvc.packing.fusion import best_first, convex_fusion, pool_candidates, share_of_best
from contextsvc.packing.links import linked
from contextsvc.packing.signals import chunk_similarity, sentence_scores, terms_in_context
from contextsvc.ports import Embedder
from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Ranking
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.library import LoadedIndex

FEATURES = (
    "sentence", "best three sentences", "chunk vector", "terms", "terms of the chunk alone", "dense rank",
    "lexical rank", "coverage", "coverage by title", "position", "length", "links", "best of its document",
    "query length",
)  # fmt: skip
"""What there is to learn from:

sentence: similarity of the best sentence in its context. best three sentences: the mean of theirs.
chunk vector: similarity of the pooled vector. terms: BM25 in context, as a share of the best candidate's.
terms of the chunk alone: ln(1 + BM25). dense rank, lexical rank: 1 / (1 + ln rank), 0 for what was not found.
coverage: the share of the query's idf that the chunk's words have. coverage by title: that the title's have.
position: where in its document the chunk begins, 0 to 1. length: ln(1 + tokens). links: as the service scores
them. best of its document: the fixed score, links left out, of the document's best other candidate, 0 without
one. query length: ln(1 + terms), the same for all candidates of a query, so that a linear score has no use
for it.
"""

FIXED = "fixed score"
"""What the service ranks by now, its weights chosen on the tune halves of all four collections."""

COLUMNS = (*FEATURES, FIXED)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What reaches the second stage of one query.

    Attributes:
        ids: (n,) numbers of the chunks.
        documents: (n,) ids of their documents.
        features: (n, len(COLUMNS)), in the order of `COLUMNS`.
        relevant: (n,).
        query: What was asked.
    """

    ids: Int64Array
    documents: tuple[str, ...]
    features: Float64Array
    relevant: BoolArray
    query: Judged

    def columns(self, names: Sequence[str]) -> Float64Array:
        """(n, len(names)) of `COLUMNS`."""
        return self.features[:, [COLUMNS.index(name) for name in names]]


class Terms:
    """How rare the terms of an index are, and which share of a query a text has."""

    def __init__(self, corpus: Corpus) -> None:
        """Counts the terms of all chunks, headings included, as the index does."""
        texts = (_lexical_text(corpus.chunk(number)) for number in range(corpus.num_chunks))
        postings = count_terms(texts)
        worth = idf(postings.num_chunks, np.diff(postings.offsets))
        self._idf: Mapping[str, float] = dict(zip(postings.terms, worth.tolist(), strict=True))

    def known(self, query: str) -> Counter[str]:
        """The query's terms that the index has, with their numbers."""
        return Counter(stem for stem in stems(query) if stem in self._idf)

    def coverage(self, query: Counter[str], text: str) -> float:
        """The share of the idf of a query's distinct known terms that a text has; 0 without any."""
        whole = sum(self._idf[term] for term in query)
        return sum(self._idf[term] for term in query.keys() & set(stems(text))) / whole if whole else 0.0


def candidates_of(
    index: LoadedIndex, terms: Terms, embedder: Embedder, settings: RetrievalSettings, query: Judged
) -> Candidates:
    """What `Assembler` scores in its second stage; a test holds the fixed scores against its own."""
    s, vector = settings, embedder.embed_queries([query.text])[0]
    dense = index.vectors.search(vector[None], s.num_candidates)[0]
    lexical = index.lexical.search([query.text], s.num_candidates)[0]
    ids = pool_candidates([dense, lexical])
    shares = share_of_best(terms_in_context(index, ids, query.text))
    pooled = chunk_similarity(index.corpus, ids, vector)
    weights = [s.lexical_weight, s.semantic_weight]
    rows = best_first(convex_fusion([shares, pooled], weights), ids)[: s.rerank_depth]
    ids, shares, pooled = ids[rows], shares[rows], pooled[rows]
    chunks = [index.corpus.chunk(number) for number in ids.tolist()]
    best, best_three = _sentences(index.corpus, ids, vector)
    both, documents = convex_fusion([shares, best], weights), index.corpus.document_of(ids)
    links = linked(both, documents, [c.title for c in chunks], [c.text for c in chunks])
    asked = terms.known(query.text)
    features = [
        best, best_three, pooled, shares, np.log1p(index.lexical.scores(query.text, ids)),
        _by_rank(ids, dense), _by_rank(ids, lexical),
        np.array([terms.coverage(asked, _lexical_text(chunk)) for chunk in chunks]),
        np.array([terms.coverage(asked, chunk.title) for chunk in chunks]),
        _positions(index.corpus, ids), np.log1p([chunk.num_tokens for chunk in chunks]),
        links, _best_others(both, documents), np.full(len(ids), np.log1p(asked.total())),
        convex_fusion([shares, best, links], [*weights, s.link_weight]),
    ]  # fmt: skip
    return Candidates(
        ids, tuple(chunk.doc_id for chunk in chunks), np.column_stack(features),
        np.array([query.relevant(chunk) for chunk in chunks], dtype=np.bool_), query,
    )  # fmt: skip


def _sentences(corpus: Corpus, ids: Int64Array, vector: Float32Array) -> tuple[Float64Array, Float64Array]:
    ranked = [np.sort(scores)[::-1] for scores in sentence_scores(corpus, ids, vector).values()]
    return np.array([scores[0] for scores in ranked]), np.array([scores[:3].mean() for scores in ranked])


def _by_rank(ids: Int64Array, ranking: Ranking) -> Float64Array:
    ranks = {number: rank for rank, number in enumerate(ranking.ids.tolist(), start=1)}
    return np.array([1 / (1 + np.log(ranks[n])) if n in ranks else 0.0 for n in ids.tolist()])


def _positions(corpus: Corpus, ids: Int64Array) -> Float64Array:
    chunks = corpus.chunk_table[ids]
    lengths = corpus.sentence_table["end"][corpus.document_table["end_sentence"][chunks["doc"]] - 1]
    positions: Float64Array = chunks["start"] / np.maximum(lengths, 1)
    return positions


def _best_others(scores: Float64Array, documents: Int64Array) -> Float64Array:
    best = np.zeros(len(scores))
    for row, document in enumerate(documents):
        others = scores[(documents == document) & (np.arange(len(scores)) != row)]
        best[row] = others.max(initial=0.0)
    return best


def _lexical_text(chunk: Chunk) -> str:
    return "\n".join((chunk.title, *chunk.section, chunk.text))
