"""A reference library loads a folder and runs: `python theirs.py FOLDER`, where torch is.

`FOLDER` has the checkpoint, `config.json`, and `ref.npz` and `meta.json` of the reference; what comes out is
written there as `theirs.npz`, what did not load is printed. Imports nothing of this project.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: Path) -> int:
    """Load, run, write; 1 where tensors were missing, unexpected or misshapen."""
    meta = json.loads((folder / "meta.json").read_text())
    model, problems = loaded(folder, meta["kind"], meta["cls"])
    for problem in problems:
        print(problem)
    with np.load(folder / "ref.npz") as arrays:
        reference = dict(arrays)
    wanted = {n[4:] for n in reference if n.startswith("out/")} - {"loss", "greedy"}
    hidden = any("hidden_states" in name for name in wanted)
    given = {n[3:]: a for n, a in reference.items() if n.startswith("in/")}
    result = run(model, given, hidden and meta["kind"] == "transformers")
    np.savez(folder / "theirs.npz", **result)
    return 1 if problems else 0


def loaded(folder: Path, kind: str, name: str) -> tuple[Any, list[str]]:
    """The model, and what of its checkpoint did not fit."""
    cls = getattr(importlib.import_module(kind), name)
    eager = {"attn_implementation": "eager"} if kind == "transformers" else {}
    model, info = cls.from_pretrained(folder, output_loading_info=True, **eager)
    found = {key: names for key, names in info.items() if names}
    return model.eval(), [f"{key}: {sorted(map(str, n))}" for key, n in found.items()]


def run(model: Any, given: dict[str, Any], hidden: bool) -> dict[str, Any]:
    """Its outputs by dotted names."""
    import torch

    inputs = {name: torch.from_numpy(array) for name, array in given.items()}
    more = {"output_hidden_states": True} if hidden else {}
    if "use_cache" in inspect.signature(model.forward).parameters:
        more["use_cache"] = False
    with torch.no_grad():
        result = model(**inputs, **more)
    return {name: tensor.numpy() for name, tensor in flat(result, "")}


def flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The tensors in a result, by dotted names."""
    if hasattr(value, "numpy"):
        yield name, value
        return
    if hasattr(value, "items") or hasattr(value, "__dataclass_fields__"):
        items = dict(value).items()
    else:
        items = enumerate(value) if isinstance(value, list | tuple) else ()
    for key, inner in items:
        yield from flat(inner, f"{name}.{key}".lstrip("."))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
