"""A published library at work: a model of a changed configuration, saved, and its outputs."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.theirs import run

_HEADS = ("loss", "greedy")


class Refused(Exception):
    """The library itself makes no model of these settings."""


class Library:
    """The class of one reference."""

    def __init__(self, meta: Mapping[str, Any], reference: Mapping[str, np.ndarray]):
        self.transformers = meta["kind"] == "transformers"
        self.cls = getattr(importlib.import_module(meta["kind"]), meta["cls"])
        self.inputs = {n[3:]: a for n, a in reference.items() if n.startswith("in/")}
        wanted = {n[4:] for n in reference if n.startswith("out/")} - {*_HEADS}
        self.hidden = any("hidden_states" in n for n in wanted) and self.transformers

    def settings(self, file: Path) -> dict[str, Any]:
        """All settings of the configuration class, as a reference has them."""
        if not self.transformers:
            given = self.cls.load_config(file.parent)
            return {k: v for k, v in given.items() if not k.startswith("_")}
        given = json.loads(file.read_text(), object_hook=_number)
        return json.loads(
            self.cls.config_class.from_dict(given).to_json_string(False),
            object_hook=_number,
        )

    def completed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What is left out, too, as the library has it. Raises Refused."""
        settings = copy.deepcopy(settings)
        try:
            if self.transformers:
                made = self.cls.config_class.from_dict(settings)
                return json.loads(made.to_json_string(False), object_hook=_number)
            known = inspect.signature(self.cls.__init__).parameters.values()
            defaults = {p.name: p.default for p in known if p.default is not p.empty}
            return json.loads(json.dumps(defaults | settings))
        except Exception as error:  # whatever it raises, it reads no such file
            raise Refused(f"{type(error).__name__}: {error}") from error

    def outputs(self, settings: dict[str, Any], folder: Path) -> dict[str, np.ndarray]:
        """What a model of random weights gives, which is saved in a folder. Raises Refused."""
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
        try:
            model = self._made(settings).eval().float()
            _randomize(model, torch)
            model.save_pretrained(folder)  # before some change what they are when run
            found = self._run(model)
        except Exception as error:  # whatever it raises, it makes no reference
            raise Refused(f"{type(error).__name__}: {error}") from error
        if not all(np.isfinite(array).all() for array in found.values()):
            raise Refused("outputs are not finite")
        return found

    def _made(self, settings: dict[str, Any]) -> Any:
        settings = copy.deepcopy(settings)  # libraries complete what they are given
        if not self.transformers:
            return self.cls.from_config(settings)
        config = self.cls.config_class.from_dict(settings)
        config._attn_implementation = "eager"
        return self.cls._from_config(config)

    def _run(self, model: Any) -> dict[str, np.ndarray]:
        return run(model, self.inputs, self.hidden)


def _number(entry: dict[str, Any]) -> Any:
    """Infinity, as transformers writes it."""
    return float(entry["__float__"]) if entry.keys() == {"__float__"} else entry


def _randomize(model: Any, torch: Any) -> None:
    """Every weight moves away from where it starts, so that each counts."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.15 * torch.randn_like(weight))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var", "correction_bias")):
                buffer.add_(0.3 * torch.rand_like(buffer))
