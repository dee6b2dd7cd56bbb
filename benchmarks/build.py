"""Speed and memory of building an index: `python -m benchmarks.build [versions|peers|chunks]`.

- `versions`: all nine versions of `etcd_docs`, which share most sentences.
- `peers`: version 3.5 alone, beside LlamaIndex and LangChain if `make peers` has made their environment.
- `chunks`: 100,000 chunks of text drawn from SciFact; `--chunks` for fewer, to try it with `--dry`.

Each side runs in a process of its own, which reports its peak memory; the time to load the model is not
counted. Ours is compared with the bare encoder: the same distinct sentences through the same embedder, sorted
by length, into memory and nothing else. Builds and encoder take turns; the median of `--repeats` counts, by
default of 3, of `chunks` 1. Each run writes its own rows.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers.protocol import Text, write_texts
from benchmarks.peers.running import Running, can_run
from benchmarks.rows import Row, Sheet, dataset, fingerprint
from benchmarks.switches import Asked, asked_for, spelled
from benchmarks.synthetic import texts, worth
from contextsvc import assets
from contextsvc.settings import Settings
from contextsvc.wiring import read_sources

COMMAND = "python -m benchmarks.build"
PEERS = ("llamaindex-semantic", "llamaindex-plain", "langchain-semantic", "langchain-plain")
FLOAT32 = {"CONTEXTSVC_PRECISION": "float32"}
CHUNKS = 100_000
CHARS_A_CHUNK = 490
"""Characters of SciFact's text a chunk, rounded up; `num_chunks` in the details is the true number."""


@dataclass
class Measured:
    """Measurements of one side, one value a repeat; `built` and `embedded` are answers of the last one."""

    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    built: dict[str, Any] = field(default_factory=dict)
    embedded: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def per_second(self, number: int) -> float:
        """A number over the median of the seconds."""
        return number / median(self.seconds)

    @property
    def documents_per_second(self) -> float:
        """Documents over the median of the seconds."""
        return self.per_second(self.built["num_documents"])

    @property
    def share_cut(self) -> float:
        """Share of the embedded tokens that lie past the model's window."""
        return int(self.embedded["num_cut_tokens"]) / max(1, int(self.embedded["num_tokens"]))

    @property
    def details(self) -> dict[str, Any]:
        """Details of a row."""
        known = {key: self.built[key] for key in ("num_documents", "num_chunks")}
        return {**known, **self.embedded, "seconds": self.seconds, "versions": self.versions}


@dataclass(frozen=True)
class Bench:
    """Model folder, file of documents (see `protocol`), and folder for embedded texts."""

    model: Path
    documents: Path
    place: Path

    def run(self, name: str, into: Measured, documents: Path, environment: Mapping[str, str] = {}) -> Path:
        """Build once; returns the file of embedded texts."""
        texts = self.place / f"embedded-{name}.jsonl"
        with Running(name, self.model, environment) as side:
            into.built = side.build(documents)
            into.seconds.append(into.built["seconds"])
            into.peaks.append(into.built["peak_mib"])
            into.embedded = side.embedded(texts)
            into.versions = side.about["versions"]
        print(f"{name}: {into.seconds[-1]:.1f} s, peak {into.peaks[-1]:.0f} MiB", flush=True)
        return texts

    def against_the_encoder(
        self, repeats: int, environment: Mapping[str, str] = {}
    ) -> tuple[Measured, Measured]:
        """Ours, and the encoder on the distinct sentences that ours found, in turns."""
        ours, bare = Measured(), Measured()
        for _ in range(repeats):
            sentences = self.run("ours", ours, self.documents, environment)
            self.run("bare", bare, sentences, environment)
        return ours, bare


def share_of_speed(ours: Measured, bare: Measured) -> float:
    """Median over the turns of the encoder's seconds over those of the whole build."""
    pairs = zip(bare.seconds, ours.seconds, strict=True)
    return median(alone / whole for alone, whole in pairs)


def own_figures(ours: Measured, bare: Measured) -> dict[str, float]:
    """Figures of a build of ours."""
    return {
        "seconds to build": median(ours.seconds),
        "peak memory, MiB": max(ours.peaks),
        "documents/s": ours.documents_per_second,
        "tokens/s of distinct sentences, end to end": ours.per_second(ours.embedded["num_tokens"]),
        "tokens/s of the bare encoder on the same sentences": bare.per_second(bare.embedded["num_tokens"]),
        "share of the bare encoder's speed": share_of_speed(ours, bare),
        "peak memory of the bare encoder, MiB": max(bare.peaks),
        "share of tokens cut by the model's window": ours.share_cut,
    }


def peer_figures(name: str, peer: Measured, ours: Measured) -> dict[str, float]:
    """Figures of a peer, and how many times as fast ours was."""
    return {
        f"{name}: documents/s": peer.documents_per_second,
        f"{name}: peak memory, MiB": max(peer.peaks),
        f"{name}: share of tokens cut by the model's window": peer.share_cut,
        f"{name}: times as fast as that is ours": ours.documents_per_second / peer.documents_per_second,
    }


Make = Callable[[Iterable[Text]], Bench]
Found = tuple[str, dict[str, float], Measured]
"""Fingerprint of the data, figures, and measurements of ours."""


def versions(bench: Make, repeats: int, _: Asked) -> Found:
    """All versions of the manual."""
    pages = dataset("etcd_docs", "content")
    ours, bare = bench(texts_of(pages)).against_the_encoder(repeats)
    return fingerprint(pages), own_figures(ours, bare), ours


def peers(bench: Make, repeats: int, _: Asked) -> Found:
    """One version, side by side; a peer builds once, because it takes minutes."""
    pages = dataset("etcd_docs", "content", "en", "docs", "v3.5")
    place = bench(texts_of(pages))
    ours, bare = place.against_the_encoder(repeats)
    figures = own_figures(ours, bare)
    plain, plain_bare = place.against_the_encoder(repeats, FLOAT32)
    figures["documents/s in float32, as the peers compute"] = plain.documents_per_second
    figures["share of the bare encoder's speed, both in float32"] = share_of_speed(plain, plain_bare)
    for name in filter(can_run, PEERS):
        peer = Measured()
        place.run(name, peer, place.documents)
        figures |= peer_figures(name, peer, ours)
        ours.versions = ours.versions | peer.versions
    return fingerprint(pages), figures, ours


def chunks(bench: Make, repeats: int, asked: Asked) -> Found:
    """A large index."""
    abstracts = dataset("scifact", "corpus.jsonl")
    drawn = worth(texts(abstracts), asked["chunks"] * CHARS_A_CHUNK)
    ours, bare = bench(drawn).against_the_encoder(repeats)
    return fingerprint(abstracts), own_figures(ours, bare), ours


RUNS = {"versions": versions, "peers": peers, "chunks": chunks}


def texts_of(folder: Path) -> Iterable[Text]:
    """Documents of a folder that have text, read as the command line reads them."""
    for document in read_sources(Settings.from_env(), [str(folder)], lambda *_: None):
        if document.text.strip():
            yield Text(document.doc_id, document.text, document.title, document.format)


def measured(run: str, asked: Asked, model: Path, embedder: str) -> list[Row]:
    """Rows of a run."""
    repeats = asked["repeats"] or (1 if run == "chunks" else 3)
    with tempfile.TemporaryDirectory() as place:

        def bench(texts: Iterable[Text]) -> Bench:
            documents = Path(place) / "documents.jsonl"
            write_texts(documents, texts)
            return Bench(model, documents, Path(place))

        data, figures, ours = RUNS[run](bench, repeats, asked)
    command = asked.command(run, only=["chunks"] if run == "chunks" else []) + spelled({"repeats": repeats})
    benchmark = "build" if run == "versions" else f"build_{run}"
    sheet = Sheet(benchmark, data, 0, command, {"repeats": repeats, "embedder": embedder})
    number = ours.built["num_documents"]
    return [sheet.row(figure, value, number, details=ours.details) for figure, value in figures.items()]


def main(argv: Sequence[str] | None = None) -> None:
    """Run what the command line names."""
    asked = asked_for(COMMAND, __doc__, argv, runs=tuple(RUNS), chunks=CHUNKS, repeats=0)
    settings = Settings.from_env()
    for run in asked.runs:
        asked.keep(measured(run, asked, assets.locate(settings.home, settings.embedder), settings.embedder))


if __name__ == "__main__":
    main()
