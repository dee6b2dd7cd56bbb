"""The errors that a caller of this package must expect, in one tree of classes.

    ContextError
    |- UserError                the caller can solve the problem: exit code 1, HTTP 4xx
    |  |- SettingError          a setting of the process does not exist or has a wrong value: HTTP 500
    |  |- UnknownChoice         a request names a tokenizer or an ordering that does not exist
    |  |- InvalidRequest        a query, budget or filter is out of its range
    |  |- BudgetTooSmall        no single chunk fits; the error names the smallest budget that is enough
    |  |- UnknownIndex          the folder of all indexes holds no index of that name
    |  |- UnknownDocument       the index holds no such document
    |  |- UnknownPack           the cache holds no such pack
    |  |- IndexBusy             another process or thread is writing the index
    |  |- IndexMismatch         the index was built by another embedder
    |  |- SourceError           documents cannot be read
    |  |- MissingAsset          a model or data file was never pulled (downloaded)
    |  `- MissingExtra          an optional dependency is not installed
    |- Fault                    the machine or the data is at fault: exit code 2, HTTP 5xx
    |  |- CorruptIndex          files differ from the manifest
    |  |- CorruptAsset          a pulled file differs from its pinned SHA-256
    |  |- ReaderFault           the reader (the language model that measures) could not score or answer
    |  |- ShapeError            arrays or sequences do not fit each other (a defect of the caller's code)
    |  `- SpanError             character offsets lie outside a text (a defect of the caller's code)
    `- Overloaded               the caller should try later: HTTP 429 (queue full) or 503 (waited too long)

A message says what was found, what was expected and, where one exists, which command helps.
"""

from collections.abc import Iterable

_SEE_LOG = "its log has the details"


class ContextError(Exception):
    """Base class of the tree. Its `code` is a name that never changes, so programs can compare it."""

    code = "context_error"

    @property
    def public_text(self) -> str:
        """Message for a client over HTTP.

        The message names no path of the server, and no index, pack or document that the client did not name.
        The whole message, with these names, is in the service's log.
        """
        return str(self)


class UserError(ContextError):
    """The caller can solve the problem, for example with another request or another setting."""

    code = "user_error"


class SettingError(UserError):
    """A setting of the process does not exist or has a wrong value. Over HTTP this is a server error."""

    code = "invalid_setting"

    @property
    def public_text(self) -> str:
        """Message for an HTTP client, without the value of the setting, because the value may be a path."""
        return f"the service is not set up right; {_SEE_LOG}"


class UnknownChoice(UserError):
    """A request names a tokenizer, an ordering or another option that does not exist."""

    code = "unknown_choice"

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {what} {name[:200]!r}; choose from {', '.join(sorted(known))}")


class InvalidRequest(UserError):
    """A query, budget or filter is out of its range."""

    code = "invalid_request"


class BudgetTooSmall(UserError):
    """No single chunk fits the budget.

    Attributes:
        budget_tokens: Budget of the request.
        smallest_tokens: Smallest budget that is enough for one of the chunks found.
    """

    code = "budget_too_small"

    def __init__(self, budget_tokens: int, smallest_tokens: int) -> None:
        super().__init__(
            f"a budget of {budget_tokens} tokens holds none of the chunks found; "
            f"the smallest budget that would do is {smallest_tokens}"
        )
        self.budget_tokens = budget_tokens
        self.smallest_tokens = smallest_tokens


class UnknownIndex(UserError):
    """The folder of all indexes holds no index of that name."""

    code = "unknown_index"

    def __init__(self, name: str, root: str, known: list[str]) -> None:
        there = ", ".join(known) if known else "none"
        super().__init__(
            f"no index {name!r} under {root} (there: {there}); "
            f"build it: contextsvc index build SOURCE --index {name}"
        )
        self.name = name

    @property
    def public_text(self) -> str:
        """Message for an HTTP client.

        It names neither the folder of all indexes nor the other indexes.
        """
        return f"no index {self.name[:200]!r}; GET /v1/indexes lists those there are"


class UnknownDocument(UserError):
    """The document is neither in the index nor among the changes that wait for the next publish."""

    code = "unknown_document"

    def __init__(self, name: str, doc_id: str) -> None:
        super().__init__(f"index {name!r} has no document {doc_id[:200]!r}")
        self.doc_id = doc_id


class UnknownPack(UserError):
    """The cache holds no such pack."""

    code = "unknown_pack"

    def __init__(self, pack_id: str) -> None:
        super().__init__(
            f"no pack {pack_id[:200]!r} is kept: it was never made here, was deleted or evicted, or the "
            f"cache is off; ask for it again with POST /v1/context"
        )
        self.pack_id = pack_id


class IndexBusy(UserError):
    """Another process or thread is writing the index."""

    code = "index_busy"


class IndexMismatch(UserError):
    """The embedder that built the index is not the embedder that is running now."""

    code = "index_mismatch"

    def __init__(self, name: str, built_with: str, running: str) -> None:
        super().__init__(
            f"index {name!r} was built with {built_with}, the service runs {running}; rebuild it "
            f"(contextsvc index build SOURCE --index {name}) or set CONTEXTSVC_EMBEDDER back"
        )
        self.name = name


class SourceError(UserError):
    """Documents or their sources cannot be read."""

    code = "unreadable_source"


class MissingAsset(UserError):
    """A model or data file is needed but was never pulled (downloaded)."""

    code = "missing_asset"

    @property
    def public_text(self) -> str:
        """Message for an HTTP client, without the folder of the file."""
        return f"a model or data file of the service is missing; {_SEE_LOG}"


class MissingExtra(UserError):
    """An optional dependency is not installed.

    Attributes:
        extra: Name of this package's extra that installs the dependency.
    """

    code = "missing_extra"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra {extra!r}: pip install 'contextsvc[{extra}]'")
        self.extra = extra


class Fault(ContextError):
    """The machine or the data is at fault, not the caller."""

    code = "fault"

    @property
    def public_text(self) -> str:
        """Message for an HTTP client, without details: messages of the operating system name paths."""
        return f"the service failed ({self.code}); {_SEE_LOG}"


class CorruptIndex(Fault):
    """Files of a generation differ from its manifest, or the manifest cannot be read."""

    code = "corrupt_index"

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__(
            f"index {name!r} is damaged: {'; '.join(problems)}; rebuild it: "
            f"contextsvc index build SOURCE --index {name}"
        )
        self.name = name
        self.problems = problems

    @property
    def public_text(self) -> str:
        """Message for an HTTP client, without the list of problems."""
        return f"index {self.name!r} is damaged; the service's log names the files"


class CorruptAsset(Fault):
    """A pulled file differs from its pinned SHA-256."""

    code = "corrupt_asset"


class ReaderFault(Fault):
    """The reader (the language model that measures) could not score or answer."""

    code = "reader_fault"


class ShapeError(Fault):
    """Shapes, lengths or values do not fit each other or their contract: a defect of the caller's code."""

    code = "shape_error"


class SpanError(Fault):
    """Character offsets (start, end) are empty or lie outside their text: a defect of the caller's code."""

    code = "span_error"

    def __init__(self, doc_id: str, start: int, end: int, length: int) -> None:
        super().__init__(f"span {start}-{end} of document {doc_id!r} does not lie in 0-{length} or is empty")


class Overloaded(ContextError):
    """The service has no room for the request now.

    Attributes:
        waited: True when the request waited its full time (503), False when the queue was full (429).
        retry_after_seconds: Seconds after which the caller should try again.
    """

    code = "overloaded"

    def __init__(self, waited: bool, retry_after_seconds: int) -> None:
        why = "no slot came free in time" if waited else "the queue is full"
        super().__init__(f"{why}; come back in {retry_after_seconds} s")
        self.waited = waited
        self.retry_after_seconds = retry_after_seconds
