"""How large a model is at its configs, and inputs that it takes: numbers of a card, without JAX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import ir
from ...instance import config_values, instantiate
from ...instance.evaluate import resolve
from ...instance.nodes import Instance, InstanceError, total_of
from ...ir.static_values import EvaluationError, Value
from ...record import Record
from ...shapes import TensorType, is_float

BATCH = 2
LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)  # of all other axes
_UNNAMED = "B"  # of a batch, by its usual letter


class Example(Record):
    """Sizes at which a model can be built and called."""

    preset: str | None  # the config of them; None is the defaults
    values: Mapping[str, Value]  # of its parameters and axes
    length: int  # of axes that only a train has

    def shape(self, of: TensorType) -> str:
        """The shape of an input as Python writes it."""
        symbols = {s for size in of.sizes for s in size.symbols} - self.values.keys()
        open_axes = {s: BATCH if s == _UNNAMED else self.length for s in symbols}
        env = {**self.values, **open_axes}
        sizes = [str(BATCH)] if of.lead else []
        sizes += [str(resolve(size, env)) for size in of.sizes]
        return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"


def parameter_counts(
    program: ir.Program, definition: ir.Definition
) -> Iterator[tuple[ir.Config | None, int | None]]:
    """How many parameters a model has, by default and at each of its configs."""
    configs = [c for c in program.configs if c.model == definition.name]
    plain = all(p.default is not None for p in definition.params)
    same = any(not c.args for c in configs)
    for config in [*([None] if plain and not same else []), *configs]:
        made = _instance(program, definition, config, {})
        yield config, None if made is None else total_of([made.root.parameters])


def example_of(program: ir.Program, definition: ir.Definition) -> Example | None:
    """Sizes that fit a model, its defaults where it has them; None where none were found."""
    configs = [c for c in program.configs if c.model == definition.name]
    plain = all(p.default is not None for p in definition.params)
    config = None if plain else next(iter(configs), None)
    own = {p.name for p in definition.params}
    symbols = {s for i in definition.inputs for d in i.type.sizes for s in d.symbols}
    named = sorted(symbols - own)
    tokens = not any(is_float(i.type.dtype) for i in definition.inputs)
    for length in LENGTHS if tokens else LENGTHS[3:]:  # slices may need some
        axes = {name: BATCH if name == _UNNAMED else length for name in named}
        made = _instance(program, definition, config, axes)
        if made is not None and not made.failures:
            name = None if config is None else config.name
            return Example(name, {**made.values, **axes}, length)
    return None


def _instance(
    program: ir.Program,
    definition: ir.Definition,
    config: ir.Config | None,
    axes: Mapping[str, int],
) -> Instance | None:
    try:
        values = {} if config is None else config_values(config)
        return instantiate(program, definition.name, values, axes)
    except (InstanceError, EvaluationError):
        return None
