"""The examples of the OpenAPI document have the keys and types of live answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from contextsvc.api.app import create_app
from contextsvc.api.operations import examples
from contextsvc.api.packs import ContextBody
from tests.api.test_api import ASK
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.world import fake_engine
from tools.record_examples import example, real_service, record

FREE = {"settings", "signals", "thresholds"}
"""Keys whose own keys are data."""


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Places where two JSON values differ in keys or types; null and an empty list fit everything."""
    if one is None or other is None:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        if path.rpartition(".")[2] in FREE:
            return
        for key in sorted(one.keys() ^ other.keys()):
            yield f"{path}.{key}: only in one"
        for key in sorted(one.keys() & other.keys()):
            yield from differences(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list):
        for number, item in enumerate(other):
            if one:
                yield from differences(one[min(number, len(one) - 1)], item, f"{path}[]")
    elif type(one) is not type(other):
        yield f"{path}: {type(one).__name__} and {type(other).__name__}"


def test_differences_are_found() -> None:
    one = {"a": 1, "b": [{"c": 1.0}], "d": None, "settings": {"x": 1}}
    assert list(differences(one, {"a": 2, "b": [{"c": 2.0}] * 2, "d": "x", "settings": {}})) == []
    assert list(differences(one, {"a": "2", "b": [{"c": 2}], "d": 1, "e": 1, "settings": {}})) == [
        ".e: only in one",
        ".a: int and str",
        ".b[].c: float and int",
    ]


def test_every_example_has_the_keys_and_types_of_a_live_answer(build: Build, tmp_path: Path) -> None:
    build()
    with TestClient(create_app(lambda: fake_engine(tmp_path, MemoryCache()))) as client:
        live = record(client, ASK, "every night")
    assert list(differences(examples(), live)) == []


@pytest.mark.model
def test_every_example_is_what_the_real_service_answers(tmp_path: Path) -> None:
    body = {**example(ContextBody), "max_chunks": 2}
    with TestClient(real_service(tmp_path)) as client:
        live = record(client, body)
    assert list(differences(examples(), live)) == []
