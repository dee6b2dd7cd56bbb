from pathlib import Path

from contextsvc.adapters.sources.folders import walk


def found(folder: Path) -> list[tuple[str, str]]:
    return [(entry.relative, entry.problem) for entry in walk(folder)]


def test_files_come_by_name_and_hidden_ones_do_not(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.md", "a/c/d.md", ".git/x.md", "a/.hidden.md", "c.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [relative for relative, _ in found(tmp_path)] == ["a/c/d.md", "a/z.md", "b.md", "c.md"]


def test_symlinks_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    folder, outside = tmp_path / "docs", tmp_path / "docs-private"
    (folder / "real").mkdir(parents=True)
    outside.mkdir()
    (folder / "real/a.md").write_text("x")
    (outside / "secret.md").write_text("x")
    (folder / "alias").symlink_to("real")
    (folder / "again").symlink_to("real")
    (folder / "file.md").symlink_to("real/a.md")
    (folder / "out").symlink_to(outside)
    (folder / "out.md").symlink_to(outside / "secret.md")
    out = "a symlink out of the folder; copy its target in, or give that as a SOURCE"
    assert found(folder) == [
        ("again/a.md", ""),
        ("alias", "a symlink to a folder that another symlink already led to"),
        ("file.md", ""),
        ("out", out),
        ("out.md", out),
        ("real/a.md", ""),
    ]


def test_cycles_and_dead_ends_come_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a/1.md").write_text("x")
    (tmp_path / "a/to_b").symlink_to("../b")
    (tmp_path / "b/to_a").symlink_to("../a")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "self.md").symlink_to("self.md")
    (tmp_path / "gone.md").symlink_to("nowhere")
    before = "a symlink to a folder that another symlink already led to"
    lies_in = "a symlink to a folder that contains it"
    assert found(tmp_path) == [
        ("a/1.md", ""),
        ("a/to_b/to_a/1.md", ""),
        ("a/to_b/to_a/to_b", before),
        ("a/to_b/to_a/up", lies_in),
        ("a/up", lies_in),
        ("b/to_a", before),
        ("gone.md", "a symlink without a target: No such file or directory"),
        ("self.md", "a symlink without a target: Too many levels of symbolic links"),
    ]


def test_a_name_that_is_not_utf8_is_named_readably(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.md").write_text("x")
    assert found(tmp_path) == [("caf\\xe9.md", "its name is not UTF-8; rename it")]
