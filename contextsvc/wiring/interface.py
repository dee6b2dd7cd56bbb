"""The public Python interface, `import contextsvc`: build an index, open it, pack and measure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

from contextsvc.errors import UserError
from contextsvc.indexing.build import BuildResult, Progress, build_index
from contextsvc.indexing.deduplication import Deduplicator
from contextsvc.measuring.comparison import Comparison, Configuration
from contextsvc.measuring.records import Calibration, Target, Utilization
from contextsvc.records.documents import Document
from contextsvc.records.json import Json
from contextsvc.records.packs import ContextPack
from contextsvc.service.engine import Engine
from contextsvc.service.experiments import Question, calibrate, compare_configurations, drawn_questions
from contextsvc.settings import Settings
from contextsvc.storage.corpus.aliases import Alias
from contextsvc.storage.generation import current
from contextsvc.wiring.engine import build_engine
from contextsvc.wiring.indexes import build_index_parts, make_near_duplicate_index, read_sources

BUDGET_TOKENS = 800


class PackOptions(TypedDict, total=False):
    """Options of a pack. An option that is left out has the default of the settings.

    Attributes:
        max_chunks: Largest number of chunks, 1 to 64.
        tokenizer: Name of the encoding that counts tokens.
        ordering: "relevance", "document" or "edges".
        filters: Condition on the documents' metadata, as in `POST /v1/context`; none by default.
        exact: Compare the query with every vector; False by default.
        trim: Trim chunks that do not fit to the sentences relevant to the query.
        answerable_only: Return an empty pack if nothing in the index answers the query; False by default.
    """

    max_chunks: int | None
    tokenizer: str | None
    ordering: str | None
    filters: Mapping[str, Any] | None
    exact: bool
    trim: bool | None
    answerable_only: bool


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """An index after a build.

    Attributes:
        made: The generation that is current now, with the counts of the build.
        duplicates: Documents that are equal or nearly equal to an earlier one, in the order they were read.
    """

    made: BuildResult
    duplicates: tuple[Alias, ...]


class IndexHandle:
    """An open index. Close it with `close`, or use it as a context manager.

    It follows the index: after a publish it packs from the new generation.

    Args:
        engine: Packs and measures.
        name: Name of the index under the engine's root.
        closing: Closed with the handle.
    """

    def __init__(self, engine: Engine, name: str, closing: ExitStack) -> None:
        self.name = name
        self._engine: Engine | None = engine
        self._closing = closing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close files and connections and release the models; a second call does nothing."""
        self._engine = None
        self._closing.close()

    @property
    def generation(self) -> str:
        """Id of the generation that packs are made from."""
        return self._open.library.get(self.name).generation

    def pack(
        self, query: str, *, budget_tokens: int = BUDGET_TOKENS, **options: Unpack[PackOptions]
    ) -> ContextPack:
        """The best chunks for a query that fit a token budget.

        Args:
            query: A question or some words.
            budget_tokens: Largest number of tokens of the rendered pack.
            options: See `PackOptions`.

        Raises:
            InvalidRequest: the query, the budget or an option is out of its range.
            BudgetTooSmall: no chunk fits the budget.
        """
        engine = self._open
        request = engine.request(self.name, query, budget_tokens, **options)
        pack, _ = engine.assembler.assemble(engine.library.get(self.name), request)
        return pack

    def measure(
        self, pack: ContextPack, *, response: str | None = None, sentences: bool = False
    ) -> Utilization:
        """The utilization of a pack: which of its chunks influenced the answer.

        Args:
            pack: A pack of the index's current generation.
            response: The answer of your model; None: the reader writes one.
            sentences: Measure each sentence of the chunks that influenced the answer, too.

        Raises:
            UserError: the pack was made from another index or generation.
            InvalidRequest: the response cannot be measured.
        """
        engine = self._open
        index = engine.library.get(self.name)
        if (pack.index, pack.generation) != (index.name, index.generation):
            raise UserError(
                f"the pack was made from generation {pack.generation} of index {pack.index!r}; expected "
                f"generation {index.generation} of {index.name!r}; make a new pack"
            )
        target = None if response is None else Target(response, "response")
        found, _ = engine.measured(index, pack, target, sentences)
        return found

    def context(self, query: str, budget_tokens: int = BUDGET_TOKENS, **chosen: Any) -> Json:
        """A pack with its utilization as JSON; arguments and result as the bodies of `POST /v1/context`."""
        return self._open.context(self.name, query, budget_tokens, **chosen)

    def compare(
        self,
        questions: Sequence[Question],
        configurations: Sequence[Configuration],
        report: Callable[[str, Json], None] = lambda *_: None,
    ) -> Comparison:
        """The packs of many queries under several configurations, measured and compared with the first.

        Arguments and errors are those of `service.experiments.compare_configurations`.
        """
        return compare_configurations(self._open, self.name, questions, configurations, report)

    def calibrate(
        self,
        questions: Sequence[Question] | None = None,
        *,
        num_questions: int = 100,
        report: Callable[[Json], None] = lambda _: None,
    ) -> list[Calibration]:
        """Thresholds of the reader, drawn from placebos and stored with the current generation.

        Args:
            questions: Queries to draw with; None: sentences of the index ask, and the sentences after them
                answer.
            num_questions: How many to take from the index if there are no questions.
            report: Called with the state after every query.

        Raises:
            UserError: the questions gave too few placebos.
        """
        engine = self._open
        if questions is None:
            corpus = engine.library.get(self.name).corpus
            questions = drawn_questions(corpus, num_questions, engine.settings.seed)
        return calibrate(engine, self.name, questions, report)

    @property
    def _open(self) -> Engine:
        if self._engine is None:
            raise UserError(f"index {self.name!r} is closed; open it again with contextsvc.open_index")
        return self._engine


def build(
    sources: str | Path | Sequence[str | Path] | Iterable[Document],
    *,
    index: str | Path,
    settings: Settings | None = None,
    dedupe: bool = False,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
    skipped: Callable[[str, str, int], None] = lambda *_: None,
) -> BuiltIndex:
    """Build an index from all documents and publish it. Until then the previous generation serves.

    Args:
        sources: A path, several paths, or documents. A path is a file or a folder of text, Markdown, HTML
            or JSONL. Documents are read once, in order, one in memory at a time.
        index: Name of the index under the root of the settings, or its path.
        settings: None: those of the environment.
        dedupe: Keep only the first of equal and near-duplicate documents.
        resume: Continue from the finished parts of an interrupted build.
        report: Called with the progress after every batch.
        skipped: Called with (source, reason, number of ignored files) for every path without a document.

    Raises:
        SourceError: a path does not exist, or no document has text.
        IndexBusy: another process writes the index.
        MissingAsset: a model or data file was never pulled.
    """
    placed, name = _placed(index, settings)
    documents = _documents(sources, placed, skipped)
    least = placed.duplicate_likeness
    deduplicator = Deduplicator(least, make_near_duplicate_index(least), dedupe)
    made = build_index(
        placed.root,
        name,
        documents,
        build_index_parts(placed),
        report,
        keep=placed.keep_generations,
        resume=resume,
        deduplicator=deduplicator,
    )
    return BuiltIndex(made, tuple(deduplicator.found))


def open_index(
    index: str | Path, *, settings: Settings | None = None, tokenizer_file: str | None = None
) -> IndexHandle:
    """Open an index to pack and to measure. Loads the embedding model; the reader loads when it measures.

    Args:
        index: Name of the index under the root of the settings, or its path.
        settings: None: those of the environment.
        tokenizer_file: Path of a `tokenizer.json` that packs may name as their tokenizer.

    Raises:
        UnknownIndex: there is no such index.
        CorruptIndex: its files are damaged.
        IndexMismatch: it was built with another embedding model.
        MissingAsset: a model or data file was never pulled.
    """
    placed, name = _placed(index, settings)
    if not (placed.root / name).exists():
        current(placed.root, name)  # raises UnknownIndex before a model is loaded
    closing = ExitStack()
    try:
        engine = build_engine(placed, tokenizer_file, closing)
        engine.library.get(name)
    except BaseException:
        closing.close()
        raise
    return IndexHandle(engine, name, closing)


def pack(
    query: str,
    *,
    index: str | Path,
    budget_tokens: int = BUDGET_TOKENS,
    settings: Settings | None = None,
    **options: Unpack[PackOptions],
) -> ContextPack:
    """The best chunks for one query that fit a token budget; for several queries use `open_index`.

    Arguments and errors are those of `open_index` and `IndexHandle.pack`.
    """
    with open_index(index, settings=settings) as opened:
        return opened.pack(query, budget_tokens=budget_tokens, **options)


def measure(
    pack: ContextPack,
    *,
    response: str | None = None,
    sentences: bool = False,
    index: str | Path | None = None,
    settings: Settings | None = None,
) -> Utilization:
    """The utilization of one pack; for several packs use `open_index`.

    Arguments and errors are those of `open_index` and `IndexHandle.measure`. `index` is needed only if the
    index is not under the root of the settings.
    """
    with open_index(pack.index if index is None else index, settings=settings) as opened:
        return opened.measure(pack, response=response, sentences=sentences)


def _placed(index: str | Path, settings: Settings | None) -> tuple[Settings, str]:
    """Settings with the root of the index, and its name."""
    chosen = settings or Settings.from_env()
    path = Path(index)
    if isinstance(index, str) and path.name == index:
        return chosen, index
    return replace(chosen, root=path.parent), path.name


def _documents(
    sources: str | Path | Sequence[str | Path] | Iterable[Document],
    settings: Settings,
    skipped: Callable[[str, str, int], None],
) -> Iterable[Document]:
    if isinstance(sources, str | Path):
        sources = [sources]
    if isinstance(sources, Sequence):
        paths = [str(source) for source in sources if isinstance(source, str | Path)]
        if len(paths) == len(sources):
            return read_sources(settings, paths, skipped)
    return (_document(source) for source in sources)


def _document(source: object) -> Document:
    if not isinstance(source, Document):
        raise UserError(f"a source is {source!r:.80}; expected only paths or only documents")
    return source
