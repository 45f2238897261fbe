"""What conditions of random valid specs ask, and the parameters that they read."""

from __future__ import annotations

from nnxc.syntax import tree

from .builder import Block, Builder
from .trees import call, literal, name

TEXTS = ("a", "b", "c")
LISTS = (["a", "b", "a"], ["c"], ["b", "c"], ["a", "a"])
DEEPEST = 2  # `and` and `or` within each other


def condition(b: Builder, depth: int = 0) -> tree.Expr:
    """A condition on parameters, and on the variables of the loops around."""
    ways = [flagged, flagged, worded, sized, counted, given]
    if b.indices:
        ways += [indexed] * 6
    if depth < DEEPEST and b.one(False, False, False, True):
        sides = condition(b, depth + 1), condition(b, depth + 1)
        return tree.Binary(b.one("and", "or"), *sides)
    made: tree.Expr = b.one(*ways)(b)
    return tree.Unary("not", made) if b.one(*[False] * 5, True) else made


def flag(b: Builder) -> str:
    """A parameter that is true or false."""
    old = b.param_of("flag")
    if old and (b.flip() or len(old) > 3):
        return str(b.one(*old))
    value = b.flip()
    stem = b.one("deep", "plain", "tied", "normed", "use_bias")
    default = ... if b.is_block and b.flip() else value
    return b.new_param(stem, default, "flag", not value)


def text(b: Builder) -> str:
    """A parameter that is one of some texts."""
    old = b.param_of("text")
    if old and (b.flip() or len(old) > 1):
        return str(b.one(*old))
    value, *others = b.one(TEXTS, TEXTS[::-1], ("b", "a", "c"))
    default = ... if b.is_block and b.flip() else value
    return b.new_param(b.one("mode", "kind", "variant"), default, "text", *others)


def count(b: Builder) -> str:
    """A parameter that says how often."""
    old = b.param_of("count")
    if old and (b.flip() or len(old) > 1):
        return str(b.one(*old))
    value = b.one(1, 2, 3)
    return b.new_param(b.one("layers", "depth", "n"), value, "count", 4 - value, 2)


def limit(b: Builder) -> str:
    """A parameter that may be none."""
    old = b.param_of("limit")
    if old and (b.flip() or len(old) > 1):
        return str(b.one(*old))
    value, other = None, b.one(0.25, 0.5, 2.0)
    return b.new_param(b.one("limit", "bound", "cap"), value, "limit", other)


def kinds(b: Builder) -> str:
    """A parameter that is a list of texts."""
    old = b.param_of("kinds")
    if old and (b.flip() or len(old) > 1):
        return str(b.one(*old))
    value, other, *_ = b.one(LISTS, LISTS[::-1], LISTS[1:])
    return b.new_param(b.one("kinds", "pattern", "blocks"), value, "kinds", other)


def factor(b: Builder) -> str:
    """A parameter that is a number."""
    old = b.param_of("number")
    if old and (b.flip() or len(old) > 1):
        return str(b.one(*old))
    value, other = b.one((0.5, 2.0), (1.0, 0.0), (1.5, -1.0))
    return b.new_param(b.one("factor", "rate", "scale"), value, "number", other)


# -------------------------------------------------------------- what is asked


def flagged(b: Builder) -> tree.Expr:
    """`deep`, `not deep`, `deep == true`."""
    made = name(flag(b))
    match b.one("yes", "yes", "no", "equal"):
        case "no":
            return tree.Unary("not", made)
        case "equal":
            return tree.Binary(b.one("==", "!="), made, literal(b.flip()))
    return made


def worded(b: Builder) -> tree.Expr:
    """`mode == "a"`, `mode in ["a", "b"]`."""
    made = name(text(b))
    if b.one(False, False, True):
        return tree.Binary(
            "in", made, literal([*b.one(("a", "b"), ("b",), ("c", "a"))])
        )
    return tree.Binary(b.one("==", "==", "!="), made, literal(b.one(*TEXTS)))


def sized(b: Builder) -> tree.Expr:
    """`width > 4`, `width % 4 == 0`."""
    sizes = b.param_of("size")
    if not sizes:
        return counted(b)
    made: tree.Expr = name(b.one(*sizes))
    if b.flip():
        rest = tree.Binary("%", made, literal(b.one(2, 3, 4)))
        return tree.Binary(b.one("==", "!="), rest, literal(0))
    op = b.one(">", "<", ">=", "<=", "==", "!=")
    return tree.Binary(op, made, literal(b.one(2, 4, 6, 8)))


def counted(b: Builder) -> tree.Expr:
    """`layers > 1`."""
    return tree.Binary(b.one(">", "==", "<="), name(count(b)), literal(b.one(1, 2)))


def given(b: Builder) -> tree.Expr:
    """`limit != none`."""
    return tree.Binary(b.one("!=", "=="), name(limit(b)), literal(None))


def indexed(b: Builder) -> tree.Expr:
    """`i == 0`, `i % 2 == 0`, `i in [0, 2]`, `kind == "a"`."""
    index = b.one(*b.indices)
    made = name(index.name)
    if index.kind == "text":
        return tree.Binary(b.one("==", "==", "!="), made, literal(b.one(*TEXTS)))
    match b.one("compare", "rest", "in", "param"):
        case "rest":
            rest = tree.Binary("%", made, literal(2))
            return tree.Binary("==", rest, literal(b.one(0, 1)))
        case "in":
            places = [*b.one((0,), (0, 2), (1, 2), (5,))]
            return tree.Binary("in", made, literal(places))
        case "param":
            last = tree.Binary("-", name(count(b)), literal(1))
            return tree.Binary(b.one("==", "<", ">="), made, last)
    return tree.Binary(b.one("==", "!=", ">", "<"), made, literal(b.one(0, 1, 2)))


def times(b: Builder) -> tree.Expr:
    """How often: a number, or a parameter."""
    return name(count(b)) if b.one(False, False, True) else literal(b.one(1, 2, 3))


# ------------------------------------------------------------ what is passed


def argument(b: Builder, kind: str) -> object:
    """What a caller gives to a parameter of a block."""
    makers = {"flag": flag, "text": text, "count": count, "limit": limit}
    values = {
        "flag": (True, False),
        "text": TEXTS,
        "count": (1, 2, 3),
        "limit": (None, 0.5, 2.0),
        "number": (0.5, 1.0, -2.0),
        "kinds": ([*TEXTS], ["b"], ["c", "a", "c"]),
    }
    makers |= {"number": factor, "kinds": kinds}
    if kind == "size":
        return b.static_size()
    match b.one("literal", "literal", "param", "condition"):
        case "param":
            return name(makers[kind](b))
        case "condition" if kind == "flag":
            return condition(b, DEEPEST)
        case "condition" if kind in ("text", "number"):
            first, second = literal(b.one(*values[kind])), literal(b.one(*values[kind]))
            return tree.IfElse(condition(b, DEEPEST), first, second)
    return b.one(*values[kind])


def passed(b: Builder, block: Block, param: str) -> object:
    """What a caller gives to a parameter of a block, which may be a block itself."""
    kind = block.params[param]
    if kind in ("block", "layer"):
        return name(b.one(*block.choices))
    return argument(b, kind)


def applied(b: Builder, block: Block) -> tuple[tree.Expr, dict[str, object]]:
    """A block with all that is required and some of the rest, and what that is."""
    first = {p: passed(b, block, p) for p in block.required}
    others = {
        p: passed(b, block, p)
        for p in block.params
        if p not in block.required and b.flip()
    }
    if b.flip():
        return call(block.name, *first.values(), **others), {**first, **others}
    return call(block.name, **first, **others), {**first, **others}
