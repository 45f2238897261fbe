"""Strategies for random trees that can be written: right in syntax, of no meaning."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from nnxc.syntax import tree

LOWER = st.sampled_from(
    ["x", "y", "h", "ln_1", "e3", "state", "model", "only", "scan", "weights"]
)
UPPER = st.sampled_from(["B", "T", "Linear", "MLP", "GPT2"])
NAMES = (LOWER | UPPER).map(tree.Name)
COMMENTS = st.text("ab #\"'[é", max_size=6).map(lambda text: f"# {text}".rstrip())
NUMBERS = st.sampled_from(
    [(0, "0"), (768, "768"), (1000, "1_000"), (0.5, ".5"), (1e-3, "1e-3"), (2.0, "2.0")]
).map(lambda pair: tree.Number(*pair))
STRINGS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5
).map(tree.String)
WINDOWS = st.lists(st.integers(1, 19), min_size=2, max_size=3).map(
    lambda sizes: tree.Window(tuple(sizes))
)
CONSTANTS = st.sampled_from([True, False, None]).map(tree.Constant)
DOTS = st.builds(tree.Dots)


def tuples(items: SearchStrategy, least: int = 0, most: int = 2) -> SearchStrategy:
    """Tuples of items."""
    return st.lists(items, min_size=least, max_size=most).map(tuple)


def _arguments(values: SearchStrategy) -> SearchStrategy:
    positional = tuples(st.builds(tree.Arg, st.none(), values), most=1)
    by_name = st.lists(
        st.builds(tree.Arg, LOWER, values), max_size=2, unique_by=lambda arg: arg.name
    ).map(tuple)
    return st.builds(lambda first, rest: first + rest, positional, by_name)


def _types(dims: SearchStrategy) -> SearchStrategy:
    shapes = tuples(dims | DOTS)
    return st.builds(tree.TypeOf, st.none(), shapes) | st.builds(
        tree.TypeOf, st.sampled_from(["f32", "int", "KVCache"]), st.none() | shapes
    )


def _alike(part: tree.Expr, names: tuple[str, ...]) -> tree.Branch:
    """`part as (a, b)`."""
    return tree.Branch(tuple(tree.Named(part, name) for name in names), alike=True)


def _grow(parts: SearchStrategy) -> SearchStrategy:
    slices = st.builds(tree.Slice, *[st.none() | parts] * 3)
    binary = st.sampled_from(
        [*"+-*/%<>", "//", "**", "==", "!=", "<=", ">=", "and", "or"]
    )
    return st.one_of(
        st.builds(tree.ListOf, tuples(parts | DOTS)),
        st.builds(tree.Call, parts, _arguments(parts)),
        st.builds(tree.Attribute, parts, LOWER),
        st.builds(tree.Index, parts, tuples(parts | slices | DOTS, least=1)),
        st.builds(tree.Unary, st.sampled_from(["-", "not"]), parts),
        st.builds(tree.Binary, binary, parts, parts),
        st.builds(tree.IfElse, parts, parts, parts),
        st.builds(tree.Named, parts, LOWER),
        st.builds(tree.Branch, tuples(parts, least=2)),
        st.builds(_alike, parts, tuples(LOWER, least=2)),
        st.builds(tree.Assertion, parts, _types(parts)),
        st.builds(
            tree.Pipe,
            parts,
            tuples(st.builds(tree.Stage, parts, st.booleans()), least=1),
        ),
    )


EXPRESSIONS = st.recursive(
    NAMES | NUMBERS | STRINGS | CONSTANTS | WINDOWS, _grow, max_leaves=4
)
PATHS = st.recursive(
    NAMES,
    lambda paths: st.builds(tree.Attribute, paths, LOWER)
    | st.builds(tree.Index, paths, tuples(EXPRESSIONS, least=1)),
    max_leaves=2,
)
TYPES = _types(EXPRESSIONS)
CALLS = st.builds(tree.Call, NAMES, _arguments(EXPRESSIONS))


@st.composite
def commented_pipes(draw: st.DrawFn) -> tree.Pipe:
    """Pipes as they stand outside of brackets; the last line's comment is no part."""
    stage = st.builds(
        tree.Stage,
        EXPRESSIONS,
        st.booleans(),
        st.none() | COMMENTS,
        tuples(COMMENTS, most=2),
    )
    last = st.builds(
        tree.Stage, EXPRESSIONS, st.booleans(), st.none(), tuples(COMMENTS, most=1)
    )
    stages = (*draw(tuples(stage, most=2)), draw(last))
    return tree.Pipe(draw(EXPRESSIONS), stages, draw(st.none() | COMMENTS))


VALUES = (
    EXPRESSIONS
    | commented_pipes()
    | st.builds(tree.Assertion, commented_pipes(), TYPES)
)


@st.composite
def comment_lines(draw: st.DrawFn, last_blank: bool = True) -> tuple[str, ...]:
    """Lines of comments with single blank lines among them."""
    lines: list[str] = []
    for comment in draw(tuples(COMMENTS)):
        lines += [comment, ""] if draw(st.booleans()) else [comment]
    if lines and not lines[-1] and not last_blank:
        lines.pop()
    return tuple(lines)


TRIVIA = st.builds(
    tree.Trivia, comment_lines(), st.booleans(), st.none() | COMMENTS
) | st.just(tree.NO_TRIVIA)
FIELDS = st.builds(tree.Field, LOWER, TYPES, st.none() | EXPRESSIONS)
STATES = st.builds(
    tree.Field, LOWER, TYPES, EXPRESSIONS, kind=st.sampled_from(["Buffer", "B2"])
)


def _with_trivia(
    kind: type, *parts: SearchStrategy, **more: SearchStrategy
) -> SearchStrategy:
    return st.builds(kind, *parts, trivia=TRIVIA, **more)


@st.composite
def _named_returns(draw: st.DrawFn) -> tree.Return:
    values = draw(tuples(VALUES, least=1, most=2))
    names = tuple(tree.Name(f"{draw(LOWER)}{i}") for i, _ in enumerate(values))
    return tree.Return(values, names, trivia=draw(TRIVIA))


LOWERS = tuples(LOWER.map(tree.Name), least=1)
SIMPLE = st.one_of(
    _with_trivia(tree.Rngs, LOWERS),
    _with_trivia(
        tree.Declare,
        st.sampled_from(["input", "batch", "param", "state"]),
        tuples(FIELDS, least=1),
    ),
    _with_trivia(tree.Declare, st.just("state"), tuples(FIELDS | STATES, least=1)),
    _with_trivia(tree.Assign, LOWERS, st.sampled_from(["=", "+=", "-=", "*="]), VALUES),
    _with_trivia(
        tree.Init,
        tuples(st.builds(tree.Initial, tuples(LOWER, least=1), EXPRESSIONS), least=1),
    ),
    _with_trivia(tree.Require, EXPRESSIONS, st.none() | STRINGS.map(lambda s: s.value)),
    _with_trivia(tree.Return, tuples(VALUES, least=1, most=2)),
    _named_returns(),
    _with_trivia(tree.Evaluate, VALUES),
    _with_trivia(tree.Collect, LOWER, VALUES),
    _with_trivia(tree.Metric, LOWER, VALUES),
    _with_trivia(
        tree.Select,
        st.sampled_from(["freeze", "only", "decays"]),
        tuples(PATHS, least=1),
    ),
    _with_trivia(
        tree.Adapt,
        LOWER.map(tree.Name)
        | st.builds(tree.Call, LOWER.map(tree.Name), _arguments(EXPRESSIONS)),
        tuples(PATHS, least=1),
    ),
    _with_trivia(
        tree.Frozen,
        LOWER,
        LOWER.map(tree.Name)
        | st.builds(tree.Call, LOWER.map(tree.Name), _arguments(EXPRESSIONS)),
    ),
)


CARRIES = tuples(st.builds(tree.Carry, LOWER, EXPRESSIONS), least=1)


def _scans(body: SearchStrategy) -> SearchStrategy:
    steps = _with_trivia(
        tree.Scan,
        LOWERS,
        tuples(EXPRESSIONS, least=1),
        EXPRESSIONS,
        st.booleans(),
        CARRIES,
        body,
    )
    return steps | _with_trivia(
        tree.Scan, st.just(()), st.just(()), EXPRESSIONS, st.booleans(), CARRIES, body
    )


def _compound(statements: SearchStrategy) -> SearchStrategy:
    body = tuples(statements, least=1)
    alone = _with_trivia(tree.If, EXPRESSIONS, body, st.just(()))
    either = st.builds(
        tree.If, EXPRESSIONS, body, body, trivia=TRIVIA, else_trivia=TRIVIA
    )
    loop = _with_trivia(tree.For, LOWERS, EXPRESSIONS, body)
    goal = _with_trivia(tree.Optimize, LOWER, body)
    return alone | either | loop | goal | _scans(body)


STATEMENTS = st.recursive(SIMPLE, _compound, max_leaves=3)
BODIES = tuples(STATEMENTS, least=1)
PARAMETERS = st.builds(tree.Parameter, LOWER, st.none() | EXPRESSIONS)
CAMEL = st.sampled_from(["Linear", "MLP", "GPT2", "B"]).map(tree.Name)
ITEMS = st.one_of(
    _with_trivia(tree.Use, tuples(NAMES, least=1), STRINGS | LOWER.map(tree.Zoo)),
    _with_trivia(tree.Defaults, tuples(CALLS, least=1)),
    _with_trivia(tree.Config, LOWER.map(tree.Name), CALLS),
    _with_trivia(
        tree.Definition,
        st.sampled_from(["block", "model"]),
        CAMEL,
        tuples(PARAMETERS),
        BODIES,
        groups=tuples(CAMEL.map(tree.Group)),
    ),
    _with_trivia(tree.Train, CAMEL, BODIES),
    _with_trivia(tree.Train, CAMEL, st.just(()), path=STRINGS | LOWER.map(tree.Zoo)),
)
FILES = st.builds(tree.File, tuples(ITEMS, least=1), comment_lines(last_blank=False))
