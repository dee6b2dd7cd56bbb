"""Real packs of labelled sets: documents indexed and retrieved as the service does it, paragraphs whole."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.squad import Question
from benchmarks.switches import Asked
from contextsvc import assets
from contextsvc.indexing.build import build_index
from contextsvc.measuring.measurer import Measurer
from contextsvc.records.documents import Document
from contextsvc.records.packs import Candidate, ContextPack, PackedChunk
from contextsvc.records.rendering import render_units, unit_tokens
from contextsvc.service.engine import Engine
from contextsvc.settings import Settings
from contextsvc.storage.library import LoadedIndex
from contextsvc.wiring import build_engine, build_index_parts, build_measurer

NUM_CHUNKS, BUDGET = 6, 4_000
SIDES = {"sides": ("ours", "context-cite")}
LEAST_TOKENS, MOST_TOKENS = 512, 1_024
"""Of a chunk: a paragraph of these sets is shorter, so it stays whole."""

SIZES = {"chunks": NUM_CHUNKS, "tokens": MOST_TOKENS}
"""Switches for smaller packs: chunks in one, and most tokens of a chunk."""

Cite = Callable[[Sequence[str], str, str, int, str], list[float]]
"""(pieces, query, response, number of masks, separator) -> what is attributed to each piece."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question with its pack, and which of its chunks hold the answer."""

    question: Question
    pack: ContextPack
    gold: tuple[bool, ...]


def sized(sizes: Asked) -> dict[str, int]:
    """The settings that a command line's `SIZES` change."""
    most = sizes["tokens"]
    return {
        "max_chunks": sizes["chunks"],
        "chunk_min_tokens": min(LEAST_TOKENS, most),
        "chunk_max_tokens": most,
    }


def settings_in(folder: Path, **changed: object) -> Settings:
    """Whole paragraphs, six of them, nothing dropped; no cache, so that every measurement is one."""
    whole = {"chunk_min_tokens": LEAST_TOKENS, "chunk_max_tokens": MOST_TOKENS, "max_chunks": NUM_CHUNKS}
    # Without a limit of time: what is found must not depend on how busy the machine is.
    kept = {
        "score_floor": 0.0,
        "diversity_weight": 0.0,
        "cache": False,
        "trim": False,
        "measure_max_seconds": 86_400.0,
    }
    return replace(Settings.from_env(), root=folder, **{**whole, **kept, **changed})  # type: ignore[arg-type]


@contextmanager
def indexed(
    name: str, documents: Iterable[Document], **changed: object
) -> Iterator[tuple[Engine, LoadedIndex]]:
    """An engine over an index of these documents, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder), **changed)
        build_index(settings.root, name, documents, build_index_parts(settings))
        engine = build_engine(settings)
        yield engine, engine.library.get(name)


def measurer_of(engine: Engine, **changed: object) -> Measurer:
    """The measurer of the engine's settings with some changed."""
    return build_measurer(replace(engine.settings, **changed))  # type: ignore[arg-type]


def peer_of(engine: Engine) -> Cite | None:
    """ContextCite's package on the engine's reader; None, said in one line, where it is not installed."""
    try:
        from benchmarks.ablation.peers import Peer
    except ModuleNotFoundError as error:
        if error.name != "context_cite":
            raise
        print("skipped: context-cite is not installed; pip install 'contextsvc[peers]'")
        return None
    return Peer(assets.locate(engine.settings.home, engine.settings.reader)).attributions


def labelled_packs(
    engine: Engine, index: LoadedIndex, questions: Sequence[Question], size: int
) -> list[Labelled]:
    """The first `size` questions whose gold document is in their pack, in the order given."""
    found: list[Labelled] = []
    for question in questions:
        request = engine.request(index.name, question.text, BUDGET)
        pack, _ = engine.assembler.assemble(index, request)
        gold = tuple(packed.candidate.chunk.doc_id == question.doc_id for packed in pack.chunks)
        if any(gold) and len(pack.chunks) > 1:
            found.append(Labelled(question, pack, gold))
        if len(found) == size:
            break
    return found


def pack_of(engine: Engine, index: LoadedIndex, query: str, documents: Sequence[Document]) -> ContextPack:
    """A pack of the whole of these documents, in order: what a caller's own retrieval might send."""
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
