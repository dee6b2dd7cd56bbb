"""Answers of a checkout, written to a file, so that two checkouts can be compared byte by byte.

    git worktree add ../before COMMIT
    python -m tools.replay --tree ../before --out before.jsonl
    python -m tools.replay --out after.jsonl && cmp before.jsonl after.jsonl

The checkout is used through its command line and over HTTP, so that its modules may have any names. A line is
the digest of an index file, a pack or a measurement; times and cache states are left out.
"""

import argparse
import hashlib
import json
import os
import pydoc_data.topics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import httpx

from benchmarks.indexes import served
from benchmarks.rows import dataset, read_lines

BUDGETS = (150, 300, 800)
NUM_PACKS, NUM_MEASURED = 200, 20


def sources() -> dict[str, str]:
    """Source of each index: the Python reference, and the etcd v3.5 manual where the data sets are."""
    found = {"python-reference": "python-reference"}
    with suppress(SystemExit):
        found["etcd"] = str(dataset("etcd_docs", "content", "en", "docs", "v3.5"))
    return found


def requests(indexes: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Bodies for `POST /v1/context`; the first ones are measured."""
    topics = sorted(pydoc_data.topics.topics.items())
    asked = [("python-reference", f"How does {name} work?", text.strip()[:80]) for name, text in topics]
    if "etcd" in indexes:
        lines = read_lines(dataset("etcd_questions.jsonl"))
        others = [("etcd", line["question"], line["facts"][0][0]) for line in lines]
        asked = [*chain.from_iterable(zip(asked, others, strict=False)), *others[len(asked) :]]
    for number, (index, query, answer) in enumerate(islice(cycle(asked), NUM_PACKS)):
        body = {"index": index, "query": query, "budget_tokens": BUDGETS[number // 2 % len(BUDGETS)]}
        measured = {"measure": True, "response": answer} if number < NUM_MEASURED else {}
        yield {**body, "explain": True, **measured}


def digests(root: Path) -> Iterator[dict[str, str]]:
    """SHA-256 of each file of current generations, except manifests, which hold the time of the build."""
    for path in sorted(root.glob("*/generations/*/*")):
        if path.name != "manifest.json":
            yield {
                "file": str(path.relative_to(root)),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }


def stable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without times and cache states, which differ from run to run."""
    kept = {key: value for key, value in answer.items() if key not in ("trace", "cache")}
    if "cost" in kept["utilization"]:
        cost = {key: value for key, value in kept["utilization"]["cost"].items() if key != "seconds"}
        kept["utilization"] = {**kept["utilization"], "cost": cost}
    return kept


def answered(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """The answer of `POST /v1/context`, also if it is a refusal."""
    answer = client.post("/v1/context", json=body)
    found: dict[str, Any] = answer.json()
    return found if answer.is_success else {"refused": found, "utilization": {}}


def lines(tree: Path) -> Iterator[dict[str, Any]]:
    """Everything a tree answers, in a fixed order."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "PYTHONPATH": str(tree),
            "CONTEXTSVC_ROOT": folder,
            "CONTEXTSVC_CACHE": "false",
        }
        indexes = sources()
        for name, source in indexes.items():
            build = [sys.executable, "-m", "contextsvc", "index", "build", source, "--index", name]
            subprocess.run(build, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
        yield from digests(Path(folder))
        with served(environment, tree) as client:
            for body in requests(indexes):
                yield stable(answered(client, body))


def main() -> None:
    """Write one line an answer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tree", type=Path, default=Path(), help="root of a checkout; default: here")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    asked = parser.parse_args()
    with asked.out.open("w", encoding="utf-8") as file:
        for line in lines(asked.tree.resolve()):
            file.write(json.dumps(line, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
