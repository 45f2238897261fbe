"""What pyright and ruff find in Python files, by the rules that findings break."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nnxc.fresh import SHARED

from .timing import ROOT

# Names, builtins shadowed, complexity, arguments: the same limits for all that is read.
RULES = ("N", "A", "C90", "PLR0913")
COMPLEXITY, ARGUMENTS = 10, 8
# Types that libraries leave unsaid, and what is not installed: a file cannot help these.
OF_LIBRARIES = frozenset(
    [
        "reportMissingImports",
        "reportMissingModuleSource",
        "reportMissingTypeStubs",
        "reportUnknownArgumentType",
        "reportUnknownMemberType",
        "reportUnknownVariableType",
    ]
)

# Flax documents pairs for the padding of pools and leaves it untyped, so that pyright takes its
# default, a text, for its type.
UNTYPED = re.compile(
    r'parameter "padding" of type "str" in function "(avg|max|min)_pool"'
)

# Modules beside those that import them, whatever the folder that ruff begins in.
BESIDE = [name.removesuffix(".py") for name in sorted(SHARED)]
Finding = Mapping[str, Any]  # as pyright tells it


def find_pyright() -> str | None:
    """The command: `PYRIGHT`, that of `make reading`, or the one of the path; None without."""
    own = ROOT / ".venv-reading/bin/pyright"
    found = own if own.exists() else shutil.which("pyright")
    return os.environ.get("PYRIGHT") or (str(found) if found else None)


def pyright(
    folder: Path, files: Iterable[Path], mode: str = "strict"
) -> dict[Path, list[Finding]]:
    """The findings in files below a folder, whose modules import each other from there. What is
    installed beside pyright is known, too."""
    command = find_pyright()
    if command is None:
        raise FileNotFoundError("pyright is not installed: run `make reading`")
    files = list(files)
    below = [f.relative_to(folder).as_posix() for f in files]
    more = [str(p) for p in Path(command).parents[1].glob("lib/python*/site-packages")]
    config = {"typeCheckingMode": mode, "include": below, "extraPaths": more}
    path = folder / "pyrightconfig.json"
    path.write_text(json.dumps(config))
    arguments = ["--outputjson", "--project", str(path)]
    arguments += ["--pythonpath", sys.executable]
    run = subprocess.run([command, *arguments], capture_output=True, text=True)
    if run.returncode > 1:
        told = run.stderr or run.stdout
        raise RuntimeError(f"pyright ended with {run.returncode}: {told}")
    found: dict[Path, list[Finding]] = {f: [] for f in files}
    for finding in json.loads(run.stdout)["generalDiagnostics"]:
        found[Path(finding["file"])].append(finding)
    return found


def rules_broken(findings: Iterable[Finding]) -> Counter[str]:
    """How often each rule of pyright is broken."""
    return Counter(str(finding.get("rule", "syntax")) for finding in findings)


def own(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that are a file's own making."""
    return [
        finding
        for finding in findings
        if finding.get("rule") not in OF_LIBRARIES
        and not UNTYPED.search(finding["message"])
    ]


def ruff(
    files: Iterable[Path],
    rules: Iterable[str] = RULES,
    complexity: int = COMPLEXITY,
    arguments: int = ARGUMENTS,
) -> dict[Path, list[Finding]]:
    """The findings in files, whatever their projects' settings say."""
    files = list(files)
    limits = [
        f"lint.mccabe.max-complexity={complexity}",
        f"lint.pylint.max-args={arguments}",
        f"lint.isort.known-first-party={BESIDE}",
    ]
    options = ["--isolated", "--no-cache", "--ignore-noqa", "--exit-zero"]
    options += ["--target-version=py311", "--output-format=json"]
    options += ["--select", ",".join(rules)]
    options += [part for limit in limits for part in ("--config", limit)]
    command = [sys.executable, "-m", "ruff", "check", *options, *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[Path, list[Finding]] = {f: [] for f in files}
    for finding in json.loads(run.stdout):
        found[Path(finding["filename"])].append(finding)
    return found


def versions() -> dict[str, str]:
    """The tools' versions."""
    commands = {
        "pyright": [str(find_pyright()), "--version"],
        "ruff": [sys.executable, "-m", "ruff", "--version"],
    }
    return {
        name: subprocess.run(command, capture_output=True, text=True).stdout.split()[-1]
        for name, command in commands.items()
    }
