"""One example an operation, as it appears in the OpenAPI document. Tests check them against the schemas."""

from contextsvc.records.json import Json

_READER = "SmolLM2-135M-Instruct (b179c9523d0e, bfloat16, chat-1)"

_CHUNK: Json = {
    "chunk_id": "6f0c8f6a4d1b2e77",
    "doc_id": "python-reference/try",
    "title": 'The "try" statement',
    "section": ['The "try" statement', '"finally" clause'],
    "source": "pydoc_data.topics:try",
    "also_in": [],
    "start": 8014,
    "end": 8342,
    "spans": [[8014, 8342]],
    "text": 'When a "return", "break" or "continue" statement is executed in the "try" suite ...',
    "num_tokens": 96,
    "score": 0.7312,
    "rank": 1,
}

UTILIZATION: Json = {
    "scope": "pack",
    "pack_id": "0c5c1f3e9ab84d7785d1b21a0a1be9d2",
    "score": 1.0,
    "strict_score": 1.0,
    "interval": [1.0, 1.0],
    "verdicts": [
        {
            "chunk_id": "6f0c8f6a4d1b2e77",
            "effect": 0.84,
            "necessity": 0.79,
            "verdict": "live",
            "num_tokens": 96,
            "group": None,
        }
    ],
    "sentences": [
        {"chunk_id": "6f0c8f6a4d1b2e77", "start": 8014, "end": 8170, "effect": 0.61, "verdict": "live"}
    ],
    "threshold": {
        "eps": 0.21,
        "low": 0.17,
        "high": 0.3,
        "num_placebos": 240,
        "origin": "uncalibrated: SQuAD dev",
        "calibrated": False,
    },
    "controls": {
        "full": -0.52,
        "no_context": -1.36,
        "unrelated": -1.41,
        "depends_on_context": True,
        "live_only": -0.52,
        "sufficient": True,
        "placebo_effects": [0.02, -0.04],
        "num_placebos_live": 0,
    },
    "target": 'The "finally" clause is executed on the way out.',
    "target_kind": "response",
    "outcome": "log-probability",
    "reader": _READER,
    "method": "lasso contributions of one removed, one alone, 8 subsets",
    "cost": {"reader_calls": 5, "reader_tokens": 780, "seconds": 0.61},
    "note": "",
    "partial": False,
}

_UNMEASURED: Json = {
    "scope": "index",
    "score": None,
    "reason": "generation 000001-3f1a90c2be44 was never measured; "
    "run: contextsvc measure --index python-reference --queries FILE.jsonl --out DIR",
}

PACK: Json = {
    "pack_id": UTILIZATION["pack_id"],
    "index": "python-reference",
    "generation": "000001-3f1a90c2be44",
    "query": "how does try finally behave with return?",
    "text": f'[1] The "try" statement > "finally" clause\n{_CHUNK["text"]}',
    "num_tokens": 96,
    "budget_tokens": 800,
    "tokenizer": "o200k_base",
    "ordering": "relevance",
    "exact": False,
    "trim": True,
    "answerable": True,
    "answer_score": 0.7312,
    "answer_threshold": 0.48,
    "chunks": [_CHUNK],
    "utilization": _UNMEASURED,
    "cache": {"pack": "miss"},
    "trace": {"num_candidates": 50, "seconds": {"embed": 0.009, "retrieve": 0.012, "total": 0.024}},
}

INDEX: Json = {
    "name": "python-reference",
    "generation": "000001-3f1a90c2be44",
    "embedder": "all-MiniLM-L6-v2 (53aa51172d14, bfloat16)",
    "dim": 384,
    "num_documents": 79,
    "num_chunks": 1021,
    "num_sentences": 4210,
    "num_vectors": 3980,
    "settings": {"chunk_min_tokens": 48, "chunk_max_tokens": 192, "tokenizer": "o200k_base"},
    "built_at": "2026-11-22T00:00:00Z",
    "num_bytes": 6_100_000,
    "utilization": _UNMEASURED,
}

_BRIEF: Json = {
    **{key: INDEX[key] for key in ("name", "generation", "num_documents", "num_chunks", "built_at")},
    "state": "ready",
}

INDEXES: Json = {"indexes": [_BRIEF]}
READY: Json = {"status": "ok", "indexes": [_BRIEF], "num_fallbacks": 0}

ACCEPTED: Json = {"index": "docs", "accepted": 2, "position": 4711}
PUBLISHED: Json = {
    "index": "docs",
    "generation": "00000002-8a41f0c377d2",
    "changed": True,
    "num_documents": 80,
    "num_chunks": 1030,
    "added": 1,
    "replaced": 1,
    "unchanged": 0,
    "deleted": 0,
    "embedded": 17,
    "seconds": 0.42,
}


def _problem(status: int, title: str, code: str, detail: str) -> Json:
    return {
        "type": f"urn:contextsvc:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }


PROBLEMS: dict[int, Json] = {
    404: _problem(404, "Not Found", "unknown_index", "no index 'docs' under indexes (there: none)"),
    409: _problem(409, "Conflict", "index_mismatch", "index 'docs' was built with another embedder"),
    422: _problem(422, "Unprocessable Content", "budget_too_small",
                  "a budget of 10 tokens holds none of the chunks found; the smallest that would do is 71"),
    413: _problem(413, "Content Too Large", "content_too_large", "the body is longer than 20000000 bytes"),
    500: _problem(500, "Internal Server Error", "fault", "the change could not be written to the journal"),
    429: _problem(429, "Too Many Requests", "overloaded", "the queue is full; come back in 1 s"),
    503: _problem(503, "Service Unavailable", "overloaded", "no slot came free in time; come back in 1 s"),
}  # fmt: skip
