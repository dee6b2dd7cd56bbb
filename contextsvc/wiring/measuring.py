"""Make the measurer, its job queue and the charts of its results from the settings.

A reader is the language model that measures how a pack was used.
"""

from collections.abc import Mapping

from contextsvc.measuring.calibration import packaged_calibrations
from contextsvc.measuring.comparison import Comparison
from contextsvc.measuring.masks import Fit, necessity_and_sufficiency
from contextsvc.measuring.measurer import Measurer
from contextsvc.ports import JobQueue, Limits, Reader
from contextsvc.settings import Settings
from contextsvc.wiring.assets import model_place


def build_measurer(settings: Settings) -> Measurer:
    """Make the measurer with its reader. This loads the reader's model."""
    fit: Fit = necessity_and_sufficiency
    if settings.num_subsets:
        from contextsvc.adapters.language_models.lasso import lasso_contributions

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
    """Make the reader: an endpoint if its URL is set, otherwise a model in this process."""
    if settings.reader_url:
        from contextsvc.adapters.language_models.openai import OpenAiEndpointReader

        return OpenAiEndpointReader(
            settings.reader_url,
            settings.reader,
            api_key=settings.reader_api_key,
            outcome=settings.reader_outcome,
            answer_max_tokens=settings.answer_max_tokens,
            timeout_seconds=settings.reader_timeout_seconds,
        )
    from contextsvc.adapters.language_models.local import TransformersReader

    return TransformersReader(
        model_place(settings, settings.reader),
        precision=settings.precision,
        num_threads=settings.num_threads,
        answer_max_tokens=settings.answer_max_tokens,
        mode=settings.reader_mode,
        state_bytes=settings.reader_state_bytes,
    )


def build_jobs(settings: Settings) -> JobQueue | None:
    """Open the queue of background measurements, or return None if they are off."""
    if not settings.background_jobs:
        return None
    from contextsvc.adapters.storage.job_queue import SqliteJobQueue

    return SqliteJobQueue(settings.home / "measuring.sqlite3", settings.background_jobs)


def draw_pictures(comparison: Comparison) -> Mapping[str, str]:
    """Draw charts of a comparison, and return them as SVG texts by name.

    Raises:
        MissingExtra: the extra `report` is not installed.
    """
    from contextsvc.adapters.charts.comparison_charts import draw

    return draw(comparison)
