"""Assembly of a context pack for a query. `Assembler.assemble` shows all steps of a request in order."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from contextsvc.errors import UnknownChoice
from contextsvc.packing.answerability import (
    COVERAGE_WEIGHT,
    FULL_TERMS,
    SMALL_THRESHOLD,
    THRESHOLD,
    answer_score,
    similarity_counts,
    threshold_of,
)
from contextsvc.packing.filters import matching_rows
from contextsvc.packing.fusion import best_first, convex_fusion, pool_candidates, share_of_best
from contextsvc.packing.links import DEPTH, link_scores
from contextsvc.packing.ordering import Ordering, ordering_named
from contextsvc.packing.selection import PackLimits, Selection, pack_greedily, select_ignoring_budget
from contextsvc.packing.signals import (
    SentenceScores,
    best_sentence_scores,
    chunk_similarity,
    sentence_scores,
    term_scores_in_context,
)
from contextsvc.packing.trimming import MAX_FITTED_CHUNKS, RULE, ScoredSentences, add_term_scores, trim_to_fit
from contextsvc.ports import Embedder, Reranker, TokenCounter
from contextsvc.ports.search import SHORT_FORM
from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Chunk
from contextsvc.records.fingerprints import Fingerprint, digest
from contextsvc.records.packs import Answerability, Candidate, ContextPack, Drop, PackedChunk
from contextsvc.records.rendering import render, unit_tokens
from contextsvc.records.requests import PackRequest
from contextsvc.storage.corpus.smoothing import SHARE, SIGMA, TERMS_SHARE, TERMS_SIGMA, TITLE_SHARE
from contextsvc.storage.library import LoadedIndex, SearchableCorpus

_SENTENCES = f"sentences in context:{SHARE}:{SIGMA}:{TITLE_SHARE}"
_TERMS = f"terms in context:{TERMS_SHARE}:{TERMS_SIGMA}, links:{DEPTH}"
_ANSWER = f"answer:{COVERAGE_WEIGHT}:{FULL_TERMS}:{SHORT_FORM}:{THRESHOLD}:{SMALL_THRESHOLD}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """Settings of search and scoring. `settings.Settings` explains each.

    Ids of packs depend on the text of this record, its `repr` (`Assembler.configuration`).
    """

    num_candidates: int
    rerank_depth: int
    lexical_weight: float
    semantic_weight: float
    link_weight: float
    score_floor: float
    near_duplicate_similarity: float
    diversity_weight: float
    answerable: float | None


class Query(NamedTuple):
    """The text of a query and its vector, (dim,)."""

    text: str
    vector: Float32Array


@dataclass(frozen=True, slots=True)
class Assembler:
    """A maker of context packs.

    Attributes:
        embedder: Model that makes the vectors of queries.
        counters: Token counters, by the names that requests use.
        reranker: Model that scores the candidates in the second stage. None: the second stage scores a
            candidate by the similarity of its best sentence in context.
        settings: Settings of search and scoring.
        index_counter: Fingerprint of the token counter that indexes are built with. If a request uses another
            counter, the tokens of chunks are counted again.
    """

    embedder: Embedder
    counters: Mapping[str, TokenCounter]
    reranker: Reranker | None
    settings: RetrievalSettings
    index_counter: Fingerprint

    def configuration(self, request: PackRequest) -> str:
        """Return a digest of everything that shapes a pack, apart from the request and the generation.

        A generation is one published version of an index. The trimming rule is part of the digest only if the
        request allows trimming. So a change of the rule leaves the ids of packs without trimming as they are.
        """
        reranker = str(self.reranker.fingerprint) if self.reranker else _SENTENCES
        encodings = sorted(str(counter.fingerprint) for counter in self.counters.values())
        trimming = [RULE] if request.trim else []
        scoring = [str(self.embedder.fingerprint), reranker, _TERMS, _ANSWER, repr(self.settings)]
        return digest(*scoring, *encodings, *trimming)

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Return the function that counts the tokens of texts in the encoding of this name.

        Raises:
            UnknownChoice: there is no tokenizer of this name.
        """
        return counter_named(self.counters, tokenizer).count

    def assemble(
        self, index: LoadedIndex, request: PackRequest, mark: Callable[[str], None] = lambda _: None
    ) -> ContextPack:
        """Find the best chunks for a query, and render a pack of those that fit the budget.

        If the request allows it, chunks that do not fit are trimmed. `mark` is called with the name of each
        stage when the stage ends, for callers that measure time.

        Raises:
            BudgetTooSmall: there are candidates, but not one fits.
            UnknownChoice: there is no tokenizer or ordering of the requested name.
            InvalidRequest: the filter is malformed, or it compares a field that no document has.
        """
        counter = counter_named(self.counters, request.tokenizer)
        order = ordering_named(request.ordering)
        documents = _allowed_documents(index, request.filters)
        allowed = None if documents is None else documents[index.corpus.documents_of_chunks]
        query = Query(request.query, self.embedder.embed_queries([request.query])[0])
        mark("embed")
        found, sentences = self._retrieve(index, query, allowed, request.exact)
        mark("retrieve")
        answer = self._answerability(index, query, found, sentences)
        floor = self.settings.score_floor * found[0].score if found else 0.0
        candidates, drops = _drop_weak(found, floor)
        if request.answerable_only and not answer.answerable:
            candidates, drops = [], [*_not_answerable(candidates, answer), *drops]
        vectors = index.corpus.chunk_vectors[_numbers(candidates)].astype(np.float32)
        limits = self._limits(request, floor)
        if request.trim:
            preferred = _preferred(candidates, vectors, limits, order)
            if _num_tokens(preferred, counter) > limits.budget_tokens:
                scored = _scored_sentences(index, query, candidates, sentences)
                candidates = trim_to_fit(scored, preferred, limits.budget_tokens, counter.count)
                mark("trim")
        sizes = self._sizes(candidates, counter)
        selection = pack_greedily(
            candidates, vectors, sizes, limits, order, lambda text: counter.count([text])[0]
        )
        pack = self._pack(index, request, selection, counter, drops, answer)
        if documents is not None:
            pack = replace(pack, num_documents=int(documents.sum()))
        mark("pack")
        return pack

    def _retrieve(
        self, index: LoadedIndex, query: Query, allowed: BoolArray | None, exact: bool
    ) -> tuple[list[Candidate], SentenceScores]:
        """Search by vectors and by words, and score the chunks found.

        The signals of both searches are fused. The best chunks are then scored again by the second stage and
        by links.

        Returns:
            The candidates, best first, and the scores of their sentences. Without a reranker the second stage
            computes these scores; with a reranker there are none.
        """
        s = self.settings
        weights = [s.lexical_weight, s.semantic_weight]
        ids, terms = find_candidates(index, query, s, allowed, exact)
        chunks = [index.corpus.chunk(number) for number in ids.tolist()]
        semantic, sentences = self._second_stage(index, query, ids, chunks)
        links = link_scores(
            scores=convex_fusion([terms, semantic], weights),
            documents=index.corpus.document_of(ids),
            titles=[chunk.title for chunk in chunks],
            texts=[chunk.text for chunk in chunks],
        )
        signals = {"lexical": terms, "semantic": semantic, "links": links}
        scores = convex_fusion(list(signals.values()), [*weights, s.link_weight])
        return _ranked(ids, chunks, scores, signals), sentences

    def _second_stage(
        self, index: LoadedIndex, query: Query, ids: Int64Array, chunks: Sequence[Chunk]
    ) -> tuple[Float64Array, SentenceScores]:
        """Score the chunks with the reranker, or by their best sentences if there is no reranker.

        Returns:
            (n,) scores of the chunks, and the scores of their sentences (empty with a reranker).
        """
        if self.reranker is not None:
            texts = [chunk.text for chunk in chunks]
            return self.reranker.score(query.text, texts).astype(np.float64), {}
        sentences = sentence_scores(index.corpus, ids, query.vector)
        return best_sentence_scores(sentences, ids), sentences

    def _answerability(
        self, index: LoadedIndex, query: Query, found: Sequence[Candidate], sentences: SentenceScores
    ) -> Answerability:
        calibration = index.answer_calibration
        counts = similarity_counts(self.embedder.fingerprint, calibration)
        score = score_answer(index, query, _numbers(found), sentences, counts)
        return Answerability(score, threshold_of(calibration, self.settings.answerable)[0])

    def _limits(self, request: PackRequest, floor: float) -> PackLimits:
        return PackLimits(
            budget_tokens=request.budget_tokens,
            max_chunks=request.max_chunks,
            near_duplicate_similarity=self.settings.near_duplicate_similarity,
            diversity_weight=self.settings.diversity_weight,
            least_gain=floor,
        )

    def _sizes(self, candidates: Sequence[Candidate], counter: TokenCounter) -> list[int]:
        # The index's counter has counted `num_tokens` of whole chunks, `counter` that of trimmed chunks.
        if counter.fingerprint == self.index_counter:
            return [candidate.chunk.num_tokens for candidate in candidates]
        return counter.count([candidate.chunk.text for candidate in candidates])

    def _pack(
        self,
        index: LoadedIndex,
        request: PackRequest,
        selection: Selection,
        counter: TokenCounter,
        drops: Sequence[Drop],
        answer: Answerability,
    ) -> ContextPack:
        shares = unit_tokens(selection.units, selection.num_tokens, counter.count)
        return ContextPack(
            query=request.query,
            index=index.name,
            generation=index.generation,
            configuration=self.configuration(request),
            chunks=tuple(PackedChunk(c, n) for c, n in zip(selection.kept, shares, strict=True)),
            drops=(*selection.drops, *drops),
            text=selection.text,
            num_tokens=selection.num_tokens,
            budget_tokens=request.budget_tokens,
            tokenizer=request.tokenizer,
            ordering=request.ordering,
            exact=request.exact,
            trim=request.trim,
            answer=answer,
        )


def find_candidates(
    index: SearchableCorpus,
    query: Query,
    settings: RetrievalSettings,
    allowed: BoolArray | None = None,
    exact: bool = False,
) -> tuple[Int64Array, Float64Array]:
    """Search by vectors and by words, and return the best chunks of both searches.

    Args:
        index: The corpus and its searches.
        query: The query.
        settings: Numbers and weights of the candidates.
        allowed: For each chunk, whether the search may find it: (num_chunks,). None allows all chunks.
        exact: Whether to compare the query with every vector.

    Returns:
        (n,) numbers of the chunks, best first, and (n,) their term scores as shares of the best one.
    """
    weights = [settings.lexical_weight, settings.semantic_weight]
    dense = index.vectors.search(query.vector[None], settings.num_candidates, allowed, exact)[0]
    lexical = index.lexical.search([query.text], settings.num_candidates, allowed)[0]
    ids = pool_candidates([dense, lexical])
    terms = share_of_best(term_scores_in_context(index, ids, query.text))
    first = convex_fusion([terms, chunk_similarity(index.corpus, ids, query.vector)], weights)
    rows = best_first(first, ids)[: settings.rerank_depth]
    return ids[rows], terms[rows]


def score_answer(
    index: SearchableCorpus,
    query: Query,
    ids: Int64Array,
    sentences: SentenceScores,
    similarity_counts: bool = True,
) -> float:
    """Compute the answer score of a query from the chunks that were found (`answerability.answer_score`).

    Args:
        index: The corpus and its searches.
        query: The query.
        ids: Numbers of the chunks.
        sentences: Scores of their sentences; if empty, they are computed.
        similarity_counts: Whether similarity counts. If not, only coverage does.
    """
    coverage = index.lexical.coverage(query.text, ids)
    similarity = None
    if similarity_counts:
        scores = sentences or sentence_scores(index.corpus, ids, query.vector)
        similarity = best_sentence_scores(scores, ids)
    return answer_score(coverage, similarity, index.lexical.num_terms(query.text))


def counter_named(counters: Mapping[str, TokenCounter], name: str) -> TokenCounter:
    """Return the token counter of that name.

    Raises:
        UnknownChoice: there is no such counter. The message lists all names.
    """
    try:
        return counters[name]
    except KeyError:
        raise UnknownChoice("tokenizer", name, counters) from None


def _allowed_documents(index: LoadedIndex, filters: str) -> BoolArray | None:
    """Return which documents the filter allows: (num_documents,), or None without a filter.

    A chunk is allowed if the filter holds for its document or for one of the document's aliases (left-out
    duplicates).
    """
    if not filters:
        return None
    columns = index.corpus.columns
    documents = np.zeros(index.corpus.num_documents, dtype=np.bool_)
    documents[columns.owners[matching_rows(json.loads(filters), columns)]] = True
    return documents


def _ranked(
    ids: Int64Array, chunks: Sequence[Chunk], scores: Float64Array, signals: Mapping[str, Float64Array]
) -> list[Candidate]:
    return [
        Candidate(
            number=int(ids[row]),
            chunk=chunks[row],
            score=float(scores[row]),
            rank=rank,
            signals={name: float(signal[row]) for name, signal in signals.items()},
        )
        for rank, row in enumerate(best_first(scores, ids), start=1)
    ]


def _drop_weak(found: Sequence[Candidate], floor: float) -> tuple[list[Candidate], list[Drop]]:
    """Return the candidates whose score reaches the floor, and a receipt for each of the other candidates."""
    # If the best score is 0, no chunk has anything in common with the query, but all would reach the floor 0.
    strong = [c for c in found if c.score >= floor and c.score > 0]
    weak = [Drop.of(c, "low_score", f"below {floor:.3f}") for c in found[len(strong) :]]
    return strong, weak


def _not_answerable(candidates: Sequence[Candidate], answer: Answerability) -> list[Drop]:
    detail = f"answer score {answer.score:.3f}, {answer.threshold:g} asked"
    return [Drop.of(candidate, "not_answerable", detail) for candidate in candidates]


def _preferred(
    candidates: Sequence[Candidate], vectors: Float32Array, limits: PackLimits, order: Ordering
) -> list[Candidate]:
    """Return the best candidates, which trimming must make fit together, in the order of the pack."""
    fitted = replace(limits, max_chunks=min(limits.max_chunks, MAX_FITTED_CHUNKS))
    return order(select_ignoring_budget(candidates, vectors, fitted))


def _num_tokens(candidates: Sequence[Candidate], counter: TokenCounter) -> int:
    """Count the tokens of a pack of these candidates."""
    (num_tokens,) = counter.count([render([candidate.chunk for candidate in candidates])])
    return num_tokens


def _scored_sentences(
    index: LoadedIndex, query: Query, candidates: Sequence[Candidate], sentences: SentenceScores
) -> list[ScoredSentences]:
    """Return the candidates with the scores of their sentences, by similarity and by the query's words."""
    scores = sentences or sentence_scores(index.corpus, _numbers(candidates), query.vector)
    found = [ScoredSentences(c, index.corpus.sentence_spans(c.number), scores[c.number]) for c in candidates]
    return add_term_scores(query.text, found)


def _numbers(candidates: Sequence[Candidate]) -> Int64Array:
    return np.array([candidate.number for candidate in candidates], dtype=np.int64)
