"""The documents: every example runs, every path exists, every figure is a measured one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import nnxc
from benchmarks import families
from benchmarks.table import refreshed

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(
    r"(?:<!-- (?P<note>\w+): (?P<argument>.+?) -->\n)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)```",
    re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block, and the comment above it that says what it must agree with."""

    language: str
    text: str
    note: str | None
    argument: str

    def __str__(self) -> str:
        return f"{self.language}: {self.text.splitlines()[0]}"


BLOCKS = [
    Block(m["language"], m["text"], m["note"], m["argument"] or "")
    for m in BLOCK.finditer(README)
]


def of(*languages: str) -> list[Block]:
    return [b for b in BLOCKS if b.language in languages]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder, and an environment in which `nnxc` and `python` are this checkout's."""
    folder = tmp_path_factory.mktemp("readme")
    tools = folder / "bin"
    tools.mkdir()
    for name, arguments in (("nnxc", " -m nnxc"), ("python", "")):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\nexec {sys.executable}{arguments} "$@"\n')
        tool.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return folder, os.environ | {"PATH": path, "PYTHONPATH": str(ROOT / "dsl")}


def run(
    command: str, shell: tuple[Path, dict[str, str]]
) -> subprocess.CompletedProcess[str]:
    folder, env = shell
    return subprocess.run(
        ["sh", "-ec", command], cwd=folder, env=env, capture_output=True, text=True
    )


def runnable(text: str) -> str:
    """The commands of a block but those that make or change an environment."""
    lines = [
        line for line in text.splitlines() if not line.startswith(("make ", "pip "))
    ]
    return "\n".join(lines)


def test_readme_begins_with_how_to_try_it() -> None:
    first = of("sh")[0].text.splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]


@pytest.mark.parametrize("block", of("nnx"), ids=str)
def test_specs_compile(block: Block) -> None:
    assert nnxc.compile(block.text).diagnostics == ()


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.note == "file"], ids=str)
def test_quoted_files_are_quoted_whole(block: Block) -> None:
    assert block.text == (ROOT / block.argument).read_text()


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.note == "from"], ids=str)
def test_excerpts_stand_in_their_files(block: Block) -> None:
    parts = block.text.split("...\n")
    text = (ROOT / block.argument).read_text()
    assert all(part.strip() in text for part in parts)


def test_examples_run_one_after_the_other(shell: tuple[Path, dict[str, str]]) -> None:
    for block in BLOCKS:
        if block.note in ("file", "from"):
            continue
        if block.language == "sh":
            done = run(runnable(block.text), shell)
            assert done.returncode == 0, f"{block.text}\n{done.stdout}{done.stderr}"
        if block.language == "python":
            (shell[0] / "example.py").write_text(block.text)
            done = run("python -W error example.py", shell)
            assert done.returncode == 0, f"{block.text}\n{done.stdout}{done.stderr}"
        if block.note == "write":
            (shell[0] / block.argument).write_text(block.text)
        if block.note == "output":
            done = run(block.argument + " 2>&1 || true", shell)
            assert done.stdout.rstrip() == block.text.rstrip()


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for name in re.findall(r"\bmake ([a-z]+)", "".join(b.text for b in of("sh"))):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE)


def test_figures_are_the_measured_ones() -> None:
    assert refreshed(README) == README


def test_the_table_of_families_is_current() -> None:
    page = families.PAGE.read_text()
    assert families.refreshed(page) == page


def test_architecture_names_only_what_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(text.splitlines()) <= 120
    paths = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text)
    paths += re.findall(r"^([\w./]+/) ", text, re.MULTILINE)
    assert len(paths) > 15
    assert [p for p in paths if not (ROOT / p).exists()] == []


def test_architecture_names_every_folder_of_the_compiler() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    package = ROOT / "dsl" / "nnxc"
    folders = [
        p for p in package.iterdir() if p.is_dir() and not p.name.startswith("_")
    ]
    assert [f for f in folders if f"dsl/nnxc/{f.name}/" not in text] == []


def test_changelog_tells_of_this_version() -> None:
    assert f"\n## {nnxc.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_no_document_is_wider_than_a_page() -> None:
    for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md"):
        prose = BLOCK.sub("", (ROOT / name).read_text())
        wide = [x for x in prose.splitlines() if len(x) > 120 and not x.startswith("|")]
        assert wide == []
