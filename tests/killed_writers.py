"""Writers that are killed with SIGKILL at random moments: `python -m tests.killed_writers ROOT --trials N`.

Each trial forks a writer that changes one index as fast as it can and tells of every operation before and
after. It is killed after a random time; what is on disk must then be what was acknowledged, or that and the
operation that was under way, whole or, of a batch that is put, a beginning. Prints one JSON object.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from contextsvc.errors import ContextError
from contextsvc.indexing.build import Update, build_index, update_index
from contextsvc.records.documents import Document
from contextsvc.service.publishing import Publisher, pending, pending_documents
from contextsvc.storage.checking import check_index
from contextsvc.storage.corpus import Corpus
from contextsvc.storage.generation import (
    Manifest,
    applied,
    collect,
    open_generation,
    open_manifest,
    read_pointer,
    roll_back,
)
from contextsvc.storage.library import Library
from contextsvc.wiring import open_search
from tests.fakes.embedder import FakeEmbedder
from tests.world import fake_parts

NAME = "pages"
KEEP = 3
State = dict[str, str]
Operation = dict[str, Any]


def made(doc_id: str, number: int) -> Document:
    """A document whose text tells which version it is."""
    return Document(doc_id, f"Page {doc_id} in version {number}. It speaks of word{number % 7}.")


def operations(seed: int) -> Any:
    """What a writer does, one after the other, without end."""
    draw = random.Random(seed)
    number = 0
    while True:
        number += 1
        kind = draw.choice(["put"] * 3 + ["publish"] * 2 + ["delete", "update", "build", "back", "gc"])
        ids = draw.sample([f"d{n}" for n in range(8)], 3)
        version = seed * 1000 + number
        yield {"kind": kind, "ids": ids[: draw.randint(1, 3)], "version": version}


def perform(root: Path, operation: Operation, publisher: Publisher) -> None:
    """One operation; refusals, of a roll back with nothing before for one, change nothing."""
    documents = [made(doc_id, operation["version"]) for doc_id in operation["ids"]]
    kind = operation["kind"]
    if kind == "put":
        publisher.put(NAME, documents)
    elif kind == "delete":
        publisher.delete(NAME, operation["ids"][0])
    elif kind == "publish":
        publisher.publish(NAME)
    elif kind == "update":
        update_index(root, NAME, lambda _: Update(documents), fake_parts(), keep=KEEP)
    elif kind == "build":
        build_index(root, NAME, documents, fake_parts(), keep=KEEP)
    elif kind == "back":
        roll_back(root, NAME)
    else:
        collect(root, NAME, KEEP)


def write(root: Path, seed: int, tell: int) -> None:
    """Perform operations until killed, telling of each before and after."""
    publisher = Publisher(Library(root, FakeEmbedder().fingerprint, open_search), fake_parts, KEEP)
    for operation in operations(seed):
        os.write(tell, json.dumps({"begin": operation}).encode() + b"\n")
        try:
            perform(root, operation, publisher)
            told: Operation = {"end": True}
        except ContextError as error:
            told = {"end": False, "why": str(error)}
        os.write(tell, json.dumps(told).encode() + b"\n")


def look(root: Path) -> tuple[State, State]:
    """What is published, and what will be after the next publish."""
    folder, manifest = open_manifest(root, NAME)
    published = _texts(folder, manifest)
    after = applied(manifest)
    what = pending(root / NAME, after)
    coming = dict(published)
    for doc_id in what.records:
        coming.pop(doc_id, None)
    coming |= {d.doc_id: d.text for d in pending_documents(root / NAME, after, what)}
    return published, coming


def _texts(folder: Path, manifest: Manifest) -> State:
    return {document.doc_id: document.text for document in Corpus.open(folder, manifest).documents()}


class Expected:
    """What a writer has acknowledged: the published states that are kept, and the changes that wait."""

    def __init__(self, root: Path) -> None:
        before = [open_generation(root, NAME, g) for g in reversed(read_pointer(root, NAME).before)]
        published, coming = look(root)
        self.history = [*(_texts(folder, manifest) for folder, manifest in before), published]
        # By what the journal names, not by what differs: a deletion may wait for a document to come.
        names = pending(root / NAME, applied(open_manifest(root, NAME)[1])).records
        self.waiting: dict[str, str | None] = {doc_id: coming.get(doc_id) for doc_id in names}

    def states(self) -> tuple[State, State]:
        """What is published, and what will be."""
        coming = self.history[-1] | self.waiting
        return self.history[-1], {doc_id: text for doc_id, text in coming.items() if text is not None}

    def perform(self, operation: Operation, num_ids: int | None = None) -> None:
        """What an operation does when it succeeds; of a batch, its first `num_ids` documents."""
        kind, ids = operation["kind"], operation["ids"][:num_ids]
        texts = {doc_id: made(doc_id, operation["version"]).text for doc_id in ids}
        if kind == "put":
            self.waiting |= texts
        elif kind == "delete":
            self.waiting[ids[0]] = None
        elif kind == "publish":
            self._push(self.states()[1])
            self.waiting = {}
        elif kind == "update":
            self._push(self.history[-1] | texts)
        elif kind == "build":
            self._push(texts)
        elif kind == "back":
            self.history.pop()

    def outcomes(self, operation: Operation) -> list[tuple[State, State]]:
        """Every state that an operation under way may have led to."""
        before = (list(self.history), dict(self.waiting))
        if operation["kind"] == "back" and len(self.history) < 2:
            return []
        found = []
        for num_ids in range(1, len(operation["ids"]) + 1) if operation["kind"] == "put" else [None]:
            self.perform(operation, num_ids)
            found.append(self.states())
            self.history, self.waiting = list(before[0]), dict(before[1])
        return found

    def _push(self, state: State) -> None:
        if state != self.history[-1]:
            self.history = [*self.history, state][-KEEP:]


def trial(root: Path, seed: int, draw: random.Random) -> dict[str, Any]:
    """Fork a writer, kill it, look at what it left."""
    expected = Expected(root)
    receive, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        write(root, seed, tell)
    os.close(tell)
    time.sleep(draw.uniform(0.0, 0.12))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(receive, "rb") as lines:
        told = [json.loads(line) for line in lines.read().split(b"\n")[:-1]]
    return judge(root, told, expected)


def judge(root: Path, told: list[Operation], expected: Expected) -> dict[str, Any]:
    """Whether what is on disk is what was acknowledged, or that and the operation under way."""
    under_way: Operation | None = None
    num_acknowledged = 0
    for line in told:
        if "begin" in line:
            under_way = line["begin"]
            continue
        if line["end"] and under_way is not None:
            num_acknowledged += 1
            expected.perform(under_way)
        under_way = None
    allowed = [expected.states(), *(expected.outcomes(under_way) if under_way else [])]
    found = look(root)
    faults = list(check_index(root, NAME, open_search)[1])
    if found not in allowed:
        faults.append(f"found {found}, expected one of {allowed} after {told[-6:]}")
    return {"faults": faults, "acknowledged": num_acknowledged,
            "within": under_way["kind"] if under_way else "nothing"}  # fmt: skip


def run(root: Path, num_trials: int, seed: int = 0) -> dict[str, Any]:
    """So many trials on one index, each going on from what the one before left."""
    # A kill loses nothing that was written, synced or not; that syncs come in order is tested elsewhere.
    os.fsync = lambda _: None  # type: ignore[assignment]
    draw = random.Random(seed)
    build_index(root, NAME, [made(f"d{n}", 0) for n in range(4)], fake_parts(), keep=KEEP)
    faults: list[str] = []
    within: Counter[str] = Counter()
    acknowledged = 0
    for number in range(num_trials):
        found = trial(root, seed * 100_000 + number + 1, draw)
        faults += [f"trial {number}: {fault}" for fault in found["faults"]]
        within[found["within"]] += 1
        acknowledged += found["acknowledged"]
    return {
        "trials": num_trials,
        "faults": faults,
        "acknowledged": acknowledged,
        "killed_within": dict(within),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    json.dump(run(given.root, given.trials, given.seed), sys.stdout)
