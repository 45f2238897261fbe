"""Writes the README's table of figures from the measured results.

python -m benchmarks.table [--check]
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from .timing import RESULTS, ROOT

README = ROOT / "README.md"
START, END = "<!-- figures -->", "<!-- end of figures -->"
LIMITS = {"simple_mlp": 5, "cifar_cnn": 10, "gpt2": 20, "vit": 20, "resnet50": 25}


def main() -> int:
    """Rewrite the table; with `--check`, say whether it is current."""
    text = README.read_text()
    current = refreshed(text)
    if "--check" in sys.argv[1:]:
        return int(current != text)
    README.write_text(current)
    return 0


def refreshed(readme: str) -> str:
    """The README with its table made anew."""
    block = f"{START}\n{table()}\n{END}"
    pattern = f"{re.escape(START)}.*{re.escape(END)}"
    return re.sub(pattern, lambda _: block, readme, flags=re.DOTALL)


def table() -> str:
    """The figures as Markdown, with the machine they come from."""
    compiling, step = _load("compile"), _load("step")
    machine = compiling["machine"]
    rows = [*size_rows(compiling), *time_rows(compiling), *step_rows(step)]
    rows += decode_rows(_load("decode"))
    lines = [f"| {what} | {reach} | {found} |" for what, reach, found in rows]
    where = f"Python {machine['python']}, {machine['system']}, {machine['cores']} cores"
    head = "| What | Aim | Measured |\n|---|---|---|"
    return "\n".join([head, *lines, "", f"Measured on {where}, by `make bench`."])


def _load(name: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return loaded


def size_rows(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    sizes = results["sizes"]
    spec = sum(s["tokens"] for s in sizes.values())
    code = sum(s["generated_tokens"] for s in sizes.values())
    alone = sum(s["alone_tokens"] for s in sizes.values())
    aims = ", ".join(f"{name} {limit}" for name, limit in LIMITS.items())
    found = ", ".join(
        f"{sizes[name]['model_lines']} ({sizes[name]['lines']})" for name in LIMITS
    )
    return [
        ("lines of a model (and with its training)", aims, found),
        (
            "tokens of the specs over tokens of their own modules / of files that stand alone",
            "<= 0.25",
            f"{spec / code:.2f} / {spec / alone:.2f}",
        ),
    ]


def time_rows(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    cold, warm = results["cold"], results["warm"]
    return [
        (
            "nothing changed, over `python -c 'import hashlib'`",
            "<= 3 ms",
            f"{results['unchanged']['difference_ms']:+.1f} ms",
        ),
        (
            "GPT-2, cold process, without Black / with",
            "<= 190 / 320 ms CPU",
            f"{cold['without_black_cpu_ms']:.0f} / {cold['with_black_cpu_ms']:.0f} ms",
        ),
        (
            "GPT-2, warm, nothing cached / one block edited",
            "<= 60 / 20 ms CPU",
            f"{warm['nothing_cached_cpu_ms']:.0f} / "
            f"{warm['one_block_edited_cpu_ms']:.0f} ms",
        ),
        ("ms a spec, by how many", "flat", _growth(results["many_specs"])),
        (
            f"all {results['zoo']['specs']} specs of the zoo, from nothing",
            "",
            f"{results['zoo']['wall_ms'] / 1000:.1f} s",
        ),
        ("ms a line, by how many", "flat", _growth(results["long_spec"])),
    ]


def _growth(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{int(n):,}: {ms:.1f}" for n, ms in figures.items())


def step_rows(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            f"a generated step over pure JAX by hand, wall / CPU: {work}",
            "<= 1.05",
            f"{runs['generated']['wall_ratio']:.2f} / {runs['generated']['cpu_ratio']:.2f}",
        )
        for work, runs in results["works"].items()
    ] + [
        (
            f"`nnx.jit` over pure JAX, wall / CPU: {work}",
            "",
            f"{runs['nnx.jit']['wall_ratio']:.2f} / {runs['nnx.jit']['cpu_ratio']:.2f}",
        )
        for work, runs in results["works"].items()
    ]


def decode_rows(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Tokens a second, and those over pure JAX's, of all that decode."""
    rounds = results["sizes"]["rounds"]
    return [
        (
            f"tokens a second of a Llama of 33 M, over pure JAX by hand, batch {batch}; "
            f"{rounds} rounds",
            ">= 1 generated",
            ", ".join(
                f"{name} {row['tokens_per_s']:.0f} ({row['ratio']:.2f})"
                for name, row in runs.items()
            ),
        )
        for batch, runs in results["batches"].items()
    ]


if __name__ == "__main__":
    sys.exit(main())
