"""How fast an index is built and in how much memory: `python -m benchmarks.build [versions|peers|chunks]`.

- `versions`: all nine versions of `etcd_docs`, where most sentences occur in several.
- `peers`: version 3.5 alone, beside LlamaIndex and LangChain where `make peers` has made their environment.
- `chunks`: 100,000 chunks of text drawn from SciFact; `--chunks` for fewer, to try it with `--dry`.

Every side runs in a process of its own, which says its own peak of memory; loading the model is not timed.
Ours is held against the bare encoder: the same distinct sentences through the same embedder, sorted by length
over all of them, into memory and nothing else. Builds and encoder take turns; of `--repeats` the median is
kept. Each of the three writes its own rows, so that one can be made again alone.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers.protocol import Text, write_texts
from benchmarks.peers.running import Running, peers_python
from benchmarks.rows import Row, dataset, fingerprint, show, write
from benchmarks.switches import add_switches, runs_asked, spelled
from benchmarks.synthetic import texts, worth
from contextsvc import assets
from contextsvc.settings import Settings
from contextsvc.wiring import read_sources

COMMAND = "python -m benchmarks.build"
PEERS = ("llamaindex-semantic", "llamaindex-plain", "langchain-semantic", "langchain-plain")
FLOAT32 = {"CONTEXTSVC_PRECISION": "float32"}
CHUNKS = 100_000
CHARS_A_CHUNK = 490
"""Of SciFact's text, rounded up from what builds gave; `num_chunks` in the details is the true number."""


@dataclass
class Measured:
    """What one side did, a figure a repeat; `embedded` is what it said of its texts at the last."""

    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    built: dict[str, Any] = field(default_factory=dict)
    embedded: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def documents_per_second(self) -> float:
        """By the median."""
        return int(self.built["num_documents"]) / median(self.seconds)

    @property
    def tokens_per_second(self) -> float:
        """Tokens of the texts that it embedded, as the model counts them, by the median."""
        return int(self.embedded["num_tokens"]) / median(self.seconds)

    @property
    def share_cut(self) -> float:
        """Of the tokens of what it embedded, the share past the model's window."""
        return int(self.embedded["num_cut_tokens"]) / max(1, int(self.embedded["num_tokens"]))

    @property
    def details(self) -> dict[str, Any]:
        """What a row keeps beside its figure."""
        known = {key: self.built[key] for key in ("num_documents", "num_chunks")}
        return {**known, **self.embedded, "seconds": self.seconds, "versions": self.versions}


@dataclass(frozen=True)
class Bench:
    """Where the model and the texts are.

    Attributes:
        model: Folder of the embedding model, one for all sides.
        documents: A file of them, as `protocol` says.
        place: Where sides write what they embedded.
    """

    model: Path
    documents: Path
    place: Path

    def run(self, name: str, into: Measured, documents: Path, environment: Mapping[str, str] = {}) -> Path:
        """Build once; the file of what was embedded."""
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
        """Ours, and the encoder on the distinct sentences that ours found, in turn."""
        ours, bare = Measured(), Measured()
        for _ in range(repeats):
            sentences = self.run("ours", ours, self.documents, environment)
            self.run("bare", bare, sentences, environment)
        return ours, bare


def share_of_speed(ours: Measured, bare: Measured) -> float:
    """Seconds of the encoder alone over those of the whole build, the median of the turns."""
    pairs = zip(bare.seconds, ours.seconds, strict=True)
    return median(alone / whole for alone, whole in pairs)


def own_figures(ours: Measured, bare: Measured) -> dict[str, float]:
    """What a build of ours is judged by."""
    return {
        "seconds to build": median(ours.seconds),
        "peak memory, MiB": max(ours.peaks),
        "documents/s": ours.documents_per_second,
        "tokens/s of distinct sentences, end to end": ours.tokens_per_second,
        "tokens/s of the bare encoder on the same sentences": bare.tokens_per_second,
        "share of the bare encoder's speed": share_of_speed(ours, bare),
        "peak memory of the bare encoder, MiB": max(bare.peaks),
        "share of tokens cut by the model's window": ours.share_cut,
    }


def peer_figures(name: str, peer: Measured, ours: Measured) -> dict[str, float]:
    """What a peer did, and how many times as fast ours was."""
    return {
        f"{name}: documents/s": peer.documents_per_second,
        f"{name}: peak memory, MiB": max(peer.peaks),
        f"{name}: share of tokens cut by the model's window": peer.share_cut,
        f"{name}: times as fast as that is ours": ours.documents_per_second / peer.documents_per_second,
    }


def versions(bench: Callable[[Iterable[Text]], Bench], asked: argparse.Namespace) -> None:
    """All versions of the manual."""
    pages = dataset("etcd_docs", "content")
    ours, bare = bench(texts_of(pages)).against_the_encoder(asked.repeats)
    keep("build", own_figures(ours, bare), ours, fingerprint(pages), asked, "versions")


def peers(bench: Callable[[Iterable[Text]], Bench], asked: argparse.Namespace) -> None:
    """One version, side by side; each peer once, for it takes minutes and is far from the rest."""
    pages = dataset("etcd_docs", "content", "en", "docs", "v3.5")
    place = bench(texts_of(pages))
    ours, bare = place.against_the_encoder(asked.repeats)
    figures = own_figures(ours, bare)
    plain, plain_bare = place.against_the_encoder(asked.repeats, FLOAT32)
    figures["documents/s in float32, as the peers compute"] = plain.documents_per_second
    figures["share of the bare encoder's speed, both in float32"] = share_of_speed(plain, plain_bare)
    versions = {**ours.versions}
    if peers_python() is None:
        print("the peers are left out, for they have no environment; make it: make peers")
    for name in PEERS if peers_python() else ():
        peer = Measured()
        place.run(name, peer, place.documents)
        figures |= peer_figures(name, peer, ours)
        versions |= peer.versions
    ours.versions = versions
    keep("build_peers", figures, ours, fingerprint(pages), asked, "peers")


def chunks(bench: Callable[[Iterable[Text]], Bench], asked: argparse.Namespace) -> None:
    """A large index; once, unless told otherwise."""
    abstracts = dataset("scifact", "corpus.jsonl")
    drawn = worth(texts(abstracts), asked.chunks * CHARS_A_CHUNK)
    ours, bare = bench(drawn).against_the_encoder(asked.repeats)
    keep("build_chunks", own_figures(ours, bare), ours, fingerprint(abstracts), asked, "chunks")


RUNS = {"versions": versions, "peers": peers, "chunks": chunks}


def texts_of(folder: Path) -> Iterable[Text]:
    """The documents of a folder, read as the command line reads them; those without text are left out."""
    for document in read_sources(Settings.from_env(), [str(folder)], lambda *_: None):
        if document.text.strip():
            yield Text(document.doc_id, document.text, document.title, document.format)


def keep(
    name: str, figures: Mapping[str, float], ours: Measured, data: str, asked: argparse.Namespace, run: str
) -> None:
    """As rows."""
    settings = {"repeats": asked.repeats, "embedder": Settings.from_env().embedder}
    sizes = {"chunks": asked.chunks} if run == "chunks" and asked.chunks != CHUNKS else {}
    command = f"{COMMAND} {run}" + spelled({**sizes, "repeats": asked.repeats})
    number = ours.built["num_documents"]
    rows = [
        Row(name, figure, value, None, number, data, settings, 0, command, ours.details)
        for figure, value in figures.items()
    ]
    (show if asked.dry else write)(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is asked for; everything, unless it is said."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", metavar="versions|peers|chunks")
    parser.add_argument("--repeats", type=int)
    add_switches(parser, chunks=CHUNKS)
    asked = parser.parse_args(argv)
    settings = Settings.from_env()
    model = assets.locate(settings.home, settings.embedder)
    for run in runs_asked(parser, asked.runs, RUNS):
        chosen = argparse.Namespace(**vars(asked))
        chosen.repeats = asked.repeats or (1 if run == "chunks" else 3)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)

            def bench(texts: Iterable[Text], folder: Path = folder) -> Bench:
                write_texts(folder / "documents.jsonl", texts)
                return Bench(model, folder / "documents.jsonl", folder)

            RUNS[run](bench, chosen)


if __name__ == "__main__":
    main()
