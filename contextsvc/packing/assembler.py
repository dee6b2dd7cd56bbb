"""Query -> ContextPack. `assemble` is the story of a request."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from contextsvc.errors import SettingError
from contextsvc.packing.answerability import LEXICAL, answer_score, knows_cosines_of
from contextsvc.packing.filters import matching
from contextsvc.packing.fusion import best_first, convex_fusion, pool_candidates, share_of_best
from contextsvc.packing.links import DEPTH, linked
from contextsvc.packing.ordering import ordering_named
from contextsvc.packing.selection import Limits, Packed, first_wanted, pack_greedily
from contextsvc.packing.signals import (
    SentenceScores,
    best_sentences,
    chunk_similarity,
    sentence_scores,
    terms_in_context,
)
from contextsvc.packing.trimming import ROOM_FOR, RULE, Scored, trim_to_fit, with_terms
from contextsvc.ports import Embedder, Reranker, TokenCounter
from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Chunk
from contextsvc.records.fingerprints import Fingerprint, digest
from contextsvc.records.packs import Answerability, Candidate, ContextPack, Drop, PackedChunk
from contextsvc.records.rendering import render, unit_tokens
from contextsvc.records.requests import PackRequest
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.corpus.smoothing import SHARE, SIGMA, TERMS_SHARE, TERMS_SIGMA, TITLE_SHARE
from contextsvc.storage.library import LoadedIndex

_SENTENCES = f"sentences in context:{SHARE}:{SIGMA}:{TITLE_SHARE}"
_TERMS = f"terms in context:{TERMS_SHARE}:{TERMS_SIGMA}, links:{DEPTH}"
_ANSWER = f"answer:{LEXICAL}"


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """How candidates are found and scored; the meaning of each is in `settings.Settings`."""

    num_candidates: int
    rerank_depth: int
    lexical_weight: float
    semantic_weight: float
    link_weight: float
    score_floor: float
    near_duplicate_similarity: float
    diversity_weight: float
    answerable: float


@dataclass(frozen=True, slots=True)
class Assembler:
    """Makes packs.

    Attributes:
        counters: Token counters by the name that requests use.
        reranker: Second stage; None: the similarity of the best sentence in its context.
        index_counter: Fingerprint of the counter that indexes are built with; other sizes are counted anew.
    """

    embedder: Embedder
    counters: Mapping[str, TokenCounter]
    reranker: Reranker | None
    settings: RetrievalSettings
    index_counter: Fingerprint

    def configuration(self, request: PackRequest) -> str:
        """A digest of all that shapes a pack besides request and generation.

        How chunks are trimmed is in it where they are: another rule leaves ids of whole packs as they are.
        """
        reranker = str(self.reranker.fingerprint) if self.reranker else _SENTENCES
        encodings = sorted(str(counter.fingerprint) for counter in self.counters.values())
        trimming = [RULE] if request.trim else []
        return digest(str(self.embedder.fingerprint), reranker, _TERMS, _ANSWER, repr(self.settings),
                      *encodings, *trimming)  # fmt: skip

    def count(self, tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
        """Counts tokens in a named encoding.

        Raises:
            SettingError: unknown tokenizer.
        """
        return counter_named(self.counters, tokenizer).count

    def assemble(
        self, index: LoadedIndex, request: PackRequest, mark: Callable[[str], None] = lambda _: None
    ) -> ContextPack:
        """The best chunks for the query that fit the budget, rendered.

        `mark` is called with a stage's name when the stage is done, for whoever keeps time.

        Raises:
            BudgetTooSmall: there are candidates, but not one fits.
            SettingError: unknown tokenizer or ordering.
            InvalidRequest: the filter is malformed.
        """
        counter = counter_named(self.counters, request.tokenizer)
        order = ordering_named(request.ordering)
        allowed = _allowed(index, request.filters)
        query = self.embedder.embed_queries([request.query])
        mark("embed")
        found, sentences = self._retrieve(index, request, query, allowed)
        mark("retrieve")
        answer = self._answer(index, request.query, query[0], found, sentences)
        floor = self.settings.score_floor * found[0].score if found else 0.0
        candidates, left_out = _keep_strong(found, floor)
        if request.answerable_only and not answer.answerable:
            candidates, left_out = [], [*_unanswering(candidates, answer), *left_out]
        vectors = index.corpus.chunk_vectors[_numbers(candidates)].astype(np.float32)
        count, limits = counter.count, self._limits(request, floor)
        wanted = order(first_wanted(candidates, vectors, _with_room(limits))) if request.trim else ()
        if wanted and count([render([c.chunk for c in wanted])])[0] > limits.budget_tokens:
            scores = sentences or sentence_scores(index.corpus, _numbers(candidates), query[0])
            scored = with_terms(request.query, _sentences(index.corpus, candidates, scores))
            candidates = trim_to_fit(scored, wanted, limits.budget_tokens, count)
            mark("trim")
        sizes = self._sizes(candidates, counter)
        packed = pack_greedily(candidates, vectors, sizes, limits, order, lambda text: count([text])[0])
        shares = unit_tokens(packed.units, packed.num_tokens, count)
        pack = self._pack(index, request, packed, shares, left_out, answer)
        mark("pack")
        return pack

    def _retrieve(
        self, index: LoadedIndex, request: PackRequest, query: Float32Array, allowed: BoolArray | None
    ) -> tuple[list[Candidate], SentenceScores]:
        """Both searches, fused; the best of them scored again by the second stage, then by their links.

        With the scores of their sentences, where these were the second stage.
        """
        s, text = self.settings, request.query
        dense = index.vectors.search(query, s.num_candidates, allowed, request.exact)[0]
        lexical = index.lexical.search([text], s.num_candidates, allowed)[0]
        ids = pool_candidates([dense, lexical])
        terms = share_of_best(terms_in_context(index, ids, text))
        weights = [s.lexical_weight, s.semantic_weight]
        first = convex_fusion([terms, chunk_similarity(index.corpus, ids, query[0])], weights)
        rows = best_first(first, ids)[: s.rerank_depth]
        ids, terms = ids[rows], terms[rows]
        chunks = [index.corpus.chunk(number) for number in ids.tolist()]
        second, sentences = self._second_stage(index, text, query[0], ids, chunks)
        links = linked(
            convex_fusion([terms, second], weights), index.corpus.document_of(ids),
            [chunk.title for chunk in chunks], [chunk.text for chunk in chunks],
        )  # fmt: skip
        signals = {"lexical": terms, "semantic": second, "links": links}
        scores = convex_fusion(list(signals.values()), [*weights, s.link_weight])
        return _ranked(ids, chunks, scores, signals), sentences

    def _second_stage(
        self, index: LoadedIndex, text: str, query: Float32Array, ids: Int64Array, chunks: Sequence[Chunk]
    ) -> tuple[Float64Array, SentenceScores]:
        if self.reranker is not None:
            return self.reranker.score(text, [chunk.text for chunk in chunks]).astype(np.float64), {}
        sentences = sentence_scores(index.corpus, ids, query)
        return best_sentences(sentences, ids), sentences

    def _answer(
        self,
        index: LoadedIndex,
        text: str,
        query: Float32Array,
        found: list[Candidate],
        known: SentenceScores,
    ) -> Answerability:
        ids, similarity = _numbers(found), None
        if knows_cosines_of(self.embedder.fingerprint):
            similarity = best_sentences(known or sentence_scores(index.corpus, ids, query), ids)
        score = answer_score(index.lexical.coverage(text, ids), similarity)
        return Answerability(score, self.settings.answerable)

    def _sizes(self, candidates: Sequence[Candidate], counter: TokenCounter) -> list[int]:
        # A chunk knows its tokens: as the index counts, or, of a trimmed one, as this counter does.
        if counter.fingerprint == self.index_counter:
            return [candidate.chunk.num_tokens for candidate in candidates]
        return counter.count([candidate.chunk.text for candidate in candidates])

    def _limits(self, request: PackRequest, floor: float) -> Limits:
        s = self.settings
        return Limits(
            request.budget_tokens, request.max_chunks, s.near_duplicate_similarity, s.diversity_weight, floor
        )

    def _pack(
        self,
        index: LoadedIndex,
        request: PackRequest,
        packed: Packed,
        shares: list[int],
        left_out: list[Drop],
        answer: Answerability,
    ) -> ContextPack:
        chunks = tuple(PackedChunk(c, n) for c, n in zip(packed.kept, shares, strict=True))
        return ContextPack(
            request.query, index.name, index.generation, self.configuration(request), chunks,
            (*packed.drops, *left_out), packed.text, packed.num_tokens, request.budget_tokens,
            request.tokenizer, request.ordering, request.exact, request.trim, answer,
        )  # fmt: skip


def counter_named(counters: Mapping[str, TokenCounter], name: str) -> TokenCounter:
    """The counter of that name.

    Raises:
        SettingError: there is none; the message lists those there are.
    """
    try:
        return counters[name]
    except KeyError:
        known = ", ".join(sorted(counters))
        raise SettingError(f"unknown tokenizer {name!r}; choose from {known}") from None


def _keep_strong(found: list[Candidate], floor: float) -> tuple[list[Candidate], list[Drop]]:
    # A best candidate of 0 shares nothing with the query: a share of it would let everything pass.
    strong = [c for c in found if c.score >= floor and c.score > 0]
    weak = [Drop.of(c, "low_score", f"below {floor:.3f}") for c in found[len(strong) :]]
    return strong, weak


def _allowed(index: LoadedIndex, filters: str) -> BoolArray | None:
    if not filters:
        return None
    columns = index.corpus.columns
    documents = np.zeros(index.corpus.num_documents, dtype=np.bool_)
    documents[columns.owners[matching(json.loads(filters), columns)]] = True
    allowed: BoolArray = documents[index.corpus.documents_of_chunks]
    return allowed


def _ranked(
    ids: Int64Array, chunks: Sequence[Chunk], scores: Float64Array, signals: Mapping[str, Float64Array]
) -> list[Candidate]:
    return [
        Candidate(
            int(ids[row]), chunks[row], float(scores[row]), rank,
            {name: float(signal[row]) for name, signal in signals.items()},
        )
        for rank, row in enumerate(best_first(scores, ids), start=1)
    ]  # fmt: skip


def _sentences(corpus: Corpus, candidates: list[Candidate], scores: SentenceScores) -> list[Scored]:
    return [Scored(c, corpus.sentence_spans(c.number), scores[c.number]) for c in candidates]


def _unanswering(candidates: list[Candidate], answer: Answerability) -> list[Drop]:
    said = f"answer score {answer.score:.3f}, {answer.threshold:g} asked"
    return [Drop.of(candidate, "not_answerable", said) for candidate in candidates]


def _with_room(limits: Limits) -> Limits:
    """For what trimming is to make room for."""
    return replace(limits, max_chunks=min(limits.max_chunks, ROOM_FOR))


def _numbers(candidates: list[Candidate]) -> Int64Array:
    return np.array([candidate.number for candidate in candidates], dtype=np.int64)
