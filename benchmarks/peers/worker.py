"""Serves one side over standard input and output: `python -m benchmarks.peers.worker SIDE MODEL_FOLDER`."""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import count, islice
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
    "llamaindex-merging": ("benchmarks.peers.llamaindex", "Merging"),
    "llamaindex-window": ("benchmarks.peers.llamaindex", "Window"),
    "langchain-semantic": ("benchmarks.peers.langchain", "Semantic"),
    "langchain-plain": ("benchmarks.peers.langchain", "Plain"),
    "langchain-hybrid": ("benchmarks.peers.langchain", "Hybrid"),
    "langchain-parents": ("benchmarks.peers.langchain", "Parents"),
    "haystack": ("benchmarks.peers.haystack", "Dense"),
    "haystack-hybrid": ("benchmarks.peers.haystack", "Hybrid"),
    "haystack-merging": ("benchmarks.peers.haystack", "Merging"),
    "haystack-window": ("benchmarks.peers.haystack", "Window"),
    "txtai": ("benchmarks.peers.txtai", "Dense"),
    "txtai-hybrid": ("benchmarks.peers.txtai", "Hybrid"),
    "chonkie": ("benchmarks.peers.chonkie", "Recursive"),
    "chonkie-semantic": ("benchmarks.peers.chonkie", "Semantic"),
}
"""Module, imported in the side's own environment, and class in it, by name."""

_BATCH = 1000

Answer = TypeVar("Answer")


class Desk:
    """Answers requests for one side."""

    def __init__(self, side: Side, model: Path) -> None:
        self._side, self._model = side, model
        self._documents: Path | None = None
        self._texts: dict[str, str] = {}  # by document, read at the first question

    def build(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Build the index; the time includes reading the documents.

        With a folder of vectors, known ones are read from it and new ones stored in it.
        """
        self._documents, self._texts = Path(request["documents"]), {}
        numbers, named = count(), request["vectors"]
        # `zip` takes a text first, so the next number is that of the texts read.
        texts = (text for text, _ in zip(read_texts(self._documents), numbers, strict=False))
        with vectors.shared(self._side.packages, Path(named) if named else None, self._model):
            started = time.perf_counter()
            num_chunks = self._side.build(texts)
            seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "num_documents": next(numbers),
            "num_chunks": num_chunks,
            "peak_mib": peak_mib(),
        }

    def embedded(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Write the texts that went through the model into a file; count their tokens and those cut off."""
        into, texts = Path(request["into"]), self._side.embedded()
        number = write_texts(into, (Text(str(n), text) for n, text in enumerate(texts)))
        num_tokens, num_cut = cut_tokens((text.text for text in read_texts(into)), self._model)
        return {"num_texts": number, "num_tokens": num_tokens, "num_cut_tokens": num_cut}

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer queries one by one, as a service would; spans are looked up after the timing."""
        answers, seconds = timed(lambda query: self._side.ask(query, request["k"]), request["queries"])
        return {"seconds": seconds, "answers": [self._told(found) for found in answers]}

    def pack(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make packs for queries one by one."""
        side = self._side
        if not isinstance(side, Packing):
            raise LookupError(f"{type(side).__name__} makes no packs; ask it for passages")
        packs, seconds = timed(lambda query: side.pack(query, request["budget"]), request["queries"])
        answers, num_tokens = [self._told(found) for found, _ in packs], [took for _, took in packs]
        return {"seconds": seconds, "answers": answers, "num_tokens": num_tokens}

    def _told(self, passages: Iterable[Passage]) -> list[dict[str, Any]]:
        if not self._texts and self._documents is not None:
            self._texts = {text.doc_id: text.text for text in read_texts(self._documents)}
        return [asdict(placed(passage, self._texts[passage.doc_id])) for passage in passages]


def timed(answer: Callable[[str], Answer], queries: Sequence[str]) -> tuple[list[Answer], list[float]]:
    """Answers and seconds of queries."""
    answers, seconds = [], []
    for query in queries:
        started = time.perf_counter()
        answers.append(answer(query))
        seconds.append(time.perf_counter() - started)
    return answers, seconds


def cut_tokens(texts: Iterable[str], model: Path) -> tuple[int, int]:
    """Number of tokens, and number of those past the window of a sentence-transformers model.

    Special tokens are not counted, but take room in the window.
    """
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    window = json.loads((model / "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"]
    room = window - tokenizer.num_special_tokens_to_add(is_pair=False)
    num_tokens, num_cut, left = 0, 0, iter(texts)
    while batch := list(islice(left, _BATCH)):
        lengths = [len(found) for found in tokenizer.encode_batch_fast(batch, add_special_tokens=False)]
        num_tokens += sum(lengths)
        num_cut += sum(max(0, length - room) for length in lengths)
    return num_tokens, num_cut


def peak_mib() -> float:
    """Peak resident memory of this process, on Linux."""
    # Not `ru_maxrss`, which includes the memory of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Load the side, report it, answer requests line by line."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    # Libraries print to standard output; move that to standard error, so that only answers are read.
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
