"""Serves one side over standard input and output.

`python -m benchmarks.peers.worker SIDE MODEL_FOLDER`.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from tokenizers import Tokenizer

from benchmarks.peers import vectors
from benchmarks.peers.protocol import Packing, Passage, Side, Text, placed, read_texts, write_texts

SIDES: Mapping[str, tuple[str, str]] = {
    "ours": ("benchmarks.peers.ours", "Ours"),
    "ours-whole": ("benchmarks.peers.ours", "OursWhole"),
    "bare": ("benchmarks.peers.ours", "BareEncoder"),
    "llamaindex-semantic": ("benchmarks.peers.llamaindex", "Semantic"),
    "llamaindex-plain": ("benchmarks.peers.llamaindex", "Plain"),
    "llamaindex-hybrid": ("benchmarks.peers.llamaindex", "Hybrid"),
    "langchain-semantic": ("benchmarks.peers.langchain", "Semantic"),
    "langchain-plain": ("benchmarks.peers.langchain", "Plain"),
    "langchain-hybrid": ("benchmarks.peers.langchain", "Hybrid"),
    "haystack": ("benchmarks.peers.haystack", "Dense"),
    "haystack-hybrid": ("benchmarks.peers.haystack", "Hybrid"),
    "txtai": ("benchmarks.peers.txtai", "Dense"),
    "txtai-hybrid": ("benchmarks.peers.txtai", "Hybrid"),
    "chonkie": ("benchmarks.peers.chonkie", "Recursive"),
    "chonkie-semantic": ("benchmarks.peers.chonkie", "Semantic"),
}
"""By name: the module that is imported in the side's own environment, and the class in it."""

_BATCH = 1000

Answer = TypeVar("Answer")


class Desk:
    """Answers requests for one side."""

    def __init__(self, side: Side, model: Path) -> None:
        self._side, self._model = side, model
        self._documents: Path | None = None
        self._texts: dict[str, str] = {}  # by document, read at the first question

    def build(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Timed from the documents' lines to the index; reading them is in it.

        With a folder of vectors those are read from it that another side has made, and the others kept there.
        """
        self._documents, self._texts = Path(request["documents"]), {}
        counted, named = Counted(read_texts(self._documents)), request["vectors"]
        with vectors.shared(self._side.packages, Path(named) if named else None, self._model):
            started = time.perf_counter()
            num_chunks = self._side.build(counted)
            seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "num_documents": counted.number,
            "num_chunks": num_chunks,
            "peak_mib": peak_mib(),
        }

    def embedded(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What went through the model, as documents of a file, and how much of it the model did not see."""
        into, texts = Path(request["into"]), self._side.embedded()
        number = write_texts(into, (Text(str(n), text) for n, text in enumerate(texts)))
        num_tokens, num_cut = cut_tokens((text.text for text in read_texts(into)), self._model)
        return {"num_texts": number, "num_tokens": num_tokens, "num_cut_tokens": num_cut}

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Each query by itself, as a service would get it; spans are looked up when it has been timed."""
        answers, seconds = timed(lambda query: self._side.ask(query, request["k"]), request["queries"])
        return {"seconds": seconds, "answers": [self._told(found) for found in answers]}

    def pack(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Each query by itself, too."""
        side = self._side
        if not isinstance(side, Packing):
            raise LookupError(f"{type(side).__name__} makes no packs; ask it for passages")
        packs, seconds = timed(lambda query: side.pack(query, request["budget"]), request["queries"])
        answers, num_tokens = [self._told(found) for found, _ in packs], [took for _, took in packs]
        return {"seconds": seconds, "answers": answers, "num_tokens": num_tokens}

    def _told(self, passages: Iterable[Passage]) -> list[dict[str, Any]]:
        return [asdict(self._placed(passage)) for passage in passages]

    def _placed(self, passage: Passage) -> Passage:
        if not self._texts and self._documents is not None:
            self._texts = {text.doc_id: text.text for text in read_texts(self._documents)}
        return placed(passage, self._texts[passage.doc_id])


def timed(answer: Callable[[str], Answer], queries: Sequence[str]) -> tuple[list[Answer], list[float]]:
    """What each query gives, and how long it took."""
    answers, seconds = [], []
    for query in queries:
        started = time.perf_counter()
        answers.append(answer(query))
        seconds.append(time.perf_counter() - started)
    return answers, seconds


class Counted:
    """Counts what goes through."""

    def __init__(self, texts: Iterable[Text]) -> None:
        self.number = 0
        self._texts = texts

    def __iter__(self) -> Iterator[Text]:
        for text in self._texts:
            self.number += 1
            yield text


def cut_tokens(texts: Iterable[str], model: Path) -> tuple[int, int]:
    """Tokens of some texts, and how many of them lie past the window of a sentence-transformers model.

    Special tokens are not counted, but take their place in the window.
    """
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    window = json.loads((model / "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"]
    room = window - tokenizer.num_special_tokens_to_add(is_pair=False)
    num_tokens = num_cut = 0
    batch: list[str] = []

    def count() -> None:
        nonlocal num_tokens, num_cut
        lengths = [len(found) for found in tokenizer.encode_batch_fast(batch, add_special_tokens=False)]
        num_tokens += sum(lengths)
        num_cut += sum(max(0, length - room) for length in lengths)
        batch.clear()

    for text in texts:
        batch.append(text)
        if len(batch) == _BATCH:
            count()
    count()
    return num_tokens, num_cut


def peak_mib() -> float:
    """The most memory that this process has had resident, from its own start.

    Not `ru_maxrss` where the kernel tells better: that one is handed on by the process that started this.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = [line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(lines[0][1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Load the side, say so, answer line by line."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    # Libraries print; what they print goes to standard error, and the answers alone where they are read.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(answer: Mapping[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        if name not in SIDES:
            raise LookupError(f"no side {name!r}; choose from {', '.join(SIDES)}")
        module, kind = SIDES[name]
        started = time.perf_counter()
        side = getattr(importlib.import_module(module), kind)(folder)
        loaded = time.perf_counter() - started
        versions = {package: version(package) for package in side.packages}
        tell({"name": name, "load_seconds": loaded, "versions": versions})
        desk = Desk(side, folder)
        for line in sys.stdin:
            request = json.loads(line)
            tell(getattr(desk, request["do"])(request))
    except Exception as error:
        tell({"error": f"{type(error).__name__}: {error}"})
        raise


if __name__ == "__main__":
    main()
