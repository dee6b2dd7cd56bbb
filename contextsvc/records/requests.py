"""A request for a context pack; the one place that checks its ranges."""

from dataclasses import dataclass

from contextsvc.errors import InvalidRequest
from contextsvc.records.validation import require_unicode

MAX_QUERY_CHARS = 8_192
MAX_FILTER_CHARS = 16_384
MAX_BUDGET_TOKENS = 1_000_000
MAX_CHUNKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRequest:
    """A request for a context pack, with every choice made (`Engine.request` fills in the settings).

    Attributes:
        index: Name of the index.
        query: A question or some words, at most MAX_QUERY_CHARS characters.
        budget_tokens: Most tokens of the rendered pack, 1 to MAX_BUDGET_TOKENS.
        max_chunks: Most chunks of the pack, 1 to MAX_CHUNKS.
        tokenizer: Name of the encoding that counts the tokens.
        ordering: Name of the order of the chunks (`packing.ordering`).
        filters: Filter in the language of `packing.filters`, as canonical JSON; empty: all documents.
        exact: Compare the query with every vector, however large the index.
        trim: Where chunks do not fit whole, leave out sentences that do not bear on the query.
        answerable_only: Make an empty pack if nothing in the index answers the query.

    Raises:
        InvalidRequest: a value is out of its range.
    """

    index: str
    query: str
    budget_tokens: int
    max_chunks: int
    tokenizer: str
    ordering: str
    filters: str = ""
    exact: bool = False
    trim: bool = False
    answerable_only: bool = False

    def __post_init__(self) -> None:
        require_unicode(self.query, "the query")
        if len(self.filters) > MAX_FILTER_CHARS:
            raise InvalidRequest(
                f"the filters take {len(self.filters)} characters; at most {MAX_FILTER_CHARS}"
            )
        if not self.query.strip():
            raise InvalidRequest("the query is empty; expected a question or some words")
        if len(self.query) > MAX_QUERY_CHARS:
            raise InvalidRequest(f"the query has {len(self.query)} characters; at most {MAX_QUERY_CHARS}")
        if not 1 <= self.budget_tokens <= MAX_BUDGET_TOKENS:
            raise InvalidRequest(f"budget_tokens is {self.budget_tokens}; expected 1 to {MAX_BUDGET_TOKENS}")
        if not 1 <= self.max_chunks <= MAX_CHUNKS:
            raise InvalidRequest(f"max_chunks is {self.max_chunks}; expected 1 to {MAX_CHUNKS}")
