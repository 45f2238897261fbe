"""The Makefile: what it says of itself, and what it says of an older Python."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Makefile").read_text()


def make(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_help_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (.*)", TEXT, re.MULTILINE)[0].split()
    listed = re.findall(r"^make ([\w-]+) ", make("help").stdout, re.MULTILINE)
    assert listed == targets


def test_an_older_python_is_refused_with_advice(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    old = tmp_path / "old-python"
    # A Python that says it is 3.9 when asked, and nothing more.
    old.write_text(
        '#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 9); '
        "sys.version = '3.9.2'; $2\"\n"
    )
    old.chmod(0o755)
    run = make("test", f"PYTHON={old}", cwd=tmp_path)
    assert run.returncode != 0
    assert "needs Python 3.11 or newer" in run.stderr
    assert not (tmp_path / ".venv").exists()


def test_ci_runs_the_tests() -> None:
    run = (ROOT / ".ci" / "run").read_text()
    assert re.findall("make (.*)", run) == ["test", "fuzz-daily", "heavy"]


def test_tunix_has_an_environment_of_its_own() -> None:
    assert "$(TUNIX)/bin/python -m pip install -qq --editable '.[tunix]'" in TEXT
    assert "device_count=4" in TEXT and "rm -rf $(VENV) $(TUNIX)" in TEXT
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "google-tunix>=0.1.7" in extras["optional-dependencies"]["tunix"]
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert ".venv-*/" in ignored
