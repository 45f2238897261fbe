"""Parameters that are probabilities, since layers take them for such."""

from __future__ import annotations

from .. import ir
from ..ir.fold_statements import declared
from ..ops.base import Op
from .signature import Names


def rates(model: str, names: Names) -> list[str]:
    """The attributes of a Config that are from 0 to 1 wherever they are used."""
    signature = names.signatures[model]
    arguments = signature.arguments
    return [arguments[name] for name in _rates(model, names) if name in arguments]


def _rates(definition: str, names: Names) -> list[str]:
    found: list[str] = []
    for layer in declared(names.signatures[definition].definition.body):
        if isinstance(layer, ir.Layer):
            bounded = _bounded(layer.callee, names)
            given = [value for name, value in layer.args if name in bounded]
            found += [value.name for value in given if isinstance(value, ir.Ref)]
    return list(dict.fromkeys(found))


def _bounded(callee: Op | str, names: Names) -> list[str]:
    if isinstance(callee, str):
        return _rates(callee, names)
    return [p.name for p in callee.params if p.bounds == (0, 1)]
