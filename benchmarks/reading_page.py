"""The page that shows how our output reads beside what is written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .findings import ARGUMENTS, COMPLEXITY
from .timing import ROOT

PAGE = ROOT / "benchmarks" / "reading.md"
HEAD = f"""# How the output reads

Our output beside what people write by hand in Flax NNX, in figures. `make reading` writes this page.

- Lines and tokens are those of code: no docstrings, comments, blank lines. All is formatted alike before (Black, 88).
- Longest: lines of code of the longest function. Arguments: the most that a function names, without `self`.
- pyright, in its basic and its strict mode: findings of the file's own making; in brackets all of them, with those that follow
  from what jax, flax and optax leave untyped. What is not installed is not counted.
- ruff: names (N), builtins shadowed (A), functions of a complexity above {COMPLEXITY} (C), of more than {ARGUMENTS} arguments (PLR).
- What files hold differs: ours have a loss, steps of training, the tensors of published files in and out with all errors, and
  for language models `generate`; by hand they have the model and a loader, and some a cache.

| Model | Code | Lines | Tokens | Longest | Arguments | pyright basic | strict | ruff |
|---|---|---|---|---|---|---|---|---|
"""
_NONE = "by hand in NNX: none in these repositories"

Figures = Mapping[str, Any]
ByHand = Mapping[str, Iterable[tuple[str, tuple[str, ...]]]]


def page(results: Figures, titles: Sequence[str], by_hand: ByHand) -> str:
    """The page of results; models in the order of `titles`."""
    ours, theirs = results["ours"], results["by_hand"]
    rows: list[str] = []
    for title in titles:
        figures = ours["models"][title]
        link = f"[{figures['spec']}](../dsl/nnxc/zoo/{figures['spec']}.nnx)"
        more = "".join(f", `{name}`" for name in figures["shared"])
        rows.append(row(title, f"nnxc: {link}{more and f' (and {more[2:]})'}", figures))
        found = [
            row("", f"{repository}: {_files(files)}", together(files.values()))
            for repository, _ in by_hand.get(title, ())
            if repository in theirs and (files := theirs[repository]["models"][title])
        ]
        rows += found or [f"| | {_NONE} | | | | | | | |"]
    for name, figures in ours["shared"].items():
        rows.append(row("shared", f"nnxc: `{name}`", figures))
    for repository, read in theirs.items():
        if files := read["models"].get("shared"):
            label = f"{repository}: {_files(files)}"
            rows.append(row("shared", label, together(files.values())))
    return f"{HEAD}{chr(10).join(rows)}\n\n{_sums(results, titles)}\n\n{_sources(results)}\n"


def row(title: str, label: str, figures: Figures) -> str:
    """One line of the table."""
    style = ", ".join(f"{group} {n}" for group, n in figures["ruff"].items()) or "0"
    cells = (
        title,
        label,
        f"{figures['lines']:,}",
        f"{figures['tokens']:,}",
        figures["longest"],
        figures["arguments"],
        figures["basic"],
        f"{figures['strict_own']} ({figures['strict']})",
        style,
    )
    return f"| {' | '.join(map(str, cells))} |"


def together(files: Iterable[Figures]) -> dict[str, Any]:
    """The figures of several files as those of one."""
    files = list(files)
    found: dict[str, Any] = {
        key: sum(f[key] for f in files)
        for key in ("lines", "tokens", "basic", "strict_own", "strict")
    }
    found |= {key: max(f[key] for f in files) for key in ("longest", "arguments")}
    groups = sorted({group for f in files for group in f["ruff"]})
    found["ruff"] = {g: sum(f["ruff"].get(g, 0) for f in files) for g in groups}
    return found


def _files(files: Iterable[str]) -> str:
    """The files of a folder, in short."""
    paths = list(files)
    folder = paths[0].rpartition("/")[0]
    return f"`{folder}` ({', '.join(p.rpartition('/')[2][:-3] for p in paths)})"


def _sums(results: Figures, titles: Sequence[str]) -> str:
    """Both sides, of the models that Bonsai has too."""
    ours, bonsai = results["ours"], results["by_hand"].get("jax-ml/bonsai")
    if bonsai is None:
        return ""
    both = [t for t in titles if bonsai["models"].get(t)]
    mine = together([ours["models"][t] for t in both])
    shared = together(ours["shared"].values()) if ours["shared"] else None
    theirs = together(f for t in both for f in bonsai["models"][t].values())
    more = f", and {shared['lines']:,} shared" if shared else ""
    return (
        f"The {len(both)} models that jax-ml/bonsai has too: {mine['lines']:,} lines of ours{more}, {theirs['lines']:,} of "
        f"theirs; in strict mode {mine['strict_own']:,} findings of our own and {theirs['strict_own']:,} of theirs; of ruff "
        f"{sum(mine['ruff'].values()):,} and {sum(theirs['ruff'].values()):,}."
    )


def _sources(results: Figures) -> str:
    """Where figures are from, and the tools' versions."""
    commits = (f"{n} at {r['commit'][:12]}" for n, r in results["by_hand"].items())
    tools = ", ".join(f"{n} {version}" for n, version in results["tools"].items())
    return f"By hand: {', '.join(commits)}. Measured with {tools}."
