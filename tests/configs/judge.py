"""One family: each change of its settings followed, refused, or silently wrong."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from tests.parity.families import Family
from tests.parity.judge import in_order_of
from tests.parity.run import applied, as_declared, meant, named

from .changes import changes
from .library import Library, Refused

NEAR = (
    2e-4  # of the largest output: both compute in float32, of weights that are the same
)


@dataclass
class Tally:
    """How many changes were followed and refused, and which were neither."""

    followed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.followed) + len(self.refused) + len(self.wrong)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.followed + other.followed,
            self.refused + other.refused,
            self.wrong + other.wrong,
        )

    def __str__(self) -> str:
        kinds = (len(self.followed), len(self.refused), len(self.wrong))
        return "{} followed, {} refused, {} silently wrong".format(*kinds)

    def row(self) -> dict[str, int]:
        """The counts alone."""
        kinds = ("followed", "refused", "wrong")
        return {kind: len(getattr(self, kind)) for kind in kinds}


class Judge:
    """A family whose library and generated module are at hand."""

    def __init__(self, family: Family, folder: Path):
        self.family, self.place = family, folder / "made"
        self.library = Library(family.meta, family.reference)
        (folder / "module").mkdir()
        self.module = family.module(folder / "module")
        self.known: dict[tuple[str, str], dict[str, Any]] = {}

    def tally(self) -> Tally:
        """Every change of its settings."""
        settings = self.library.settings(self.family.folder / "config.json")
        tally = Tally()
        for key, value, changed in [("nothing", None, settings), *changes(settings)]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kind, _, why = (self.kind(changed) or "").partition(": ")
            if kind:
                label = f"{self.family.name}: {key} = {json.dumps(value, default=str)}"
                getattr(tally, kind).append(f"{label}: {why}" if why else label)
            shutil.rmtree(self.place, ignore_errors=True)
        return tally

    def kind(self, settings: dict[str, Any]) -> str | None:
        """`followed`, `refused` or `wrong`; None where there is no reference."""
        try:
            want = self.library.outputs(settings, self.place)
        except Refused:
            return None
        try:
            got = self.outputs(self.module.read_config(self.place))
        except ValueError as error:
            return f"refused: {error}"
        return compared(got, want, self.family.meta["main"])

    def outputs(self, config: Any) -> dict[str, Any]:
        """What the generated model gives; once for equal configs and weights."""
        (file,) = self.place.glob("*.safetensors")
        key = repr(config), hashlib.sha256(file.read_bytes()).hexdigest()
        if key not in self.known:
            model = self.module.load_pretrained(self.place)
            self.known[key] = self.applied(model, config)
        return self.known[key]

    def applied(self, model: Any, config: Any) -> dict[str, Any]:
        """The outputs of a model for the inputs of the reference."""
        sizes = {k: v for k, v in vars(config).items() if isinstance(v, int | float)}
        given = {
            field.name: as_declared(array, field.type, sizes)
            for field in self.family.model.inputs
            if (array := self.library.inputs.get(field.name)) is not None
        }
        modes = {"deterministic": True, "use_running_average": True}
        used = {m: on for m, on in modes.items() if m in self.family.model.modes}
        outputs = applied(nnx.view(model, **used), given)
        return named(outputs, self.family.meta["main"])


def compared(got: Mapping[str, Any], want: Mapping[str, np.ndarray], main: str) -> str:
    """`followed`, or what is wrong."""
    seen = False
    for name, array in want.items():
        found = meant(got, name)
        if found is None:
            continue
        mine = in_order_of(np.asarray(found), array)
        if mine.shape != array.shape:
            return f"wrong: {name} is {mine.shape}, theirs {array.shape}"
        off = np.abs(mine - array).max(initial=0) / max(
            np.abs(array).max(initial=0), 1e-9
        )
        if not off <= NEAR:
            return f"wrong: {name} is off by {off:.1e}"
        seen |= name == main or name.split(".")[0] == main
    return "followed" if seen else f"wrong: no output {main}"
