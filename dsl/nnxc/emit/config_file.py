"""The table of a `config.json`: how each field of a Config stands in it, what else it may say."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence

from .. import ir
from ..ops.base import Kind
from ..ops.functions.activations import ACTIVATION
from .python import text as t
from .python.static_text import static_call
from .python.text import Text
from .render import parsed
from .shared import CONFIGS, value_of
from .signature import Signature

_LINE = 75  # columns of words after `known=`


def settings_table(section: ir.Weights, model: Signature) -> tuple[str, ...]:
    """The arguments of a `ConfigFile`."""
    fields, optional, usual = [], [], []
    switches = [p.name for p in model.definition.params if p.kind is Kind.BOOL]
    for name, value in section.config:
        keys, rest = _leading(value)
        own = t.quoted(model.arguments[name])
        if isinstance(rest, ir.Default) and keys:
            optional.append(f"{own}: {t.alternatives(keys)}")
            continue
        setting = _setting(value, section, model, name in switches)
        if _is_usual(model.arguments[name], setting):
            usual.append(model.arguments[name])
        else:
            fields.append(f"{own}: {setting}")
    required = [_requirement(keys, values, model) for keys, values in section.assumed]
    added = [f"{t.quoted(k)}: {_added(v, model)}" for k, v in section.written]
    absent = [f"{t.quoted(k)}: {_recorded(v, model)}" for k, v in section.absent]
    groups = {
        "fields=": fields,
        "optional=": optional,
        "required=": required,
        "absent=": absent,
        "added=": added,
    }
    known = _known(section)
    ignored = t.words(known, _LINE) if known else ""
    arguments = {"known": ignored, "rates": _rates(model)}
    return (
        *([f"usual={t.words(usual, _LINE)}"] if usual else []),
        *(f"{name}{{{', '.join(g)}}}" for name, g in groups.items() if g),
        *(f"{name}={text}" for name, text in arguments.items() if text),
    )


def _is_usual(name: str, setting: str) -> bool:
    """Whether a field that a table only names is read so."""
    (node,) = parsed(f"_ = {setting}").body
    usual = _usual().get(name, ast.unparse(ast.Constant(name)))
    return ast.unparse(node) == f"_ = {usual}"


@functools.cache
def _usual() -> Mapping[str, str]:
    """How fields are read that a table only names."""
    table = value_of(CONFIGS, "USUAL")
    assert isinstance(table, ast.Dict)
    texts = zip(table.keys, table.values, strict=True)
    return {ast.literal_eval(k): ast.unparse(v) for k, v in texts if k is not None}


@functools.cache
def _rope_type() -> tuple[str, ...]:
    """Where the type of scaled rotary positions is said."""
    return tuple(ast.literal_eval(value_of(CONFIGS, "ROPE_TYPE")))


def _any_of(keys: Sequence[str]) -> str:
    """Keys that mean the same."""
    return "ROPE_TYPE" if tuple(keys) == _rope_type() else t.alternatives(keys)


def _leading(value: ir.Recorded) -> tuple[list[str], ir.Recorded | None]:
    """The keys of `"a" or "b" or rest`, and the rest; none where the last is a key."""
    match value:
        case ir.Computed("or", (ir.Computed("or", (first, second)), third)):
            rest = ir.Computed("or", (second, third))
            return _leading(ir.Computed("or", (first, rest)))
        case ir.Computed("or", (first, rest)) if key := _key(first):
            keys, end = _leading(rest)
            return [key, *keys], end
    key = _key(value)
    return ([key], None) if key else ([], value)


def _key(value: ir.Recorded) -> str:
    """The key that a value is, or that names an activation."""
    match value:
        case ir.Key(path) | ir.Computed(ACTIVATION.name, (ir.Key(path),)):
            return path
    return ""


def _setting(
    value: ir.Recorded, section: ir.Weights, model: Signature, switch: bool
) -> str:
    """How a field is read, and written."""
    keys, rest = _leading(value)
    match rest:
        case None:
            return t.alternatives(keys)
        case ir.Value() if keys:
            return f"Setting({t.alternatives(keys)}, {_recorded(rest, model)})"
        case ir.Computed("or", (ir.Value() as default, ir.Value(None))) if keys:
            # Null is none whatever the default; the last says that it may be.
            return f"Setting({t.alternatives(keys)}, {_recorded(default, model)})"
    if not keys and (found := _where(rest, model)):
        return found
    otherwise = f"otherwise=lambda given: {_recorded(rest, model, switch)}"
    parts = [t.alternatives(keys)] if keys else []
    inverse = "" if keys else _inverse(rest, section, model)
    written = [f"write=lambda value: {inverse}"] if inverse else []
    return f"Setting({', '.join([*parts, otherwise, *written])})"


def _where(value: ir.Recorded, model: Signature) -> str:
    """What stands at some keys where another one says so; nothing where it is something else."""
    match value:
        case ir.Computed(
            "if", (ir.Computed("==", (left, ir.Value(kind))), then, ir.Value() as other)
        ):
            kinds, absent = _leading(left)
            keys = _only_keys((then,))
            if kinds and keys and absent == ir.Value(None):
                said = _any_of(kinds), t.literal(kind).text, t.alternatives(keys)
                return f"Setting.where({', '.join(said)}, {_recorded(other, model)})"
    return ""


def _inverse(value: ir.Recorded, section: ir.Weights, model: Signature) -> str:
    """The entries of a `config.json` that are read as `value`; nothing where that is not told.

    What is written is read again, so that these need not hold for all values.
    """
    held = Text("value")
    match value:
        case ir.Computed("not", (ir.Key(path),)):
            return _entries({path: f"not {held}"})
        case ir.Computed(",", parts) if all(map(_key, parts)):
            each = t.literal([_key(part) for part in parts])
            return f"dict(zip({each}, {held}, strict=True))"
        case ir.Computed("or", (first, *_)):
            return _inverse(first, section, model)
        case ir.Computed("==", (left, ir.Value(name))) if keys := _leading(left)[0]:
            either = (v for places, v in section.assumed if keys[0] in places)
            others = [v for v in next(either, ()) if v != ir.Value(name)]
            text = t.literal(name).text
            if len(others) == 1:
                text = f"{text} if {held} else {_recorded(others[0], model)}"
            return _entries({keys[0]: text})
        case ir.Computed("if", (condition, then, other)) if keys := _leading(then)[0]:
            entry = _entries({keys[0]: str(held)})
            match condition:
                case ir.Computed("==", (left, ir.Value(name))) if kinds := _leading(
                    left
                )[0]:
                    kind = _entries({kinds[0]: t.literal(name).text})
                    rest = _recorded(other, model)
                    return f"{entry} | ({{}} if {held} == {rest} else {kind})"
            return entry
        case ir.Computed("-", (ir.Value() as whole, ir.Key(path))):
            return _entries({path: str(t.binary("-", _recorded(whole, model), held))})
        case ir.Computed("scaled", (ir.Key(path), ir.Key(by))):
            return _entries({path: str(held), by: "1.0"})
        case ir.Computed("//", (ir.Key(path), ir.Value() as by)):
            return _entries({path: str(t.binary("*", held, _recorded(by, model)))})
        case ir.Computed(
            "/", (ir.Value() as whole, ir.Computed("sqrt", (ir.Key(path),)))
        ):
            root = t.binary("/", _recorded(whole, model), held)
            return _entries({path: f"round(({root}) ** 2)"})
    return ""


def _entries(texts: dict[str, str]) -> str:
    return f"{{{', '.join(f'{t.quoted(k)}: {text}' for k, text in texts.items())}}}"


def _requirement(
    keys: tuple[str, ...], values: tuple[ir.Recorded, ...], model: Signature
) -> str:
    """What may stand in any of some places."""
    allowed = t.tuple_of([_recorded(v, model).text for v in values]).text
    given = "lambda given: " if any(map(mentioned_keys, values)) else ""
    return f"{_any_of(keys)}: {given}{allowed}"


def _added(value: ir.Recorded, model: Signature) -> str:
    """What is written at a key that nothing is read from."""
    text = _recorded(value, model).text
    return f"lambda given, cfg: {text}" if _is_computed(value) else text


def _is_computed(value: ir.Recorded) -> bool:
    """Whether a value follows from parameters, or from other keys."""
    match value:
        case ir.Key() | ir.Own():
            return True
        case ir.Computed(_, operands):
            return any(map(_is_computed, operands))
    return False


def _known(section: ir.Weights) -> list[str]:
    """The keys that are read where something is computed, or do not matter."""
    values = [value for _, value in section.config]
    values += [value for _, several in section.assumed for value in several]
    values += [value for _, value in section.written]
    read = [key for value in values for key in mentioned_keys(value)]
    told = {key for _, value in section.config for key in _told(value)}
    own = {key for keys, _ in section.assumed for key in keys}
    own |= {key for key, _ in section.written}
    known = dict.fromkeys((*read, *section.immaterial))
    return [key for key in known if key not in told | own]


def _recorded(value: ir.Recorded, model: Signature, switch: bool = False) -> Text:
    match value:
        case ir.Key(path):
            return Text(f"given[{t.quoted(path)}]")
        case ir.Value(inner):
            return t.literal(inner)
        case ir.Default(name):
            return Text(f"{model.config}.{model.arguments[name]}")
        case ir.Own(name):
            return Text(f"cfg.{model.arguments[name]}")
        case ir.Computed(op, operands):
            return _computed_from(op, operands, model, switch)


def _told(value: ir.Recorded) -> list[str]:
    """The keys of a field; where one is an entry of another, it is not all of that."""
    keys = _leading(value)[0]
    return [key for key in keys if not any(_holds(key, other) for other in keys)]


def mentioned_keys(value: ir.Recorded) -> list[str]:
    """The keys from which a value follows."""
    match value:
        case ir.Key(path):
            return [path]
        case ir.Computed("or", (ir.Key(first), ir.Key(whole))) if _holds(whole, first):
            return [first]  # `"size"[0] or "size"`: no other entry of the list
        case ir.Computed("[]", (ir.Key(path), ir.Value(int() as at))):
            return [f"{path}.{at}"]  # from the end
        case ir.Computed(_, operands):
            return [key for operand in operands for key in mentioned_keys(operand)]
    return []


def _holds(whole: str, key: str) -> bool:
    """Whether a key is an entry of a list."""
    return key.startswith(f"{whole}.") and key[len(whole) + 1 :].isdigit()


def _computed_from(
    op: str, operands: tuple[ir.Recorded, ...], model: Signature, switch: bool
) -> Text:
    match operands:
        case (ir.Computed("or", (first, second)), third) if op == "or":
            rest = ir.Computed("or", (second, third))
            return _computed_from("or", (first, rest), model, switch)
    texts = [_recorded(o, model, switch and op == "or") for o in operands]
    match operands[0]:
        case ir.Key(path) if op in ("not", "if"):
            texts[0] = Text(f"given.on({t.quoted(path)})")
        case ir.Key(path) if op == "==":
            texts[0] = Text(f"given.value({t.quoted(path)})")
    if op == "or" and (said := _said(operands, texts, model, switch)):
        return said
    if op == "or" and not switch and (several := _only_keys(operands)):
        return Text(f"given.first({', '.join(map(t.quoted, several))})")
    if op == "or" and (keys := _keys(operands[0])):
        known = [Text(f"{t.quoted(key)} in given", t.COMPARE) for key in keys]
        both = functools.reduce(functools.partial(t.binary, "and"), known)
        return t.ternary(both, *texts)
    if op == "if":
        return t.ternary(*texts)
    if op == ",":
        return t.tuple_of([text.text for text in texts])
    if op == "listed":
        is_list = Text(f"isinstance(one := {texts[0]}, tuple)")
        many = Text(f"(one,) * {texts[1].at(t.MULTIPLY)}", t.MULTIPLY)
        return t.ternary(is_list, Text("one"), many)
    if op == "scaled":
        each = t.binary("*", texts[1], Text("n"))
        return Text(f"tuple(math.ceil({each.text}) for n in {texts[0].text})")
    if op == "[]":
        return Text(f"{texts[0].at(t.ATOM)}[{texts[1].text}]")
    if op == "not":
        return Text(f"not {texts[0].at(t.NOT)}", t.NOT)
    if op in ("or", "and") or not op.isidentifier():
        return t.binary(op, *texts)
    return static_call(op, [text.text for text in texts])


def _said(
    operands: tuple[ir.Recorded, ...], texts: list[Text], model: Signature, switch: bool
) -> Text | None:
    """`key or rest` where null is a value: it is no switch, and no default of the model."""
    keys, default = _alternatives(ir.Computed("or", operands))
    plain = isinstance(operands[1], ir.Value | ir.Default)
    match operands[0]:
        case ir.Key() if plain or (keys and not switch):
            return _either(keys, _recorded(default, model))
        case ir.Key(path) if switch:
            held = _either([path], Text("None"))
        case ir.Computed(ACTIVATION.name, (ir.Key(path),)) if plain:
            held = static_call(ACTIVATION.name, [_either([path], Text("None")).text])
        case _:
            return None
    return t.ternary(Text(f"given.says({t.quoted(path)})"), held, texts[1])


def _alternatives(value: ir.Recorded) -> tuple[list[str], ir.Recorded]:
    """The keys of `"a" or "b" or 1`, and what is at its end; no keys where that is another."""
    match value:
        case ir.Computed("or", (ir.Key(path), ir.Value() | ir.Default() as default)):
            return [path], default
        case ir.Computed("or", (ir.Key(path), rest)):
            keys, end = _alternatives(rest)
            return [path, *keys] if keys else [], end
    return [], value


def _only_keys(operands: tuple[ir.Recorded, ...]) -> list[str]:
    """The keys of `"a" or "b" or "c"`; none where there is another value among them."""
    found: list[str] = []
    for operand in operands:
        match operand:
            case ir.Key(path):
                found.append(path)
            case ir.Computed("or", inner) if keys := _only_keys(inner):
                found += keys
            case _:
                return []
    return found


def _either(keys: list[str], default: Text) -> Text:
    shown = ", ".join(map(t.quoted, keys))
    return Text(f"given.either({shown}, default={default.text})")


def _rates(signature: Signature) -> str:
    """The attributes of a Config that are from 0 to 1."""
    params = signature.definition.params
    found = [signature.arguments[p.name] for p in params if p.bounds == (0, 1)]
    return t.literal(found).text if found else ""


def _keys(value: ir.Recorded) -> list[str]:
    """The keys without which a value cannot be computed."""
    match value:
        case ir.Key(path):
            return [path]
        case ir.Computed(op, operands) if op not in ("or", "if"):
            return list(dict.fromkeys(key for o in operands for key in _keys(o)))
    return []
