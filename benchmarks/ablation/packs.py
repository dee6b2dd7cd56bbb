"""Packs of labelled data sets, indexed and retrieved as the service does it, with whole paragraphs."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from benchmarks import indexes
from benchmarks.rows import dataset, fingerprint
from benchmarks.squad import FILE, Question, load_articles, sample
from benchmarks.switches import Asked
from contextsvc import assets
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.records import Target, Utilization
from contextsvc.records.documents import Document
from contextsvc.records.packs import Candidate, ContextPack, PackedChunk
from contextsvc.records.rendering import render_units, unit_tokens
from contextsvc.service.engine import Engine
from contextsvc.storage.library import LoadedIndex
from contextsvc.wiring import build_measurer

NUM_CHUNKS, BUDGET = 6, 4_000
SIDES = {"sides": ("ours", "context-cite")}
LEAST_TOKENS, MOST_TOKENS = 512, 1_024
"""Tokens of a chunk. Paragraphs of these data sets are shorter, so they stay whole."""

Sizes = TypedDict("Sizes", {"articles": int, "chunks": int, "tokens": int})  # noqa: UP013
SIZES: Sizes = {"articles": 12, "chunks": NUM_CHUNKS, "tokens": MOST_TOKENS}
"""Switches for smaller packs: indexed articles, chunks of a pack, most tokens of a chunk."""

Cite = Callable[[Sequence[str], str, str, int, str], list[float]]
"""(pieces, query, response, number of masks, separator) -> attribution of each piece."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question, its pack, and which of the pack's chunks hold the answer."""

    question: Question
    pack: ContextPack
    gold: tuple[bool, ...]

    @property
    def target(self) -> Target:
        """The gold answer as the response."""
        return Target(self.question.answer, "response")


def squad(
    asked: Asked, num_drawn: int, seed: int, first: int = 12
) -> tuple[str, list[Document], list[Question]]:
    """Fingerprint of SQuAD, the paragraphs of `--articles` articles from `first` on, and drawn questions.

    Articles 0 to 12 chose prompt, outcome, masks and effect; 12 to 24 report.
    """
    documents, questions = load_articles(first, first + asked["articles"])
    return fingerprint(dataset(*FILE)), documents, sample(questions, num_drawn, seed)


def sized(sizes: Asked) -> dict[str, int]:
    """Settings that the switches `--chunks` (of a pack) and `--tokens` (of a chunk) change."""
    most = sizes["tokens"]
    least = min(LEAST_TOKENS, most)
    return {"max_chunks": sizes["chunks"], "chunk_min_tokens": least, "chunk_max_tokens": most}


def indexed(
    name: str, documents: Iterable[Document], **changed: Any
) -> AbstractContextManager[tuple[Engine, LoadedIndex]]:
    """An engine whose packs are six whole paragraphs, with nothing dropped; see `indexes.indexed`."""
    usual = {
        "chunk_min_tokens": LEAST_TOKENS, "chunk_max_tokens": MOST_TOKENS, "max_chunks": NUM_CHUNKS,
        "score_floor": 0.0, "diversity_weight": 0.0, "trim": False,
        # No time limit: results must not depend on how busy the machine is.
        "measure_max_seconds": 86_400.0,
    }  # fmt: skip
    return indexes.indexed(name, documents, **{**usual, **changed})


def measurer_of(engine: Engine, **changed: Any) -> Measurer:
    """Measurer with the engine's settings, some of them changed."""
    return build_measurer(replace(engine.settings, **changed))


def measured(
    measurer: Measurer, label: str, index: LoadedIndex, packs: Sequence[Labelled]
) -> list[Utilization]:
    """Utilization of each pack, with the gold answer as the response."""
    found = []
    for number, labelled in enumerate(packs, start=1):
        found.append(measurer.measure(index, labelled.pack, labelled.target))
        progress(f"{label}: {number}/{len(packs)} packs measured")
    return found


def peer_of(engine: Engine) -> Cite | None:
    """ContextCite's package on the engine's reader; None, with a printed line, if it is not installed."""
    try:
        from benchmarks.ablation.peers import attributions_of
    except ModuleNotFoundError as error:
        if error.name != "context_cite":
            raise
        print("skipped: context-cite is not installed; pip install 'contextsvc[peers]'")
        return None
    return attributions_of(assets.locate(engine.settings.home, engine.settings.reader))


def pack_for(engine: Engine, index: LoadedIndex, query: str) -> ContextPack:
    """The pack that the service makes for a query."""
    pack, _ = engine.assembler.assemble(index, engine.request(index.name, query, BUDGET))
    return pack


def labelled_packs(
    engine: Engine, index: LoadedIndex, questions: Sequence[Question], size: int
) -> list[Labelled]:
    """The first `size` questions whose gold document is in their pack, in the order given."""
    found: list[Labelled] = []
    for question in questions:
        pack = pack_for(engine, index, question.text)
        gold = tuple(packed.candidate.chunk.doc_id == question.doc_id for packed in pack.chunks)
        if any(gold) and len(pack.chunks) > 1:
            found.append(Labelled(question, pack, gold))
        if len(found) == size:
            break
    return found


def pack_of(engine: Engine, index: LoadedIndex, query: str, documents: Sequence[Document]) -> ContextPack:
    """A pack of all chunks of these documents, in order, as a caller's own retrieval might send it."""
    places = {entry.doc_id: number for number, entry in enumerate(index.corpus.entries)}
    numbers = [chunk for document in documents for chunk in index.corpus.chunks_of(places[document.doc_id])]
    return packed(engine, index, query, numbers)


def packed(engine: Engine, index: LoadedIndex, query: str, numbers: Sequence[int]) -> ContextPack:
    """A pack of these chunks, in order."""
    chunks = [index.corpus.chunk(number) for number in numbers]
    units = render_units(chunks)
    text, count = "".join(units), engine.assembler.count(engine.settings.tokenizer)
    (num_tokens,) = count([text])
    tokens = unit_tokens(units, num_tokens, count)
    return ContextPack(
        query=query,
        index=index.name,
        generation=index.generation,
        configuration="benchmark",
        chunks=tuple(
            PackedChunk(Candidate(number, chunk, 1.0, rank), count)
            for rank, (number, chunk, count) in enumerate(zip(numbers, chunks, tokens, strict=True), start=1)
        ),
        drops=(),
        text=text,
        num_tokens=num_tokens,
        budget_tokens=num_tokens,
        tokenizer=engine.settings.tokenizer,
        ordering="document",
    )


def progress(text: str) -> None:
    """Replace the line of progress on standard error."""
    print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
