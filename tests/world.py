"""A small world of documents, indexed for real with the fake embedder."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from contextsvc.adapters.text.plain_text import PlainBlockParser
from contextsvc.indexing.build import IndexParts, build_index
from contextsvc.measuring.measurer import Measurer
from contextsvc.measuring.records import Calibration, Target, TargetKind
from contextsvc.packing.assembler import Assembler, RetrievalSettings
from contextsvc.ports import NO_LIMITS, JobQueue, Reader
from contextsvc.records.documents import Document
from contextsvc.records.packs import Candidate, ContextPack, PackedChunk
from contextsvc.records.rendering import render_units, unit_tokens
from contextsvc.service.caching import CachedAssembler, CachedEmbedder, CachedMeasurer
from contextsvc.service.engine import Engine
from contextsvc.service.publishing import Publisher
from contextsvc.settings import Settings
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search, write_search
from tests.fakes.cache import MemoryCache
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.fit import least_squares
from tests.fakes.reader import FakeReader
from tests.fakes.sentence_splitter import FakeSentenceSplitter
from tests.fakes.token_counter import FakeTokenCounter

DEFAULTS = Settings()

PAGES: dict[str, str] = {
    "backup": "Take a snapshot of the cluster every night. A snapshot holds all keys.",
    "restore": "Restore the cluster from a snapshot file. The restore needs a new token.",
    "copy": "Take a snapshot of the cluster every night. A snapshot holds all keys.",
    "apples": "Apples ripen in autumn. Pick apples when they are red and firm.",
    "pears": "Pears ripen after picking. Store pears in a cool dark cellar.",
    "stars": "Stars shine at night. The brightest star near us burns hydrogen.",
    "rivers": "Rivers carry water toward oceans. Long rivers cross several lands.",
    "bread": "Bread rises with yeast. Bake bread until its crust turns brown.",
}
"""Two alike, one near them, five about other things."""

QUERY = "snapshot of the cluster"
BACKUP_ONLY = Target("every night", "response")
"""Stands in "backup" and its copy alone; only one of them comes into an assembled pack."""

NOWHERE = Target("zebras", "response")
LONG = 60.0
"""Seconds that no test waits unless it fails."""


def documents() -> list[Document]:
    """`PAGES` as documents; odd ones are `draft`."""
    return [
        Document(
            name, text, title=name.title(), source=f"pages/{name}.txt", metadata={"draft": number % 2 == 1}
        )
        for number, (name, text) in enumerate(PAGES.items())
    ]


def fake_parts(embedder: FakeEmbedder | None = None) -> IndexParts:
    """Everything real but the model, the splitter and the tokenizer."""
    parser = PlainBlockParser()
    return IndexParts(
        parsers={"plain": parser, "markdown": parser},
        splitter=FakeSentenceSplitter(),
        counter=FakeTokenCounter(),
        embedder=embedder or FakeEmbedder(),
        write_search=partial(write_search, settings=DEFAULTS),
        open_search=open_search,
        min_tokens=4,
        max_tokens=40,
    )


def open_pages(root: Path) -> LoadedIndex:
    """`PAGES` indexed under a root, open: for fixtures that many examples share."""
    build_index(root, "pages", documents(), fake_parts())
    return Library(root, FakeEmbedder().fingerprint, open_search).get("pages")


RETRIEVAL = RetrievalSettings(
    num_candidates=20, rerank_depth=20, lexical_weight=0.35, semantic_weight=0.65, window_weight=0.0,
    link_weight=0.2,
    score_floor=0.0, near_duplicate_similarity=0.95, diversity_weight=0.0, answerable=0.5,
)  # fmt: skip


def fake_assembler(embedder: FakeEmbedder | None = None, **changed: float | None) -> Assembler:
    """An assembler whose packs can be worked out by eye."""
    return Assembler(
        embedder or FakeEmbedder(),
        {"fake": FakeTokenCounter()},
        None,
        replace(RETRIEVAL, **changed),  # type: ignore[arg-type]
    )


def fake_pack(index: LoadedIndex, *names: str, query: str = QUERY) -> ContextPack:
    """A pack of the first chunks of these documents, in this order, duplicates and all."""
    number_of = {index.corpus.chunk(n).doc_id: n for n in reversed(range(index.corpus.num_chunks))}
    candidates = [
        Candidate(number_of[name], index.corpus.chunk(number_of[name]), 1.0, rank)
        for rank, name in enumerate(names, start=1)
    ]
    units = render_units([candidate.chunk for candidate in candidates])
    text, count = "".join(units), FakeTokenCounter().count
    (num_tokens,) = count([text])
    tokens = unit_tokens(units, num_tokens, count)
    chunks = tuple(PackedChunk(candidate, n) for candidate, n in zip(candidates, tokens, strict=True))
    return ContextPack(
        query=query,
        index=index.name,
        generation=index.generation,
        configuration="by hand",
        chunks=chunks,
        drops=(),
        text=text,
        num_tokens=num_tokens,
        budget_tokens=1000,
        tokenizer="fake",
        ordering="relevance",
    )


def calibrations(
    measurer: Measurer, placebo_effects: Sequence[float] = (0.1,) * 200
) -> tuple[Calibration, ...]:
    """For a measurer's reader and method, one a kind of target; all placebos alike give that threshold."""
    kinds: tuple[TargetKind, ...] = ("response", "answer")
    return tuple(
        Calibration(
            reader=measurer.reader.fingerprint,
            method=measurer.method,
            target_kind=kind,
            origin="by hand",
            placebo_effects=tuple(placebo_effects),
        )
        for kind in kinds
    )


def fake_measurer(
    reader: Reader | None = None, num_placebos: int = 2, seed: int = 0, **changed: object
) -> Measurer:
    """A measurer whose effects are exact, with a packaged threshold of 0.1 for both kinds of target."""
    bare = Measurer(
        reader=reader or FakeReader(),
        fit=least_squares,
        packaged=(),
        num_placebos=num_placebos,
        num_subsets=4,
        near_duplicate_similarity=0.95,
        limits=NO_LIMITS,
        seed=seed,
    )
    made = replace(bare, **changed)  # type: ignore[arg-type]
    return made if "packaged" in changed else replace(made, packaged=calibrations(made))


def fake_engine(
    root: Path,
    cache: MemoryCache | None = None,
    jobs: JobQueue | None = None,
    measurer: Measurer | None = None,
    **changed: object,
) -> Engine:
    """An engine over the indexes under a root."""
    embedder = FakeEmbedder()
    settings = Settings(root=root, tokenizer="fake", **changed)  # type: ignore[arg-type]
    asking = CachedEmbedder(embedder, cache) if cache is not None else embedder
    library = Library(root, embedder.fingerprint, open_search, settings.damaged_index == "fallback")
    return Engine(
        settings,
        library,
        CachedAssembler(replace(fake_assembler(), embedder=asking), cache),
        CachedMeasurer(lambda: measurer or fake_measurer(), cache),
        jobs,
        publisher=Publisher(library, fake_parts, settings.keep_generations),
    )
