"""Bounds of dependencies: lower ones are tested; libraries whose insides are used have an upper one."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parents[1]
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]
UNTESTED = {"peers"}
"""Extras of benchmarks, which have an environment of their own."""

INSIDES = {"diskcache", "faiss-cpu", "sentence-transformers", "tiktoken", "transformers"}
"""Libraries whose private interfaces are used in `contextsvc/adapters`."""


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    lines = [
        *PROJECT["dependencies"],
        *(line for name in extras if name not in UNTESTED for line in extras[name]),
    ]
    return [Requirement(line) for line in lines]


def pins(name: str) -> dict[str, Version]:
    lines = (HERE / name).read_text("utf-8").splitlines()
    found = (re.fullmatch(r"([\w.-]+)==(\S+)", line) for line in lines)
    return {canonicalize_name(match[1]): Version(match[2]) for match in found if match}


def bounds(requirement: Requirement, operator: str) -> list[Version]:
    return [Version(s.version) for s in requirement.specifier if s.operator == operator]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_lower_bound_is_the_version_that_make_lower_bounds_tests(requirement: Requirement) -> None:
    assert bounds(requirement, ">=") == [pins("lower-bounds.txt")[canonicalize_name(requirement.name)]]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_pinned_version_is_within_the_bounds(requirement: Requirement) -> None:
    assert pins("constraints.txt")[canonicalize_name(requirement.name)] in requirement.specifier


def test_insides_are_used_up_to_the_minor_version_that_is_tested() -> None:
    upper = {canonicalize_name(r.name): bounds(r, "<") for r in requirements() if bounds(r, "<")}
    tested = {name: pins("constraints.txt")[name] for name in INSIDES}
    assert upper == {name: [Version(f"{v.major}.{v.minor + 1}")] for name, v in tested.items()}
