"""One family: each change of its settings followed, refused, or silently wrong."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from tests.parity.families import Family
from tests.parity.judge import in_order_of
from tests.parity.run import as_declared, meant, named

from .changes import NOTHING, Change, absences, changed, changes
from .library import Library, Refused
from .tally import Tally

NEAR = (
    2e-4  # of the largest output: both compute in float32, of weights that are the same
)


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
        tally, sizes = Tally(), list[Change]()
        for change in [NOTHING, *changes(settings)]:
            if change.size and self.loads(changed(settings, [change])):
                sizes.append(change)
            else:
                tally.add(change, self.kind(changed(settings, [change])))
        for turn in sorted({c.turn for c in sizes}):
            self.together(settings, [c for c in sizes if c.turn == turn], tally)
        return tally

    def absent(self) -> Tally:
        """Every setting left out."""
        settings = self.library.settings(self.family.folder / "config.json")
        tally = Tally()
        for change in absences(settings):
            tally.add(change, self.kind_without(changed(settings, [change]), change))
        return tally

    def kind_without(self, settings: dict[str, Any], change: Change) -> str | None:
        """The same of a file that leaves one out, which means what the library has there."""
        self.place.mkdir(exist_ok=True)
        try:
            whole = self.library.completed(settings)
        except Refused:
            return None
        try:
            config = self.read(settings)
        except ValueError as error:
            named = str(change.path[-1]) in str(error)
            return f"{'refused' if named else 'wrong: it is not named'}: {error}"
        try:
            if config == self.read(whole):
                return "followed"
            want = self.library.outputs(whole, self.place)
        except Refused:
            return None
        except ValueError as error:
            return f"wrong: it is followed, which is refused where it is said: {error}"
        return compared(
            self.outputs(self.read(settings)), want, self.family.meta["main"]
        )

    def read(self, settings: dict[str, Any]) -> Any:
        """The Config of a file of these settings."""
        (self.place / "config.json").write_text(json.dumps(settings))
        return self.module.read_config(self.place)

    def together(self, settings: Any, several: Sequence[Change], tally: Tally) -> None:
        """Sizes at once: all are followed if one model is; else in halves, as far as one."""
        kind = self.kind(changed(settings, several))
        if len(several) > 1 and kind != "followed":
            self.together(settings, several[::2], tally)
            self.together(settings, several[1::2], tally)
            return
        for change in several:
            tally.add(change, kind)

    def loads(self, settings: dict[str, Any]) -> bool:
        """Whether the library makes a model of it whose configuration is not refused."""
        try:
            self.library.outputs(settings, self.place)
            self.module.read_config(self.place)
        except (Refused, ValueError):
            return False
        return True

    def kind(self, settings: dict[str, Any]) -> str | None:
        """`followed`, `refused: why` or `wrong: why`; None where there is no reference."""
        try:
            want = self.library.outputs(settings, self.place)
        except Refused:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                got = self.outputs(self.module.read_config(self.place))
            except ValueError as error:
                return f"refused: {error}"
            except Exception as error:  # neither followed nor said to be refused
                return f"wrong: {type(error).__name__}: {error}"
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
        # Not compiled as one: operations of the same shapes are compiled once for all.
        outputs = nnx.view(model, raise_if_not_found=False, **used)(**given)
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
