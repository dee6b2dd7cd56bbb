"""Settings: read once, all of them checked, every wrong one named."""

import json
import logging
from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.language_models.local import MODES
from contextsvc.adapters.language_models.openai import OUTCOMES
from contextsvc.adapters.models.torch_runtime import PRECISIONS
from contextsvc.adapters.text.tiktoken_counter import ENCODINGS as TOKENIZERS
from contextsvc.errors import SettingError
from contextsvc.packing.ordering import ORDERINGS
from contextsvc.records.requests import MAX_CHUNKS
from contextsvc.settings import ENCODINGS, Settings, documented


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
        ("CONTEXTSVC_PORT", "tcp:/bad", "CONTEXTSVC_PORT is 'tcp:/bad'; expected a whole number"),
        ("CONTEXTSVC_PORT", "65536", "CONTEXTSVC_PORT is 65536; expected between 0 and 65535"),
        ("CONTEXTSVC_HOST", "", "CONTEXTSVC_HOST is ''; expected not empty"),
        ("CONTEXTSVC_CACHE", "maybe", "expected 1, true, 0 or false"),
        ("CONTEXTSVC_TRIM", "0.8", "CONTEXTSVC_TRIM is '0.8'; expected 1, true, 0 or false"),
        ("CONTEXTSVC_SCORE_FLOOR", "2", "CONTEXTSVC_SCORE_FLOOR is 2.0; expected between 0 and 1"),
        ("CONTEXTSVC_WAIT_SECONDS", "inf", "CONTEXTSVC_WAIT_SECONDS is 'inf'; expected a number"),
        ("CONTEXTSVC_ANSWERABLE", "nan", "'nan'; expected auto or a number between 0 and 1"),
        ("CONTEXTSVC_ANSWERABLE", "1.01", "expected auto or a number between 0 and 1"),
        ("CONTEXTSVC_ANSWERABLE", "-.5", "expected auto or a number between 0 and 1"),
        ("CONTEXTSVC_ANSWERABLE", "", "expected auto or a number between 0 and 1"),
        ("CONTEXTSVC_MAX_CHUNKS", "0", "expected between 1 and 64"),
        ("CONTEXTSVC_NUM_PLACEBOS", "-1", "expected at least 0"),
        ("CONTEXTSVC_PRECISION", "int4", "expected auto, float32 or bfloat16"),
        ("CONTEXTSVC_ORDERING", "random", "expected relevance, document or edges"),
        ("CONTEXTSVC_READER_MODE", "fast", "expected blocks, masked or exact"),
        ("CONTEXTSVC_READER_OUTCOME", "both", "expected auto, log-probability or likeness"),
        ("CONTEXTSVC_DAMAGED_INDEX", "ignore", "expected fallback or refuse"),
        ("CONTEXTSVC_CHUNK_MIN_TOKENS", "500", r"at most CONTEXTSVC_CHUNK_MAX_TOKENS \(160\)"),
        ("CONTEXTSVC_LEXICAL_WEIGHT", "-1", "expected at least 0"),
        ("CONTEXTSVC_MEASURE_MAX_TOKENS", "many", "expected a whole number"),
        ("CONTEXTSVC_MEASURE_MAX_SECONDS", "0", "expected more than 0"),
        ("CONTEXTSVC_MEASURE_SHARE", "0.1", "expected 0, or CONTEXTSVC_BACKGROUND_JOBS above 0"),
        ("CONTEXTSVC_APPROXIMATE_INDEX", "Flat", "expected a FAISS factory string that begins with IVF"),
        ("CONTEXTSVC_TOKENIZER", "gpt2", "'gpt2'; expected one of o200k_base, cl100k_base$"),
        ("CONTEXTSVC_TOKENIZERS", "mine=/nowhere/tokenizer.json", "of files that exist"),
        ("CONTEXTSVC_EMBEDDER", "/nowhere/model", "'/nowhere/model'; expected a folder that exists"),
        ("CONTEXTSVC_READER", "./nowhere", "expected a folder that exists, an asset or a name on the hub"),
        ("CONTEXTSVC_CROSS_ENCODER", "../nowhere", "expected a folder that exists"),
        ("CONTEXTSVC_ROOT", __file__, r"test_settings\.py'; expected a folder"),
        ("CONTEXTSVC_PROT", "1", "unknown setting CONTEXTSVC_PROT; the nearest are .*CONTEXTSVC_PORT"),
        ("CONTEXTSVC_MAX_CHUNK", "1", "unknown setting CONTEXTSVC_MAX_CHUNK; the nearest are CONTEXTSVC_M"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_what_was_expected(variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Settings.from_env({variable: value})


def test_every_wrong_setting_is_named_in_one_error() -> None:
    wrong = {
        "CONTEXTSVC_PORT": "high",
        "CONTEXTSVC_CACHE": "maybe",
        "CONTEXTSVC_SCORE_FLOOR": "2",
        "CONTEXTSVC_ORDERING": "random",
        "CONTEXTSVC_EMBEDDER": "/nowhere/model",
        "CONTEXTSVC_CHUNK_MIN_TOKENS": "500",
        "CONTEXTSVC_QUEUE": "1",
    }
    with pytest.raises(SettingError) as refused:
        Settings.from_env({**wrong, "CONTEXTSVC_MAX_CHUNKS": "4"})
    first, *lines = str(refused.value).splitlines()
    assert first == "7 settings are wrong:"
    assert {name for name in wrong if any(name in line for line in lines)} == set(wrong)
    assert len(lines) == 7


def test_a_wrong_setting_made_in_code_is_refused_too() -> None:
    with pytest.raises(SettingError, match="2 settings are wrong"):
        Settings(port=-1, ordering="random")


def test_a_weight_of_zero_needs_the_other_weight() -> None:
    assert Settings(lexical_weight=0.0).semantic_weight == 0.65
    with pytest.raises(SettingError, match="expected more than 0, because CONTEXTSVC_SEMANTIC_WEIGHT is 0"):
        Settings(lexical_weight=0.0, semantic_weight=0.0)


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(SettingError, match="CONTEXTSVC_READER_URL cannot be used") as refused:
        Settings.from_env({"CONTEXTSVC_READER_URL": "https://me:sesame@models.example/v1"})
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NUM_THREADS", "100000"),
        ("NUM_THREADS", "999999999999"),
        ("READER_URL", "http://127.0.0.1:abc/v1"),
        ("HOST", " "),
    ],
)
def test_a_value_that_would_fail_later_is_refused_at_start(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"CONTEXTSVC_{name}"):
        Settings.from_env({f"CONTEXTSVC_{name}": value})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "https://models.example", "http://[::1]:8080/v1", "http://host/v1/"]
)
def test_an_endpoint_may_be_named_in_these_ways(url: str) -> None:
    assert Settings.from_env({"CONTEXTSVC_READER_URL": url}).reader_url == url


def test_a_model_that_an_endpoint_knows_is_no_folder() -> None:
    env = {"CONTEXTSVC_READER": "/models/reader", "CONTEXTSVC_READER_URL": "http://127.0.0.1:1/v1"}
    assert Settings.from_env(env).reader == "/models/reader"


def test_an_additional_tokenizer_can_be_the_default(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    tokenizers = f"mine={tmp_path / 'tokenizer.json'}, "
    env = {"CONTEXTSVC_TOKENIZERS": tokenizers, "CONTEXTSVC_TOKENIZER": "mine"}
    assert Settings.from_env(env).tokenizer == "mine"


def test_the_choices_are_those_of_the_parts() -> None:
    rules = {f.name: f.metadata["rule"] for f in fields(Settings)}
    choices = {
        "ordering": set(ORDERINGS),
        "reader_mode": set(MODES),
        "reader_outcome": set(OUTCOMES),
        "precision": {"auto", *PRECISIONS},
    }
    for name, known in choices.items():
        assert set(rules[name].expected.replace(" or ", ", ").split(", ")) == known
        assert all(rules[name].holds(choice) for choice in known)
    assert set(ENCODINGS) == set(TOKENIZERS)
    assert rules["max_chunks"].holds(MAX_CHUNKS)
    assert not rules["max_chunks"].holds(MAX_CHUNKS + 1)


def service_links(
    service: str, ports: dict[str, int], protocol: str, address: str
) -> Iterator[tuple[str, str]]:
    """What a kubelet injects for a Service into the pods of its namespace."""
    name = service.upper().replace("-", "_")
    host = f"[{address}]" if ":" in address else address
    first = next(iter(ports.values()))
    yield f"{name}_SERVICE_HOST", address
    yield f"{name}_SERVICE_PORT", str(first)
    yield f"{name}_PORT", f"{protocol}://{host}:{first}"
    for port_name, port in ports.items():
        yield f"{name}_SERVICE_PORT_{port_name.upper().replace('-', '_')}", str(port)
        link = f"{name}_PORT_{port}_{protocol.upper()}"
        yield link, f"{protocol}://{host}:{port}"
        yield f"{link}_PROTO", protocol
        yield f"{link}_PORT", str(port)
        yield f"{link}_ADDR", address


@pytest.mark.parametrize(
    ("service", "address", "protocol"),
    [
        *product(("contextsvc", "contextsvc-cache", "contextsvc-port"), ("10.0.0.1", "fd00::1"), ("tcp",)),
        ("contextsvc", "10.0.0.1", "udp"),
    ],
)
def test_variables_of_service_links_are_ignored_and_logged_once(
    service: str, address: str, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    env = dict(service_links(service, {"http": 80, "http-metrics": 9090}, protocol, address))
    with caplog.at_level(logging.INFO, "contextsvc.settings"):
        made = Settings.from_env({**env, "CONTEXTSVC_MAX_CHUNKS": "4"})
    assert made == Settings(max_chunks=4)
    (record,) = caplog.records
    said = json.loads(record.getMessage())
    assert said == {"event": "kubernetes_service_links_ignored", "variables": sorted(env)}


@given(
    st.from_regex(r"contextsvc(-[a-z0-9]{1,8}){0,3}", fullmatch=True),
    st.dictionaries(st.from_regex(r"[a-z]([a-z0-9]{0,5}-[a-z0-9])?", fullmatch=True),
                    st.integers(1, 65_535), min_size=1, max_size=3),
    st.sampled_from(["tcp", "udp", "sctp"]),
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str),
)  # fmt: skip
def test_no_service_keeps_the_settings_from_being_read(
    service: str, ports: dict[str, int], protocol: str, address: str
) -> None:
    assert Settings.from_env(dict(service_links(service, ports, protocol, address))) == Settings()


def test_a_port_beside_service_links_is_a_setting(caplog: pytest.LogCaptureFixture) -> None:
    env = {**dict(service_links("contextsvc", {"http": 80}, "tcp", "10.0.0.1")), "CONTEXTSVC_PORT": "80"}
    assert Settings.from_env(env).port == 80
    caplog.set_level(logging.INFO)
    caplog.clear()
    assert Settings.from_env({"CONTEXTSVC_PORT": "80"}).port == 80
    assert not caplog.records


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CONTEXTSVC_SERVICE_HOST", "db.example.org"),
        ("CONTEXTSVC_CACHE_PORT", "6379"),
        ("CONTEXTSVC_PORT_80_TCP_PROTO", "http"),
        ("CONTEXTSVC_HOST_PORT", "tcp://nowhere"),
    ],
)
def test_a_variable_that_no_kubelet_injects_is_unknown(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"unknown setting {variable}"):
        Settings.from_env({variable: value})


def test_every_setting_is_documented() -> None:
    names = [name for name, _, _ in documented()]
    assert len(names) == len(set(names)) == len(Settings.__dataclass_fields__)
    assert all(doc for _, _, doc in documented())
    shown = {name: doc for name, _, doc in documented()}
    assert shown["CONTEXTSVC_PORT"] == "port the service listens on; 0: any free port (between 0 and 65535)"


def test_nothing_is_measured_in_the_background_by_default() -> None:
    assert (Settings().background_jobs, Settings().measure_share) == (0, 0.0)
    asked = Settings.from_env({"CONTEXTSVC_BACKGROUND_JOBS": "9", "CONTEXTSVC_MEASURE_SHARE": "0.1"})
    assert (asked.background_jobs, asked.measure_share) == (9, 0.1)


def test_a_key_is_not_shown() -> None:
    made = Settings.from_env({"CONTEXTSVC_READER_API_KEY": "sesame"})
    assert made.reader_api_key == "sesame"
    assert "sesame" not in repr(made)
    assert "sesame" not in str(documented())


@pytest.mark.parametrize(
    ("value", "threshold"),
    [("auto", None), ("0", 0.0), ("0.48", 0.48), (".5", 0.5), ("1", 1.0), ("1.0", 1.0)],
)
def test_the_answer_threshold_is_a_number_or_that_of_the_index(value: str, threshold: float | None) -> None:
    assert Settings.from_env({"CONTEXTSVC_ANSWERABLE": value}).answer_threshold == threshold
