"""Settings -> what measures, waits and draws."""

from collections.abc import Mapping

from contextsvc.measuring.calibration import packaged_calibrations
from contextsvc.measuring.comparison import Comparison
from contextsvc.measuring.masks import Fit, necessity_and_sufficiency
from contextsvc.measuring.measurer import Measurer
from contextsvc.ports import JobQueue, Limits, Reader
from contextsvc.settings import Settings
from contextsvc.wiring.assets import model_place


def build_measurer(settings: Settings) -> Measurer:
    """The reader and how it is asked."""
    fit: Fit = necessity_and_sufficiency
    if settings.num_subsets:
        from contextsvc.adapters.readers.lasso import lasso_contributions

        fit = lasso_contributions
    return Measurer(
        reader=build_reader(settings),
        fit=fit,
        packaged=packaged_calibrations(),
        num_placebos=settings.num_placebos,
        num_subsets=settings.num_subsets,
        near_duplicate_similarity=settings.near_duplicate_similarity,
        limits=Limits(settings.measure_max_calls, settings.measure_max_tokens, settings.measure_max_seconds),
        seed=settings.seed,
    )


def build_reader(settings: Settings) -> Reader:
    """The model that measures: behind an endpoint where one is set, else in this process."""
    if settings.reader_url:
        from contextsvc.adapters.readers.openai import OpenAiEndpointReader

        return OpenAiEndpointReader(
            settings.reader_url, settings.reader, settings.reader_api_key, settings.reader_outcome,
            settings.answer_max_tokens, settings.reader_timeout_seconds,
        )  # fmt: skip
    from contextsvc.adapters.readers.local import TransformersReader

    return TransformersReader(
        model_place(settings, settings.reader), settings.precision, settings.num_threads,
        settings.answer_max_tokens, settings.reader_mode, settings.reader_state_bytes,
    )  # fmt: skip


def build_jobs(settings: Settings) -> JobQueue | None:
    """Measurements that wait, or None when measuring in the background is off."""
    if not settings.background_jobs:
        return None
    from contextsvc.adapters.storage.job_queue import SqliteJobQueue

    return SqliteJobQueue(settings.home / "measuring.sqlite3", settings.background_jobs)


def draw_pictures(comparison: Comparison) -> Mapping[str, str]:
    """Pictures of a comparison as SVG, by name.

    Raises:
        MissingExtra: the extra `report` is not installed.
    """
    from contextsvc.adapters.report.charts import draw

    return draw(comparison)
