"""Plans how a model's weights come from checkpoints and go there."""

from __future__ import annotations

import functools
import textwrap

from .. import ir
from ..ir.fold_static import mentions
from ..ops.base import Kind
from ..ops.functions.activations import ACTIVATION
from ..record import Record
from .options import Options
from .python import text as t
from .python.names import snake
from .python.static_text import static_call
from .python.text import Text
from .signature import Names, Signature
from .weights_table import table_rows

_WORDS = 68  # columns of a line of them


class WeightsView(Record):
    """One section of weights, as the template writes it."""

    model: str  # its class
    config: str  # its Config
    table: str
    rows: tuple[str, ...]
    read: str
    reads: bool  # whether there is anything to say of `config.json`
    settings: str  # keywords of the Config
    assumed: str  # what other keys may be
    rates: str  # parameters of the Config
    keys: str  # that are read, or do not matter
    load: str
    parameters: str
    arguments: str
    dtypes: str  # keywords of `replace(cfg)`
    ignored: str
    renamed: str
    save: str
    saved: str  # a model that has the weights alone


def weights_view(
    section: ir.Weights, names: Names, options: Options, several: bool, adapted: bool
) -> WeightsView:
    """Decide everything about one section that the template writes."""
    signature = names.signatures[section.model]
    suffix = f"_{snake(section.model)}" if several else ""
    give = names.module.give
    inferred = [signature.arguments[n] for n in signature.definition.inferred]
    assert signature.config is not None
    switches = [p.name for p in signature.definition.params if p.kind is Kind.BOOL]
    settings = [
        f"{signature.arguments[name]}={_recorded(value, signature, name in switches)}"
        for name, value in section.config
    ]
    return WeightsView(
        model=signature.name,
        config=signature.config,
        table=give(f"STORED{suffix.upper()}"),
        rows=table_rows(section.rows, signature, names, options),
        read=give(f"read_config{suffix}"),
        reads=section.reads,
        settings=", ".join(settings),
        assumed=_assumed(section, signature),
        rates=_rates(signature),
        keys=_words(_read(section)),
        load=give(f"load_pretrained{suffix}"),
        parameters=_parameters(section, signature, inferred),
        arguments=", ".join([*inferred, "cfg", "rngs=rngs"]),
        dtypes=", ".join(f"{name}=dtype" for name in signature.dtypes),
        ignored=_given("ignored", tuple(section.ignored)),
        renamed=_given("renamed", _renamed(section)),
        save=give(f"save_pretrained{suffix}"),
        saved="merge_adapters(model)" if adapted else "model",
    )


def _renamed(section: ir.Weights) -> tuple[tuple[str, str], ...]:
    """Names that a file may have, each with the one that is meant."""
    prefix = section.optional
    return (*section.renamed, *([("*", f"{prefix}*")] if prefix else []))


def _given(name: str, values: tuple[object, ...]) -> str:
    """An argument where there is something to say."""
    return f"{name}={t.literal(values).text}, " if values else ""


def _words(keys: list[str]) -> str:
    """Keys as one text of words, in lines; a tuple where one is no word."""
    if any(key.split() != [key] for key in keys):
        return t.literal(keys).text
    wrapper = textwrap.TextWrapper(
        _WORDS, break_long_words=False, break_on_hyphens=False
    )
    lines = wrapper.wrap(" ".join(keys)) or [""]
    texts = [t.quoted(f"{line} ") for line in lines[:-1]]
    return f"({' '.join((*texts, t.quoted(lines[-1])))})"


def _parameters(section: ir.Weights, signature: Signature, inferred: list[str]) -> str:
    """A Config may be left out where the file has one, or where all has defaults."""
    required = any(p.default is None for p in signature.definition.params)
    cfg = f"cfg: {signature.config}"
    if section.reads:
        cfg += " | None = None"
    elif not required:
        cfg += f" = {signature.config}()"
    keywords = [f"{n}: int" for n in inferred]
    if signature.dtypes:
        keywords.append("dtype: jax.typing.DTypeLike | None = None")
    keywords.append("sharding: Placement = None")
    return ", ".join(["path: str | Path", cfg, "*", *keywords])


def asked_of_model(section: ir.Weights) -> set[str]:
    """The parameters from which names of tensors are computed."""
    return {
        name
        for row in section.rows
        for hole in row.holes
        for name in mentions(hole) - {*row.indices}
    }


# --------------------------------------------------------------------- settings


def _recorded(value: ir.Recorded, model: Signature, switch: bool = False) -> Text:
    match value:
        case ir.Key(path):
            return Text(f"given[{t.quoted(path)}]")
        case ir.Value(inner):
            return t.literal(inner)
        case ir.Default(name):
            return Text(f"{model.config}.{model.arguments[name]}")
        case ir.Computed(op, operands):
            return _computed_from(op, operands, model, switch)


def _assumed(section: ir.Weights, model: Signature) -> str:
    """By key, the values that it may have."""
    entries = (
        f"{t.quoted(key)}: {t.tuple_of([_recorded(v, model).text for v in values]).text}"
        for key, values in section.assumed
    )
    text = ", ".join(entries)
    return f"{{{text}}}" if text else ""


def _read(section: ir.Weights) -> list[str]:
    """The keys that are read, or do not matter."""
    values = [value for _, value in section.config]
    values += [value for _, several in section.assumed for value in several]
    read = (key for value in values for key in _mentioned(value))
    return list(dict.fromkeys((*read, *section.immaterial)))


def _mentioned(value: ir.Recorded) -> list[str]:
    match value:
        case ir.Key(path):
            return [path]
        case ir.Computed("or", (ir.Key(first), ir.Key(whole))) if _holds(whole, first):
            return [first]  # `"size"[0] or "size"`: no other entry of the list
        case ir.Computed("[]", (ir.Key(path), ir.Value(int() as at))):
            return [f"{path}.{at}"]  # from the end
        case ir.Computed(_, operands):
            return [key for operand in operands for key in _mentioned(operand)]
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
