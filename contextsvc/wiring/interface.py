"""The public Python interface, `import contextsvc`: build an index, open it, pack and measure.

Utilization is the share of a pack's tokens that influenced the answer. A reader is the language model that
measures it. A generation is one published version of an index.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack, get_args

from contextsvc.errors import InvalidRequest, UserError
from contextsvc.indexing.build import BuildResult, Progress, build_index
from contextsvc.indexing.deduplication import Deduplicator
from contextsvc.measuring.comparison import Comparison, Configuration
from contextsvc.measuring.records import Calibration, Target, Utilization
from contextsvc.records.documents import Document, Format
from contextsvc.records.json import Json
from contextsvc.records.packs import ContextPack
from contextsvc.records.validation import incoming_document
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
        filters: Condition on the documents' metadata, as in `POST /v1/context`; no condition by default.
        exact: Whether to compare the query with every vector; False by default.
        trim: Whether the best sentences are taken, instead of whole chunks.
        answerable_only: Whether to return an empty pack if nothing in the index answers the query; False by
            default.
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
        made: The generation (published version) that is current now, with the counts of the build.
        duplicates: Documents that are equal or nearly equal to an earlier document, in the order of reading.
    """

    made: BuildResult
    duplicates: tuple[Alias, ...]


class IndexHandle:
    """An open index. Close it with `close`, or use it as a context manager.

    After a publish, the handle makes packs from the new generation (published version) of the index.

    Args:
        engine: The engine that packs and measures.
        name: Name of the index in the engine's folder of indexes.
        closing: Resources that are closed together with the handle.
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
        """Close files and connections and release the models. A second call does nothing."""
        self._engine = None
        self._closing.close()

    @property
    def generation(self) -> str:
        """Id of the generation (published version of the index) that packs are made from."""
        return self._open.library.get(self.name).generation

    def pack(
        self, query: str, *, budget_tokens: int = BUDGET_TOKENS, **options: Unpack[PackOptions]
    ) -> ContextPack:
        """Make a pack of the best chunks for a query that fit a token budget.

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
        """Measure which chunks of a pack influenced the answer, and return the pack's utilization.

        Utilization is the share of a pack's tokens that influenced the answer.

        Args:
            pack: A pack that was made from the current generation (published version) of this index.
            response: The answer of your model; None: the reader (the language model that measures) writes
                one.
            sentences: Whether to measure each sentence of the chunks that influenced the answer, too.

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
        """Make a pack and return it as JSON, with its utilization.

        Arguments and result are the fields of the request and of the answer of `POST /v1/context`.
        """
        return self._open.context(self.name, query, budget_tokens, **chosen)

    def compare(
        self,
        questions: Sequence[Question],
        configurations: Sequence[Configuration],
        report: Callable[[str, Json], None] = lambda *_: None,
    ) -> Comparison:
        """Pack and measure many queries under several configurations, and compare each with the first.

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
        """Measure placebos, and store the thresholds of the reader with the current generation.

        A placebo is an unrelated chunk put into a pack as a control. A chunk counts as influential if its
        effect is above the threshold, which is computed from the effects of placebos. The reader is the
        language model that measures.

        Args:
            questions: Queries to measure placebos with. None: each question is a sentence of the index, and
                its response is the next sentence.
            num_questions: Number of questions to draw from the index if `questions` is None.
            report: Called after every query with the number of placebos so far or the reason for skipping.

        Returns:
            The stored calibrations, sorted by kind of target.

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
    """Build an index from all its documents and publish it. Until then the previous generation serves.

    A generation is one published version of an index.

    Args:
        sources: A path, several paths, or documents. A path is a file or a folder of text, Markdown, HTML or
            JSONL. Documents are read once, in order, with one in memory at a time.
        index: Name of the index in the settings' folder of indexes, or path of the index.
        settings: The settings; None: the settings of the environment.
        dedupe: Whether to keep only the first of equal and near-duplicate documents.
        resume: Whether to continue from the finished parts of an interrupted build.
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
    """Open an index to pack and to measure.

    The embedding model is loaded now. The reader (the language model that measures) is loaded at the first
    measurement.

    Args:
        index: Name of the index in the settings' folder of indexes, or path of the index.
        settings: The settings; None: the settings of the environment.
        tokenizer_file: Path of a `tokenizer.json` that packs may name as their tokenizer.

    Raises:
        UnknownIndex: there is no such index.
        CorruptIndex: the files of the index are damaged.
        IndexMismatch: the index was built with another embedding model.
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
    """Make a pack of the best chunks for one query that fit a token budget.

    For several queries use `open_index`, which loads the models only once. Arguments and errors are those of
    `open_index` and `IndexHandle.pack`.
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
    """Measure which chunks of one pack influenced the answer, and return the pack's utilization.

    For several packs use `open_index`, which loads the models only once. Arguments and errors are those of
    `open_index` and `IndexHandle.measure`. `index` is needed only if the index is not in the settings' folder
    of indexes.
    """
    with open_index(pack.index if index is None else index, settings=settings) as opened:
        return opened.measure(pack, response=response, sentences=sentences)


def _placed(index: str | Path, settings: Settings | None) -> tuple[Settings, str]:
    """Return the settings with the folder that holds the index, and the name of the index."""
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
    if source.format not in get_args(Format):
        known = ", ".join(get_args(Format))
        found = f"document {source.doc_id[:80]!r} has the format {source.format!r}"
        raise InvalidRequest(f"{found}; expected one of {known}")
    return incoming_document(**{f.name: getattr(source, f.name) for f in fields(source)})
