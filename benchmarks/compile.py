"""How long compiling takes: cold and warm, nothing changed, and as specs grow.

python -m benchmarks.compile
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import nnxc

from . import size
from .timing import NNXC, ZOO, cpu_ms, process, processes, save

GPT2 = (ZOO / "gpt2.nnx").read_text()


def main() -> None:
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, figure in {
            "unchanged": lambda: unchanged(Path(scratch)),
            "cold": lambda: cold(Path(scratch)),
            "warm": warm,
            "many_specs": lambda: many_specs(Path(scratch)),
            "long_spec": long_spec,
            "zoo": lambda: whole_zoo(Path(scratch)),
            "sizes": size.zoo,
        }.items():
            results[name] = figure()
            print(f"{name}: {results[name]}", flush=True)
    save("compile", results)


def unchanged(scratch: Path) -> dict[str, float]:
    """A build that finds nothing to do, beside a Python that only imports hashlib."""
    build = (*NNXC, "build", str(ZOO / "gpt2.nnx"), "-o", str(scratch / "unchanged"))
    python = (sys.executable, "-c", "import hashlib")
    (built, _), (started, _) = processes([build, python], rounds=40)
    return {"wall_ms": built, "python_ms": started, "difference_ms": built - started}


def cold(scratch: Path) -> dict[str, float]:
    """CPU of a whole process that compiles GPT-2 from nothing."""
    out = ("-o", str(scratch / "cold"), "--force")
    build = (*NNXC, "build", str(ZOO / "gpt2.nnx"), *out)
    (_, plain), (_, black) = processes([(*build, "--no-black"), build], rounds=12)
    return {"without_black_cpu_ms": plain, "with_black_cpu_ms": black}


def warm() -> dict[str, float]:
    """CPU in a running process: every definition new, and one block edited."""
    compile_spec(GPT2)
    fresh = [cpu_ms(partial(compile_spec, renamed(n))) for n in range(15)]
    edited = [cpu_ms(partial(compile_spec, edit(n))) for n in range(15)]
    return {
        "nothing_cached_cpu_ms": statistics.median(fresh),
        "one_block_edited_cpu_ms": statistics.median(edited),
    }


def renamed(n: int) -> str:
    """GPT-2 with other names throughout, so that no definition was seen before."""
    names = r"\b(Block|GPT2|heads|tokens|vocab|d|x|wte|ln_[1f])\b"
    return re.sub(names, lambda match: f"{match[0]}{n}", GPT2)


def edit(n: int) -> str:
    """GPT-2 with another width inside its block."""
    return GPT2.replace("4 * d", f"{5 + n} * d")


def many_specs(scratch: Path) -> dict[str, float]:
    """Wall milliseconds a spec, over growing numbers of different specs."""
    return {
        str(n): _build_many(scratch / f"many{n}", n) / n for n in (125, 250, 500, 1000)
    }


def _build_many(folder: Path, count: int) -> float:
    folder.mkdir()
    for n in range(count):
        (folder / f"spec{n}.nnx").write_text(chain(8 + n % 8, f"Model{n}"))
    return process((*NNXC, "build", str(folder), "-o", str(folder / "out")))[0]


def whole_zoo(scratch: Path) -> dict[str, float]:
    """Every spec that ships built from nothing, those of published models by a process apart."""
    folders = [sorted(ZOO.glob("*.nnx")), sorted(ZOO.glob("pretrained/*.nnx"))]
    rounds = [
        sum(_built(specs, scratch / f"zoo{n}") for specs in folders) for n in range(3)
    ]
    return {"specs": sum(map(len, folders)), "wall_ms": statistics.median(rounds)}


def _built(specs: Sequence[Path], out: Path) -> float:
    folder = out / specs[0].parent.name
    return process((*NNXC, "build", *map(str, specs), "-o", str(folder)))[0]


def long_spec() -> dict[str, float]:
    """CPU milliseconds a line, over growing lengths of one spec."""
    return {
        str(n): cpu_ms(partial(compile_spec, chain(n, "Long"))) / n
        for n in (10, 100, 1000, 10_000)
    }


def chain(length: int, name: str) -> str:
    """A spec of so many lines, ten for each of its blocks."""
    blocks = range(max(length // 10, 1))
    layers = "".join(f"    x = x -> Linear({8 + i}) -> relu\n" for i in range(6))
    body = f"(rate):\n    input x: [B, d]\n{layers}    return x -> Dropout(rate)\n"
    defined = "".join(f"block {name}Block{i}{body}" for i in blocks)
    applied = "".join(f"    x = x -> {name}Block{i}(0.{i})\n" for i in blocks)
    head = f"model {name}:\n    input x: [B, 8]\n"
    return f"{defined}{head}{applied}    return x\n"


def compile_spec(text: str) -> None:
    """Compile, or say why not."""
    output = nnxc.compile(text)
    if output.diagnostics:
        raise SystemExit(f"a benchmark's spec is wrong: {output.diagnostics[0]}")


if __name__ == "__main__":
    main()
