"""Settings: read once, checked at birth."""

from pathlib import Path

import pytest

from contextsvc.errors import SettingError
from contextsvc.settings import Settings, documented


def test_the_environment_sets_by_name() -> None:
    made = Settings.from_env(
        {"CONTEXTSVC_PORT": "9000", "CONTEXTSVC_CACHE": "0", "CONTEXTSVC_ROOT": "/data", "HOME": "/x"}
    )
    assert (made.port, made.cache, made.root) == (9000, False, Path("/data"))


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("CONTEXTSVC_PORT", "high", "CONTEXTSVC_PORT is 'high'; expected a whole number"),
        ("CONTEXTSVC_CACHE", "maybe", "expected 1, true, 0 or false"),
        ("CONTEXTSVC_TRIM", "0.8", "CONTEXTSVC_TRIM is '0.8'; expected 1, true, 0 or false"),
        ("CONTEXTSVC_SCORE_FLOOR", "2", "CONTEXTSVC_SCORE_FLOOR is 2.0; expected between 0 and 1"),
        ("CONTEXTSVC_MAX_CHUNKS", "0", "expected at least 1"),
        ("CONTEXTSVC_NUM_PLACEBOS", "-1", "expected not negative"),
        ("CONTEXTSVC_PRECISION", "int4", "expected auto, float32 or bfloat16"),
        ("CONTEXTSVC_CHUNK_MIN_TOKENS", "500", "at most chunk_max_tokens"),
        ("CONTEXTSVC_LEXICAL_WEIGHT", "-1", "weights not negative"),
        ("CONTEXTSVC_NUM_SUBSETS", "-1", "expected not negative"),
        ("CONTEXTSVC_READER_STATE_BYTES", "-1", "expected not negative"),
        ("CONTEXTSVC_BACKGROUND_JOBS", "-1", "expected not negative"),
        ("CONTEXTSVC_MEASURE_MAX_CALLS", "0", "expected at least 1"),
        ("CONTEXTSVC_MEASURE_MAX_TOKENS", "0", "expected at least 1"),
        ("CONTEXTSVC_MEASURE_MAX_TOKENS", "many", "expected a whole number"),
        ("CONTEXTSVC_MEASURE_MAX_SECONDS", "0", "expected more than 0"),
        ("CONTEXTSVC_READER_TIMEOUT_SECONDS", "0", "expected more than 0"),
        ("CONTEXTSVC_MEASURE_SHARE", "1.5", "CONTEXTSVC_MEASURE_SHARE is 1.5; expected between 0 and 1"),
        ("CONTEXTSVC_MEASURE_SHARE", "0.1", "expected 0, or CONTEXTSVC_BACKGROUND_JOBS above 0"),
        ("CONTEXTSVC_PROT", "1", "unknown setting CONTEXTSVC_PROT; known: "),
    ],
)
def test_what_does_not_fit_is_told(variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Settings.from_env({variable: value})


def test_every_setting_is_documented() -> None:
    names = [name for name, _, _ in documented()]
    assert len(names) == len(set(names)) == len(Settings.__dataclass_fields__)
    assert all(doc for _, _, doc in documented())


def test_nothing_is_measured_in_the_background_unless_it_is_asked_for() -> None:
    assert (Settings().background_jobs, Settings().measure_share) == (0, 0.0)
    asked = Settings.from_env({"CONTEXTSVC_BACKGROUND_JOBS": "9", "CONTEXTSVC_MEASURE_SHARE": "0.1"})
    assert (asked.background_jobs, asked.measure_share) == (9, 0.1)


def test_a_key_is_not_shown() -> None:
    made = Settings.from_env({"CONTEXTSVC_READER_API_KEY": "sesame"})
    assert made.reader_api_key == "sesame"
    assert "sesame" not in repr(made)
    assert "sesame" not in str(documented())
