"""The request for a context pack, and the only check of the ranges of its values."""

from dataclasses import dataclass

from contextsvc.errors import InvalidRequest
from contextsvc.records.validation import require_unicode

MAX_QUERY_CHARS = 8_192
MAX_FILTER_CHARS = 16_384
MAX_BUDGET_TOKENS = 1_000_000
MAX_CHUNKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRequest:
    """A request for a context pack, with a value for every option.

    `Engine.request` takes options that the caller did not give from the settings.

    Attributes:
        index: Name of the index.
        query: A question or some words, at most MAX_QUERY_CHARS characters.
        budget_tokens: Largest number of tokens of the rendered pack, 1 to MAX_BUDGET_TOKENS.
        max_chunks: Largest number of chunks in the pack, 1 to MAX_CHUNKS.
        tokenizer: Name of the encoding in which tokens are counted.
        ordering: Name of the order of the chunks (`packing.ordering`).
        filters: Filter of documents in the language of `packing.filters`, as canonical JSON. An empty string
            allows all documents.
        exact: Whether to compare the query with every vector, even in a large index.
        trim: Whether chunks that do not fit whole lose the sentences that are not relevant to the query.
        answerable_only: Whether the pack stays empty if nothing in the index answers the query.

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
