"""Models of the zoo for Tunix, so small that a step takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from flax import nnx

import nnxc
from tests.importing import from_file

ZOO = Path(nnxc.__file__).parent / "zoo/pretrained"
SIZES = {
    "vocab": 64,
    "d": 32,
    "heads": 4,
    "kv_heads": 2,
    "head_dim": 8,
    "hidden": 48,
    "theta": 1e4,
}
TINY: dict[str, dict[str, Any]] = {
    "llama31": SIZES | {"layers": 2, "context": 32},
    "qwen3": SIZES | {"layers": 2, "tied": False},
    "gemma3": SIZES
    | {
        "layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 4,
        "scale": 8**-0.5,
    },
}
Make = Callable[..., Any]


def maker(family: str, folder: Path) -> Make:
    """Compile the spec of a family into a folder; gives what makes its model from a seed."""
    result = nnxc.build(
        [ZOO / f"{family}.nnx"], folder, options=nnxc.Options(interface="tunix")
    )
    assert result.ok, result
    module = from_file(folder / f"{family}.py")
    model, config = interface_of(module), module.Config(**TINY[family])
    return lambda seed=0: model(config, rngs=nnx.Rngs(seed))


def interface_of(module: ModuleType) -> Any:
    """The class of a generated module that Tunix calls."""
    (found,) = (v for v in vars(module).values() if hasattr(v, "compute_final_logits"))
    return found
