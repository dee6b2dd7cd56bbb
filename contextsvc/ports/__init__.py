"""Ports: the Protocols that adapters implement. The docstring of each Protocol is a contract.

Calls take batches and return arrays. Every adapter, and every fake of a test, must pass the contract tests of
its port in tests/contracts/.
"""

from contextsvc.ports.reading import NO_LIMITS, Answer, Limits, Prompt, Reader, Scores
from contextsvc.ports.search import Embedder, LexicalIndex, Reranker, VectorIndex
from contextsvc.ports.storage import Cache, Job, JobQueue, JobState
from contextsvc.ports.text import BlockParser, NearDuplicateIndex, SentenceSplitter, TokenCounter

__all__ = [
    "NO_LIMITS",
    "Answer",
    "BlockParser",
    "Cache",
    "Embedder",
    "Job",
    "JobQueue",
    "JobState",
    "LexicalIndex",
    "Limits",
    "NearDuplicateIndex",
    "Prompt",
    "Reader",
    "Reranker",
    "Scores",
    "SentenceSplitter",
    "TokenCounter",
    "VectorIndex",
]
