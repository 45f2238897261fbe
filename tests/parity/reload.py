"""`python -m tests.parity.reload [FAMILY ...]`: reference libraries load what our models save.

Needs a Python with torch and the libraries, named by REFERENCE_PYTHON; the one that runs otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from .families import Family, Missing, families
from .judge import deviation
from .run import config_of

THEIRS = Path(__file__).with_name("theirs.py")
PYTHON = os.environ.get("REFERENCE_PYTHON", sys.executable)
NAMES = {"transformers": "model", "diffusers": "diffusion_pytorch_model"}


def shortfall(family: Family) -> str | None:
    """What the reference library does not load, or computes otherwise; None where all is well.

    A reference without a library is held to its tensors: names, shapes, dtypes, values.
    """
    kind = family.meta.get("kind", "")
    if kind not in NAMES:
        return difference(family)
    with tempfile.TemporaryDirectory() as out:
        folder = Path(out) / "saved"
        folder.mkdir()
        for name in ("ref.npz", "meta.json"):
            shutil.copy(family.folder / name, folder)
        saved(family, folder / f"{NAMES[kind]}.safetensors")
        command = [PYTHON, str(THEIRS), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stdout or done.stderr).strip().splitlines()[-1][:300]
        with np.load(folder / "theirs.npz") as arrays:
            return worst(family, dict(arrays))


def difference(family: Family) -> str | None:
    """The first tensor that is saved otherwise than it was given."""
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "model.safetensors"
        saved(family, path)
        got = load_file(path)
    (file,) = family.checkpoint.glob("*model*.safetensors")
    given = load_file(file)
    if odd := sorted(got.keys() ^ given.keys()):
        return f"{odd[0]} is there once only"
    for name, tensor in given.items():
        if tensor.dtype != got[name].dtype or not np.array_equal(tensor, got[name]):
            return f"{name} is another"
    return None


def saved(family: Family, path: Path) -> None:
    """Load the reference's checkpoint and save it, with a `config.json` of ours; raises Missing."""
    with tempfile.TemporaryDirectory() as out:
        module = family.module(Path(out))
        config = config_of(family, module)
        given = () if config is None else (config,)
        model = module.load_pretrained(family.checkpoint, *given)
        module.save_pretrained(model, path, like=family.checkpoint)
        if hasattr(module, "SETTINGS"):
            whole = module.SETTINGS.written(config)  # of the Config alone
            path.with_name("config.json").write_text(json.dumps(whole))


def worst(family: Family, got: dict[str, np.ndarray]) -> str | None:
    """The output that is furthest from the reference, if any is beyond tolerance."""
    noise = family.noise
    wanted = {
        name[4:]: array
        for name, array in family.reference.items()
        if name.startswith("out/") and name not in ("out/loss", "out/greedy")
    }
    known = [name for name in wanted if name in got]
    if not known:
        return f"no output of the reference among {', '.join(sorted(got))[:200]}"
    found = [deviation(n, got[n], wanted[n], noise.get(n)) for n in known]
    most = max(found, key=lambda d: d.excess)
    return None if most.ok else str(most)


def main(names: list[str]) -> int:
    """Judge the families of these names, or all; 1 where one falls short."""
    has_torch = subprocess.run(
        [PYTHON, "-c", "import torch, transformers"], capture_output=True
    )
    if has_torch.returncode:
        print(
            f"{PYTHON} has no torch and transformers: name one that has by REFERENCE_PYTHON"
        )
        return 2
    known = families()
    if unknown := [name for name in names if name not in known]:
        print(f"no reference of {', '.join(unknown)} was found")
        return 2
    chosen = names or list(known)
    good = 0
    for name in chosen:
        try:
            short = shortfall(known[name])
        except Missing as missing:
            short = str(missing)
        except Exception as error:
            short = f"fails: {type(error).__name__}: {str(error)[:200]}"
        good += short is None
        print(f"{name:<22} {short or 'loads what we save'}", flush=True)
    print(f"reload: {good} of {len(chosen)} families")
    return 0 if good == len(chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
