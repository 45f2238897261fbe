"""`python -m tests.targets.numbers MODULES NUMBERS [FIRST]`: what generated modules compute, under
whichever Flax is imported. Models have the weights that are in FIRST, where it is given.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from flax import nnx

from nnxc import driver
from nnxc.fresh import SHARED
from tests.importing import from_file
from tests.test_zoo import ZOO, Case

STEPS = 2


def weights(model: nnx.Module) -> dict[str, nnx.Variable]:
    """The variables that hold numbers, by their paths."""
    state = nnx.to_flat_state(nnx.state(model, nnx.Not(nnx.RngState)))
    return {".".join(map(str, path)): variable for path, variable in state}


def numbers(case: Case, given: dict[str, np.ndarray]) -> Iterator[tuple[str, object]]:
    """What the functions of a module compute; before that, the weights that they do it with."""
    still = (
        {"rate": 0.0} if any(p.name == "rate" for p in case.definition.params) else {}
    )
    model = case.create(**still)
    for path, variable in weights(model).items():
        if path in given:
            variable.set_value(jax.numpy.asarray(given[path]))
        yield f"weight {path}", variable[...]
    batch = case.arrays(case.train.batch)
    streams = case.draws() if case.train.eval_streams else []
    frozen = case.frozen
    loss, metrics = case.module.eval_step(model, *frozen, *streams, *batch)
    yield "evaluated", loss
    yield from ((f"metric {name}", value) for name, value in metrics.items())
    if case.program.generates:
        prompts = [[1, 2, 3], [4]]
        out = case.module.generate(model, prompts, max_new_tokens=3)
        yield "generated", np.asarray(jax.tree.leaves(out)[0])
    taking_part = [model, case.module.create_optimizer(model)]
    if case.train.ema is not None:
        taking_part.append(case.module.create_ema(model))
    trainer = case.trainer(*taking_part, *case.draws())
    for n in range(STEPS):
        yield f"step {n}", trainer.step(*batch)[0]
    yield "evaluated after", case.module.eval_step(model, *frozen, *streams, *batch)[0]


def main(modules: str, out: str, first: str | None = None) -> None:
    """Write the numbers of each module in a folder, by its name and theirs."""
    known = dict(np.load(first)) if first else {}
    found: dict[str, np.ndarray] = {}
    own = [p for p in sorted(Path(modules).glob("*.py")) if p.name not in SHARED]
    for path in own:
        program = driver.analyse(ZOO[path.stem].read_text()).program
        assert program is not None
        case = Case(path.stem, "", program, from_file(path))
        start = f"{path.stem}: weight "
        given = {
            n.removeprefix(start): v for n, v in known.items() if n.startswith(start)
        }
        for name, value in numbers(case, given):
            found[f"{path.stem}: {name}"] = np.asarray(value, np.float32)
    np.savez(out, **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
