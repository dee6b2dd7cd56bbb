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
    score_answer,
    similarity_counts,
    threshold_of,
)
from contextsvc.packing.filters import matching_rows
from contextsvc.packing.fusion import best_first, convex_fusion, pool_candidates, share_of_best
from contextsvc.packing.links import DEPTH, link_scores
from contextsvc.packing.ordering import ordering_named
from contextsvc.packing.passages import Maker, Passages, longest_that_fits
from contextsvc.packing.selection import Novelty, select
from contextsvc.packing.signals import (
    best_similarity,
    chunk_similarity,
    found_sentences,
    term_scores_in_context,
    window_coverage,
)
from contextsvc.packing.units import (
    LEAST_SHARE,
    RULE,
    Sentences,
    Unit,
    ordered_units,
    passage_of,
    whole_chunks,
)
from contextsvc.ports import Embedder, Reranker, TokenCounter
from contextsvc.ports.search import SHORT_FORM
from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Chunk
from contextsvc.records.fingerprints import digest
from contextsvc.records.packs import Answerability, Candidate, ContextPack, Drop, PackedChunk, Part
from contextsvc.records.rendering import RENDERING, unit_tokens
from contextsvc.records.requests import PackRequest
from contextsvc.storage.corpus.excerpts import Excerpts
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
    window_weight: float
    link_weight: float
    score_floor: float
    near_duplicate_similarity: float
    diversity_weight: float
    answerable: float | None


class Query(NamedTuple):
    """The text of a query and its vector, (dim,)."""

    text: str
    vector: Float32Array


class Found(NamedTuple):
    """Candidates, best first, and the sentences of their chunks."""

    candidates: Sequence[Candidate]
    sentences: Sentences

    @property
    def best_score(self) -> float:
        """Score of the best candidate; 0 without candidates."""
        return self.candidates[0].score if self.candidates else 0.0


@dataclass(frozen=True, slots=True)
class Assembler:
    """A maker of context packs.

    Attributes:
        embedder: Model that makes the vectors of queries.
        counters: Token counters, by the names that requests use.
        reranker: Model that scores the candidates in the second stage. None: the second stage scores a
            candidate by the similarity of its best sentence in context.
        settings: Settings of search and scoring.
    """

    embedder: Embedder
    counters: Mapping[str, TokenCounter]
    reranker: Reranker | None
    settings: RetrievalSettings

    def configuration(self, request: PackRequest) -> str:
        """Return a digest of everything that shapes a pack, apart from the request and the generation.

        A generation is one published version of an index. The order of units is part of the digest only if
        the request asks for units. So a change of the order leaves the ids of packs of whole chunks as they
        are.
        """
        reranker = str(self.reranker.fingerprint) if self.reranker else _SENTENCES
        encodings = sorted(str(counter.fingerprint) for counter in self.counters.values())
        units = [RULE] if request.trim else []
        scoring = [str(self.embedder.fingerprint), reranker, _TERMS, _ANSWER, RENDERING, repr(self.settings)]
        return digest(*scoring, *encodings, *units)

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Return the function that counts the tokens of texts in the encoding of this name.

        Raises:
            UnknownChoice: there is no tokenizer of this name.
        """
        return counter_named(self.counters, tokenizer).count

    def assemble(
        self, index: LoadedIndex, request: PackRequest, mark: Callable[[str], None] = lambda _: None
    ) -> ContextPack:
        """Find the chunks for a query, and render a pack of the best of their units that fit the budget.

        `mark` is called with the name of each stage when the stage ends, for callers that measure time.

        Raises:
            BudgetTooSmall: there are candidates, but the best unit does not fit.
            UnknownChoice: there is no tokenizer or ordering of the requested name.
            InvalidRequest: the filter is malformed, or it compares a field that no document has.
        """
        counter = counter_named(self.counters, request.tokenizer)
        order = ordering_named(request.ordering)
        documents = allowed_documents(index, request.filters)
        allowed = None if documents is None else documents[index.corpus.documents_of_chunks]
        query = Query(request.query, self.embedder.embed_queries([request.query])[0])
        mark("embed")
        found = self.retrieve(index, query, allowed, request.exact)
        mark("retrieve")
        answer = self._answerability(index, query, found)
        floor = self.settings.score_floor * found.best_score
        strong, weak = _drop_weak(found.candidates, floor)
        if request.answerable_only and not answer.answerable:
            strong, weak = [], [*_not_answerable(strong, answer), *weak]
        selected, repeated = self._select(index, strong, floor)
        units = _units(selected, found.sentences, request)
        maker = Maker(Excerpts(index.corpus).excerpt, order, counter.count)
        passages, num_units = longest_that_fits(units, request.budget_tokens, maker)
        mark("select")
        left_out = _left_out(selected, units, num_units, request)
        drops = (*sorted([*repeated, *left_out], key=lambda drop: drop.rank), *weak)
        pack = self._pack(index, request, passages, counter, drops, answer)
        if documents is not None:
            pack = replace(pack, num_documents=int(documents.sum()))
        mark("pack")
        return pack

    def retrieve(self, index: LoadedIndex, query: Query, allowed: BoolArray | None, exact: bool) -> Found:
        """Search by vectors and by words, and score the chunks found.

        The signals of both searches are fused. The best chunks are then scored again by the second stage, by
        the terms that stand near each other, and by links.
        """
        s = self.settings
        weights = [s.lexical_weight, s.semantic_weight]
        ids, terms = find_candidates(index, query, s, allowed, exact)
        chunks = [index.corpus.chunk(number) for number in ids.tolist()]
        sentences = found_sentences(index, ids, chunks, query.text, query.vector)
        semantic = self._second_stage(query, chunks, sentences)
        links = link_scores(
            scores=convex_fusion([terms, semantic], weights),
            documents=index.corpus.document_of(ids),
            titles=[chunk.title for chunk in chunks],
            texts=[chunk.text for chunk in chunks],
        )
        windows = window_coverage(sentences)
        signals = {"lexical": terms, "semantic": semantic, "window": windows, "links": links}
        scores = convex_fusion(list(signals.values()), [*weights, s.window_weight, s.link_weight])
        return Found(_ranked(ids, chunks, scores, signals), sentences)

    def _second_stage(self, query: Query, chunks: Sequence[Chunk], sentences: Sentences) -> Float64Array:
        """Score the chunks with the reranker, or by their best sentences if there is no reranker: (n,)."""
        if self.reranker is not None:
            return self.reranker.score(query.text, [chunk.text for chunk in chunks]).astype(np.float64)
        return best_similarity(sentences)

    def _answerability(self, index: LoadedIndex, query: Query, found: Found) -> Answerability:
        calibration, ids = index.answer_calibration, found.sentences.chunks
        counts = similarity_counts(self.embedder.fingerprint, calibration)
        similarity = best_similarity(found.sentences) if counts else None
        score = score_answer(index.lexical, query.text, ids, similarity)
        return Answerability(score, threshold_of(calibration, self.settings.answerable)[0])

    def _select(
        self, index: LoadedIndex, candidates: Sequence[Candidate], floor: float
    ) -> tuple[list[Candidate], list[Drop]]:
        s = self.settings
        vectors = index.corpus.chunk_vectors[_numbers(candidates)].astype(np.float32)
        return select(candidates, vectors, Novelty(s.near_duplicate_similarity, s.diversity_weight, floor))

    def _pack(
        self,
        index: LoadedIndex,
        request: PackRequest,
        passages: Passages,
        counter: TokenCounter,
        drops: Sequence[Drop],
        answer: Answerability,
    ) -> ContextPack:
        shares = unit_tokens(passages.texts, passages.num_tokens, counter.count)
        sizes = counter.count([candidate.chunk.text for candidate in passages.candidates])
        candidates = [
            replace(candidate, chunk=replace(candidate.chunk, num_tokens=size))
            for candidate, size in zip(passages.candidates, sizes, strict=True)
        ]
        return ContextPack(
            query=request.query,
            index=index.name,
            generation=index.generation,
            configuration=self.configuration(request),
            chunks=tuple(
                PackedChunk(candidate, share, _parts(index, units))
                for candidate, share, units in zip(candidates, shares, passages.units, strict=True)
            ),
            drops=tuple(drops),
            text=passages.text,
            num_tokens=passages.num_tokens,
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


def counter_named(counters: Mapping[str, TokenCounter], name: str) -> TokenCounter:
    """Return the token counter of that name.

    Raises:
        UnknownChoice: there is no such counter. The message lists all names.
    """
    try:
        return counters[name]
    except KeyError:
        raise UnknownChoice("tokenizer", name, counters) from None


def allowed_documents(index: LoadedIndex, filters: str) -> BoolArray | None:
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


def _parts(index: LoadedIndex, units: Sequence[Unit]) -> tuple[Part, ...]:
    """Return the parts that some units are, in the order of the text."""
    corpus = index.corpus
    parts = [
        Part(
            start=int(corpus.sentence_table["start"][unit.sentences[0]]),
            end=int(corpus.sentence_table["end"][unit.sentences[-1]]),
            gain=unit.gain,
            lift=unit.lift,
        )
        for unit in units
    ]
    return tuple(sorted(parts, key=lambda part: part.start))


def _units(selected: Sequence[Candidate], sentences: Sentences, request: PackRequest) -> list[Unit]:
    """Return the units that the pack may take, in order; more of them than the budget holds."""
    if not request.trim:
        return whole_chunks(selected, sentences, request.max_chunks)
    # Tokens of units are those of the index's encoding, and another one may need fewer.
    return ordered_units(selected, sentences, request.max_chunks, 3 * request.budget_tokens)


def _left_out(
    selected: Sequence[Candidate], units: Sequence[Unit], num_units: int, request: PackRequest
) -> list[Drop]:
    """Return a receipt for each selected chunk of which no unit is in the pack.

    Args:
        selected: The selected candidates.
        units: The units that the pack could take, in order.
        num_units: Number of units that fit.
        request: The request.
    """
    packed = {unit.candidate.number for unit in units[:num_units]}
    passages = {unit.passage for unit in units[:num_units]}
    full = len(passages) == request.max_chunks
    drops = []
    for candidate in selected:
        if candidate.number in packed:
            continue
        if full and passage_of(candidate) not in passages:
            drops.append(Drop.of(candidate, "max_chunks", f"the pack holds {request.max_chunks}"))
        elif num_units == len(units):
            drops.append(Drop.of(candidate, "no_gain", f"no part has {LEAST_SHARE:g} of the first gain"))
        else:
            drops.append(Drop.of(candidate, "over_budget", f"better parts fill {request.budget_tokens}"))
    return drops


def _numbers(candidates: Sequence[Candidate]) -> Int64Array:
    return np.array([candidate.number for candidate in candidates], dtype=np.int64)
