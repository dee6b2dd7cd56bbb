"""A small world of documents, indexed for real with the fake embedder."""

from dataclasses import replace
from pathlib import Path

from contextsvc.assembler import Assembler, RetrievalSettings
from contextsvc.caching import CachedAssembler, CachedEmbedder, CachedMeasurer
from contextsvc.engine import Engine
from contextsvc.indexing import IndexParts
from contextsvc.library import Library
from contextsvc.measurements import TargetKind, Threshold
from contextsvc.measuring import Measurer
from contextsvc.records import Document
from contextsvc.settings import Settings
from contextsvc.steps.structure import PlainBlockParser
from contextsvc.wiring import open_search, write_search
from tests.fakes.cache import MemoryCache
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reader import FakeReader
from tests.fakes.sentence_splitter import FakeSentenceSplitter
from tests.fakes.token_counter import FakeTokenCounter

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

THRESHOLD = Threshold(0.1, 0.05, 0.2, 200, "by hand")


def documents() -> list[Document]:
    """`PAGES` as documents; odd ones are `draft`."""
    return [
        Document(name, text, name.title(), f"pages/{name}.txt", metadata={"draft": number % 2 == 1})
        for number, (name, text) in enumerate(PAGES.items())
    ]


def fake_parts(embedder: FakeEmbedder | None = None) -> IndexParts:
    """Everything real but the model, the splitter and the tokenizer."""
    parser = PlainBlockParser()
    return IndexParts(
        {"plain": parser, "markdown": parser}, FakeSentenceSplitter(), FakeTokenCounter(),
        embedder or FakeEmbedder(), write_search, min_tokens=4, max_tokens=40,
    )  # fmt: skip


RETRIEVAL = RetrievalSettings(
    num_candidates=20, rerank_depth=20, lexical_weight=0.3, dense_weight=0.35, second_stage_weight=0.35,
    score_floor=0.0, near_duplicate_similarity=0.95, diversity_weight=0.0,
)  # fmt: skip


def fake_assembler(embedder: FakeEmbedder | None = None, **changed: float) -> Assembler:
    """An assembler whose packs can be worked out by eye."""
    return Assembler(
        embedder or FakeEmbedder(),
        {"fake": FakeTokenCounter()},
        None,
        replace(RETRIEVAL, **changed),  # type: ignore[arg-type]
    )


def fake_measurer(reader: FakeReader | None = None, num_placebos: int = 2, seed: int = 0) -> Measurer:
    """A measurer with a threshold of 0.1 for both kinds of target."""
    thresholds: dict[TargetKind, Threshold] = {"response": THRESHOLD, "answer": THRESHOLD}
    return Measurer(reader or FakeReader(), thresholds, num_placebos, seed)


def fake_engine(root: Path, cache: MemoryCache | None = None, **changed: object) -> Engine:
    """An engine over the indexes under a root."""
    embedder = FakeEmbedder()
    settings = Settings(root=root, tokenizer="fake", **changed)  # type: ignore[arg-type]
    asking = CachedEmbedder(embedder, cache) if cache is not None else embedder
    return Engine(
        settings,
        Library(root, embedder.fingerprint, open_search),
        CachedAssembler(Assembler(asking, {"fake": FakeTokenCounter()}, None, RETRIEVAL), cache),
        CachedMeasurer(fake_measurer, cache),
    )
