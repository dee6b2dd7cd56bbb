"""The Dockerfile, without an engine: parsed, and its install step tried where that is possible."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parents[1]
TEXT = (HERE / "Dockerfile").read_text("utf-8")


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", TEXT)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    found = [line.partition(" ") for line in lines]
    return [(word, " ".join(rest.split())) for word, _, rest in found]


def test_every_instruction_is_one() -> None:
    known = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {word for word, _ in instructions()} == known


def test_it_has_two_stages_and_does_not_run_as_root() -> None:
    words = [word for word, _ in instructions()]
    assert words.count("FROM") == 2
    last_stage = instructions()[len(words) - words[::-1].index("FROM") :]
    assert ("USER", "contextsvc") in last_stage
    assert last_stage[-1] == ("CMD", '["contextsvc", "serve"]')
    assert any(word == "HEALTHCHECK" and "/livez" in rest for word, rest in last_stage)


def test_what_it_copies_is_here_and_not_ignored() -> None:
    ignored = (HERE / ".dockerignore").read_text().split()
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            assert all((HERE / source).exists() and source not in ignored for source in sources)


def test_its_commands_and_extras_exist() -> None:
    import tomllib

    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    extras = re.search(r"'\.\[([\w,]+)\]'", TEXT)
    assert extras
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    assert "contextsvc" in project["scripts"]


def test_the_copied_files_are_enough_to_build_the_package(tmp_path: Path) -> None:
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            *sources, target = rest.split()
            for source in sources:
                subprocess.run(["cp", "-r", str(HERE / source), str(tmp_path / target)], check=True)
    # The image installs with every dependency; here they are installed already, so only the package.
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", "out", "."]
    subprocess.run(command, cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = "import contextsvc.cli.main as m; print(m.__file__); m.run(['--version'])"
    env = {"PYTHONPATH": str(site), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=tmp_path / "out", env=env, text=True, check=True, capture_output=True)
    assert run.stdout.splitlines() == [str(site / "contextsvc/cli/main.py"), "0.1.0"]
    names = zipfile.ZipFile(wheel).namelist()
    assert "contextsvc/assets/registry.json" in names
    assert any(name.startswith("contextsvc/measuring/calibrations/") for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)
