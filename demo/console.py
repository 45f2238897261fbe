"""What the demo shows: titles, excerpts, progress, curves."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.syntax import Syntax

T = TypeVar("T")
console = Console(width=100, highlight=False)


def title(text: str) -> None:
    """A heading across the page."""
    console.rule(f"[bold]{text}", align="left")


def show_spec(path: Path) -> None:
    """A spec as it stands."""
    console.print(Syntax(path.read_text().rstrip(), "python", theme="ansi_dark"))


def show_class(path: Path, name: str) -> None:
    """One class of a generated module."""
    text = path.read_text()
    nodes = ast.parse(text).body
    node = next(n for n in nodes if isinstance(n, ast.ClassDef) and n.name == name)
    code = "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])
    total = len(text.splitlines())
    console.print(f"[dim]{path}, {total} lines, of which {name}:")
    console.print(Syntax(code, "python", theme="ansi_dark"))


def progress(items: Sequence[T], label: str, losses: Sequence[float]) -> Iterator[T]:
    """The items, beneath a bar that shows the newest loss."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        TextColumn("{task.completed}/{task.total}  loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(label, total=len(items), loss=float("nan"))
        for item in items:
            yield item
            loss = losses[-1] if losses else float("nan")
            bar.update(task, advance=1, loss=loss)


def draw(curves: Mapping[str, Sequence[float]], path: Path) -> None:
    """Loss curves as a picture."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for label, losses in curves.items():
        axes.plot(smooth(losses), label=label, linewidth=1.2)
    axes.set(xlabel="step", ylabel="training loss", yscale="log")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_stages(stages: Mapping[str, Any], path: Path) -> None:
    """Losses in training and held out, a panel for each stage."""
    figure, panels = plt.subplots(1, len(stages), figsize=(9, 4), sharey=True)
    for axes, (label, curves) in zip(panels, stages.items(), strict=True):
        axes.plot(smooth(curves.train), label="training", linewidth=1.2)
        axes.plot(*zip(*curves.held_out, strict=True), label="held out", linewidth=1.2)
        axes.set(title=label, xlabel="step")
        axes.legend(frameon=False)
    panels[0].set(ylabel="loss, nats a token")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def smooth(values: Iterable[float], keep: float = 0.9) -> list[float]:
    """An exponential average, unbiased from the start."""
    out, total, weight = [], 0.0, 0.0
    for value in values:
        total = keep * total + (1 - keep) * value
        weight = keep * weight + 1 - keep
        out.append(total / weight)
    return out
