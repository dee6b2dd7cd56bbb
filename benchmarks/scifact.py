"""SciFact abstracts as documents."""

import json

from benchmarks.rows import dataset
from contextsvc.records import Document

FILE = ("scifact", "corpus.jsonl")


def load_abstracts(size: int) -> list[Document]:
    """The first `size` abstracts of 5,183, in order of the file."""
    lines = dataset(*FILE).read_text("utf-8").splitlines()[:size]
    entries = [json.loads(line) for line in lines]
    return [Document(f"scifact/{e['_id']}", e["text"], e["title"], f"scifact:{e['_id']}") for e in entries]
