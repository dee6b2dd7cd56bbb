"""Packs of a side at each budget: its own, or its best passages packed in their order."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.chunking.metrics import Place
from benchmarks.packs.collections import Collection, Excerpt, PackQuestion
from benchmarks.packs.evidence import Pack
from benchmarks.packs.locating import Given, Locator
from benchmarks.peers.asking import NUM_PASSAGES, given, kept
from benchmarks.peers.protocol import Passage
from benchmarks.peers.running import BARE, PACKING, Running
from benchmarks.peers.worker import SIDES
from contextsvc.indexing.sentences import Split
from contextsvc.records.documents import Document

ORACLE = "oracle"
ALL_SIDES = (*SIDES, ORACLE)

Packs = Mapping[int, Sequence[Pack]]
"""One pack a question, by budget."""

SEPARATOR = "\n\n"
MARGIN_TOKENS = 16
"""More than the tokens that the seam of two parts can save; a text further past the budget is not tried."""

_PARAGRAPH = re.compile(r"[^\n]*\S[^\n]*")


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks sides for packs.

    Attributes:
        budgets: Budgets in tokens.
        count: Counts the tokens of a text.
        split: Finds the sentences of a text.
        model: Folder of the embedding model.
        keep: Folder of stored answers.
        told: Gets lines of progress.
    """

    budgets: Sequence[int]
    count: Callable[[str], int]
    split: Split
    model: Path
    keep: Path
    told: Callable[[str], None]

    def packs(self, side: str, collection: Collection, questions: Sequence[PackQuestion]) -> Packs:
        """Packs of a side; those of `ORACLE` are the upper bound."""
        if side == ORACLE:
            return {budget: [best_pack(q, budget, self.count) for q in questions] for budget in self.budgets}
        if side in PACKING:
            return self._own(side, collection, questions)
        return self._ranked(side, collection, questions)

    def _own(self, side: str, collection: Collection, questions: Sequence[PackQuestion]) -> Packs:
        texts = [one.text for one in texts_for(collection, side)]
        queries = [question.text for question in questions]

        def ask(running: Running) -> list[Any]:
            return [running.pack(queries, budget) for budget in self.budgets]

        asked = ["packs", collection.data, *map(str, self.budgets), *queries]
        said = kept(side, self.model, self.keep, f"packs-{collection.name}", texts, asked, ask)
        return {
            budget: [
                Pack(tuple(Place(p["doc_id"], p["start"], p["end"]) for p in passages), num_tokens)
                for passages, num_tokens in zip(packs["answers"], packs["num_tokens"], strict=True)
            ]
            for budget, packs in zip(self.budgets, said, strict=True)
        }

    def _ranked(self, side: str, collection: Collection, questions: Sequence[PackQuestion]) -> Packs:
        given_texts = texts_for(collection, side)
        # All questions are asked, whatever part is wanted, because indexing costs most.
        queries = [question.text for question in collection.questions]

        def ask(running: Running) -> dict[str, list[Any]]:
            return once_each(running.ask(queries, NUM_PASSAGES)["answers"])

        asked = ["passages", collection.data, str(NUM_PASSAGES), *queries]
        texts = (one.text for one in given_texts)
        said = kept(side, self.model, self.keep, f"packs-{collection.name}", texts, asked, ask)
        passages = [Passage(**passage) for passage in said["passages"]]
        answers = dict(zip(queries, said["answers"], strict=True))
        locator = Locator(given_texts, self.split)
        places = [locator.places(passage) for passage in passages]
        if lost := sum(num_lost > 0 for _, num_lost in places):
            self.told(f"{collection.name}: {side}, {lost} of {len(places)} passages lie partly nowhere")
        packs: dict[int, list[Pack]] = {}
        for budget in self.budgets:
            self.told(f"{collection.name}: {side}, packs of {budget} tokens")
            packs[budget] = []
            for numbers in (answers[question.text] for question in questions):
                taken, took = packed([passages[number].text for number in numbers], budget, self.count)
                inside = [places[numbers[place]] for place in taken]
                spans = tuple(place for found, _ in inside for place in found)
                packs[budget].append(Pack(spans, took, sum(lost for _, lost in inside)))
        return packs


def once_each(answers: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str, list[Any]]:
    """Answers with each passage stored once without its score; `answers` hold numbers of `passages`.

    An answer names a passage once: the windows of all sentences of a short text are equal.
    """
    numbers: dict[Passage, int] = {}
    told = []
    for answer in answers:
        found = [replace(Passage(**passage), score=0.0) for passage in answer]
        told.append(list(dict.fromkeys(numbers.setdefault(passage, len(numbers)) for passage in found)))
    return {"passages": [asdict(passage) for passage in numbers], "answers": told}


def packed(texts: Sequence[str], budget_tokens: int, count: Callable[[str], int]) -> tuple[list[int], int]:
    """Pack texts, best first, into a budget; a text that does not fit is skipped.

    Texts are stripped and joined by a blank line; empty ones are left out.

    Returns:
        Numbers of the packed texts, and the tokens of the whole.

    >>> packed(["one two", "three four five", "six"], 3, lambda text: len(text.split()))
    ([0, 2], 3)
    """
    taken: list[int] = []
    whole, num_tokens = "", 0
    for number, text in enumerate(map(str.strip, texts)):
        own = count(text + SEPARATOR) if text else 0
        if not text or num_tokens + own > budget_tokens + MARGIN_TOKENS:
            continue
        trial = whole + SEPARATOR + text if taken else text
        found = count(trial)
        if found <= budget_tokens:
            taken.append(number)
            whole, num_tokens = trial, found
    return taken, num_tokens


def texts_for(collection: Collection, side: str) -> list[Given]:
    """Texts that a side indexes: documents, with titles if the data has them; lines for the bare encoder."""
    found = []
    for document in collection.documents:
        own = document if collection.titled or side in PACKING else replace(document, title="")
        for piece, start in _paragraphs(own) if side == BARE else [(own, 0)]:
            text = given(piece, side)
            found.append(Given(text, document.doc_id, start, len(text.text) - len(piece.text)))
    return found


def _paragraphs(document: Document) -> Iterator[tuple[Document, int]]:
    for line in _PARAGRAPH.finditer(document.text):
        yield replace(document, doc_id=f"{document.doc_id}@{line.start()}", text=line[0]), line.start()


def best_pack(question: PackQuestion, budget_tokens: int, count: Callable[[str], int]) -> Pack:
    """A pack of the evidence alone: the shortest sentence of each document, then all others by length.

    If any pack of sentences holds one of each document, this one does.
    """
    lengths = {sentence: count(sentence.text) for sentence in question.sentences}
    by_length = sorted(question.sentences, key=lambda s: (lengths[s], s.doc_id, s.start))
    first: dict[str, Excerpt] = {}
    for sentence in by_length:
        first.setdefault(sentence.doc_id, sentence)
    order = [*first.values(), *(s for s in by_length if s not in first.values())]
    taken, took = packed([sentence.text for sentence in order], budget_tokens, count)
    return Pack(tuple(Place(order[n].doc_id, order[n].start, order[n].end) for n in taken), took)
