"""Bonsai's models and ours with the same checkpoints, in one run.

PYTHONPATH=BONSAI python -m benchmarks.beside PARITY [rounds [families ...]]

BONSAI is a checkout of jax-ml/bonsai: it is imported, nothing of it is copied. PARITY has a
folder for each family, as `make parity` reads them: tensors, `config.json`, and what the
reference library makes of them. The page beside this file shows what was found.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from .beside_page import PAGE, page
from .beside_times import SUBJECTS, built, measured
from .bonsai_models import FAMILIES, Family
from .timing import RESULTS, save

RELATIVE, NOISES = 5e-6, 20  # what is tolerated, as in `make parity`
Call = Callable[..., Any]


def main(parity: Path, rounds: int, names: Collection[str]) -> None:
    """Measure, show, and write the results: of all families, or beside the last ones those named."""
    path = RESULTS / "beside.json"
    last = json.loads(path.read_text()) if names else {"followed": {}, "times": {}}
    followed, times = last["followed"], last["times"]
    for name, family in FAMILIES.items():
        if name in (names or FAMILIES):
            row = followed[name] = compared(parity / name, family)
            print(f"{name:15} ours {row['ours']:8}  theirs {row['theirs']}", flush=True)
    for subject in SUBJECTS:
        if subject.family in (names or FAMILIES):
            for title, ways in subject.works():
                times[title] = measured(*ways, rounds)
                print(f"{title:40}{times[title]['ratio']:8.2f}", flush=True)
    order = [subject.title for subject in SUBJECTS]
    times = dict(
        sorted(times.items(), key=lambda row: order.index(row[0].split(",")[0]))
    )
    folder = Path(importlib.import_module("bonsai").__path__[0])
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    about = {"commit": commit.strip(), "rounds": rounds}
    save("beside", {**about, "followed": followed, "times": times})
    PAGE.write_text(page(json.loads(path.read_text())))


def compared(folder: Path, family: Family) -> dict[str, str]:
    """A reference's checkpoint in both: how far the output is off, in what is tolerated."""
    config = json.loads((folder / "config.json").read_text())
    meta = json.loads((folder / "meta.json").read_text())
    with np.load(folder / "ref.npz") as arrays:
        reference = dict(arrays)
    main = meta["main"]
    wanted = channels_last(reference[f"out/{main}"], images=4)
    inputs = {
        name.removeprefix("in/"): jnp.asarray(channels_last(array, images=3))
        for name, array in reference.items()
        if name.startswith("in/")
    }
    least = RELATIVE * float(np.abs(wanted).max())
    tolerated = max(NOISES * meta["noise"][main], least)

    def off(call: Callable[[], Any]) -> str:
        try:
            found = np.asarray(call())
        except Exception as error:  # theirs to raise, ours to tell
            first = str(error).splitlines()[0]
            return f"{type(error).__name__}: {first[:70]}{'...' * (len(first) > 70)}"
        if found.shape != wanted.shape:
            return f"shape {found.shape}"
        return f"{np.abs(found - wanted).max() / tolerated:.2f}"

    def theirs() -> Any:
        model = family.loaded(folder, config)
        return nnx.jit(family.call)(model, *inputs.values())

    return {
        "ours": off(partial(generated, folder, main, inputs)),
        "theirs": off(theirs),
    }


def channels_last(array: np.ndarray, images: int) -> np.ndarray:
    """As JAX has images, and frames, where it has so many axes; another as it is."""
    return np.moveaxis(array, 1, -1) if array.ndim >= images else array


def generated(folder: Path, main: str, inputs: dict[str, jax.Array]) -> Any:
    """What our model of a family gives, the output of that name."""
    with tempfile.TemporaryDirectory() as out:
        model = built(folder.name, Path(out)).load_pretrained(folder)
    model.eval()
    outputs = model(**inputs)
    return outputs if isinstance(outputs, jax.Array) else getattr(outputs, main)


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    main(Path(folder), int(rest[0]) if rest else 10, rest[1:])
