"""The Python types of parameters. What a list holds is told by its default, by those who give it,
by configs, or by what its entries are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .. import ir
from ..ir.fold_statements import expressions, layers, statements
from ..ir.fold_static import walk_static
from ..ir.fold_tensors import walk
from ..ops.base import Kind
from .whole_numbers import Whole

_OF_KINDS = {
    Kind.SIZE: "int",
    Kind.INT: "int",
    Kind.NUMBER: "float",
    Kind.BOOL: "bool",
    Kind.TEXT: "str",
    Kind.WINDOW: "tuple[int, ...]",
    Kind.SIZES: "tuple[int, ...]",
    Kind.INTS: "tuple[int, ...]",
    Kind.FUNCTION: "Callable[[jax.Array], jax.Array]",
}
_START, _END = "tuple[", ", ...]"
_ANY = "tuple[Any, ...]"


def parameter_types(program: ir.Program) -> Mapping[tuple[str, str], str]:
    """The type of each parameter, by the name of its definition and its own."""
    found: dict[tuple[str, str], str] = {}
    given: dict[tuple[str, str], str] = {}
    fractions: set[tuple[str, str]] = set()  # numbers that are not whole everywhere
    for config in program.configs:
        for name, value in config.args:
            _learn(given, (config.model, name), _of_value(value, {}))
    for definition in reversed(program.definitions):  # those who use a block, before it
        compared = _compared(definition)
        here: dict[str, str] = {}
        for param in definition.params:
            key = definition.name, param.name
            kind = _of_parameter(param, given.get(key), compared)
            if key not in fractions and _is_counted(definition, param):
                kind = "int"
            # A Config is compared with its types: any list is a plain tuple there.
            here[param.name] = "tuple" if definition.is_model and kind == _ANY else kind
            found[key] = here[param.name] + " | None" * param.optional
        whole = Whole(definition, here)
        for layer in layers(definition.body):
            if isinstance(layer.callee, str):
                for name, value in layer.args:
                    key = layer.callee, name
                    _learn(given, key, _of_value(value, here))
                    fractions |= set() if whole.holds(value) else {key}
    return found


def _is_counted(definition: ir.Definition, param: ir.Parameter) -> bool:
    """Whether what a number may be is told by those alone who give a block one."""
    own = not definition.is_model and not param.handed and not param.optional
    return own and param.kind is Kind.NUMBER and param.default is None


def _learn(
    given: dict[tuple[str, str], str], key: tuple[str, str], text: str | None
) -> None:
    """What is given to a parameter; all that is not alike is any tuple."""
    if text is not None:
        given[key] = text if given.get(key, text) == text else _ANY


def _of_parameter(
    param: ir.Parameter, given: str | None, compared: Mapping[str, str]
) -> str:
    if isinstance(param.default, ir.StaticList) and param.default.items:
        return _of_list(param.default.items, "float" if param.fractions else "int")
    if param.kind in _OF_KINDS:
        return _OF_KINDS[param.kind]
    if given is None and param.name in compared:
        return _tuple(compared[param.name])
    if param.fractions and given == "tuple[int, ...]":
        return "tuple[float, ...]"
    return given or _ANY


def _of_value(value: ir.Static, here: Mapping[str, str]) -> str | None:
    """The type of a list that is given to a block, as far as it is known."""
    match value:
        case ir.Ref(name) if here.get(name, "").startswith(_START):
            return here[name]
        case ir.StaticIndex(values):
            inner = (_of_value(values, here) or "")[len(_START) : -len(_END)]
            return inner if inner.startswith(_START) else None
        case ir.StaticList(items) if items:
            return _of_list(items, "int")
        case ir.StaticSlice(values) | ir.StaticCall("reversed", (values,)):
            return _of_value(values, here)
    return None


def _of_list(items: Iterable[ir.Static], whole: str) -> str:
    """The type of a list with such elements; whole numbers among them are of the type `whole`."""
    kinds = list(dict.fromkeys(_of_element(item, whole) for item in items))
    if "float" in kinds and "int" in kinds:
        kinds.remove("int")
    kinds.sort(key=lambda kind: kind == "None")
    return _tuple(" | ".join(kinds))


def _of_element(item: ir.Static, whole: str) -> str:
    match item:
        case ir.StaticList(items):
            return _of_list(items, whole) if items else "tuple"
        case ir.Literal(None):
            return "None"
        case ir.Literal(bool() | str() | float() as value):
            return type(value).__name__
        case ir.Literal(tuple()):
            return "tuple[int, ...]"
        case ir.Function():
            return _OF_KINDS[Kind.FUNCTION]
    return whole


def _tuple(element: str) -> str:
    return f"{_START}{element}{_END}"


def _compared(definition: ir.Definition) -> dict[str, str]:
    """The types of what entries of lists are compared with, by the names of the lists."""
    kinds = {p.name: _OF_KINDS.get(p.kind) for p in definition.params}
    found: dict[str, str] = {}
    for whole in _statics(definition):
        for part in walk_static(whole):
            match part:
                case ir.StaticBinary(
                    "==" | "!=", ir.StaticIndex(ir.Ref(name)), ir.Literal(str())
                ):
                    found[name] = "str"
                case ir.StaticBinary("in", ir.Literal(str()), ir.Ref(name)):
                    found[name] = "str"
                case ir.StaticBinary("in", ir.Ref(value), ir.Ref(name)):
                    found[name] = kinds.get(value) or "int"
    return found


def _statics(definition: ir.Definition) -> Iterator[ir.Static]:
    """What is known when a model is built, and may compare."""
    for stmt in statements(definition.body):
        match stmt:
            case ir.If(condition):
                yield condition
            case ir.StaticLet(value=value):
                yield value
            case ir.Declare(layer):
                yield from (value for _, value in layer.args)
        for expr in (part for whole in expressions(stmt) for part in walk(whole)):
            if isinstance(expr, ir.Choose):
                yield expr.condition
