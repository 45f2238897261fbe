"""Random valid specs, with the shapes that they must compute."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from nnxc.dims import Dim, const, symbol
from nnxc.record import replace
from nnxc.syntax import tree
from nnxc.syntax.formatting.format import format_file

from . import compound, keeping, language, layers, steps, structures
from . import externs as extern
from . import sizes as more
from .builder import B, Block, Builder, Draw, ModelCase, Spec, Value
from .trains import train_of, weights_of
from .trees import assign, call, name, pipe

STEPS = (
    steps.linear, steps.linear, steps.residual, steps.branches, steps.alike, steps.unary,
    steps.reduction, steps.together, steps.joined, steps.reshaped, steps.rearranged,
    steps.contracted, steps.scaled, steps.taken,
    layers.attention, layers.convolution, layers.noise, layers.block, layers.block,
    layers.pooled, layers.recurrent, layers.positions, layers.tied, layers.headed,
    layers.softened, layers.attended, layers.patches,
    structures.widening, structures.optional_input, structures.second_input,
    structures.static_local, keeping.kept, keeping.kept, keeping.kept, keeping.kept,
    structures.listed_widths, structures.required, structures.activated,
    structures.parted,
    more.halved, more.halved, more.doubled, more.shifted, more.counted, more.stacked,
    more.divided, more.dropped, more.masked, more.remembered, more.shortcut, more.chosen,
    extern.brought, compound.copies, compound.copies, compound.two_values, compound.two_values,
)  # fmt: skip
DOCS = (
    "A model.", "What it does: x -> y", 'He said "so".', '"""', "ends in a quote\"",
    "a \\ backslash \\n", "{braces} {{ x }} {% if %}", "trailing \\", "", "  indented", "é, ∑",
    "long " * 30, "'''", "# hash", "%s", "type: ignore", "fmt: off", "noqa",
)  # fmt: skip


def start(b: Builder, rank: int) -> None:
    """The first input of a definition."""
    lead = {2: (B,), 3: (B, symbol("T")), 4: (B, symbol("H"), symbol("W"))}[rank]
    last = _first_width(b)
    if rank == 3 and not b.is_block and b.flip():
        b.add_input("tokens", lead, "int")
        b.unused.pop("tokens")
        layer = call("Embed", b.size_param(7, 11), last)
        b.body.append(assign("x", pipe(name("tokens"), layer)))
        b.put(Value("x", (*lead, last)))
    else:
        b.add_input("x", (*lead, last))


def _first_width(b: Builder) -> Dim:
    if b.is_block:
        b.env["d"] = 6
        b.static.add("d")
        return symbol("d")
    return const(b.one(3, 4, 8)) if b.flip() else b.size_param(4, 8)


def write_block(
    draw: Draw, blocks: list[Block], text: str
) -> tuple[tree.Definition, Block]:
    """A block over the ones before: it keeps the type of its input, or makes a new width."""
    b = Builder(draw, blocks, is_block=True)
    rank = b.one(2, 3, 3, 4)
    start(b, rank)
    keeps = b.flip()
    (x,) = b.values
    for _ in range(b.one(1, 2)):
        keeping.keep(b, x)
    out = None
    if not keeps:
        out = b.static_size()
        b.body.append(assign("x", pipe(b.read(x), call("Linear", out))))
    b.body.append(tree.Return((name("x"),)))
    required = tuple(p for p, v in b.params.items() if v is ...)
    written = documented(b, b.definition("block", text))
    return written, Block(text, rank, dict(b.kinds), required, out)


def write_model(
    draw: Draw, blocks: list[Block], pairs: list[tree.Definition], text: str
) -> tuple[list[tree.Item], list[ModelCase]]:
    """A model of a few steps, and perhaps a config of it."""
    b = Builder(draw, blocks, is_block=False)
    b.pairs = [(p.name.id, compound.is_named(p)) for p in pairs]
    start(b, b.one(2, 3, 3, 4, *(k.rank for k in blocks for _ in range(3))))
    for _ in range(b.one(1, 3, 5, 8, 12)):
        step = layers.block if blocks and b.one(True, False, False) else b.one(*STEPS)
        step(b)
    returned = b.finish(several=True)
    written = documented(b, b.definition("model", text))
    cases = [b.case(text, returned, **args) for args in sides(b)]
    if len(cases) == 1 or b.flip():
        return [written], cases
    shown = call(text, **cases[-1].args)
    return [
        written,
        tree.Config(name(b.one("big", "wide") + text.lower()), shown),
    ], cases


def sides(b: Builder) -> list[dict[str, Any]]:
    """Parameters so that each takes every value that it may: all others at once, then mixed."""
    other = {p: list(values) for p, values in b.sides.items()}
    rows: list[dict[str, Any]] = [{}]
    for place in range(max(map(len, other.values()), default=0)):
        rows.append({p: v[place] for p, v in other.items() if place < len(v)})
    if len(other) > 1:
        rows.append({p: b.one(*v, b.params[p]) for p, v in other.items()})
    # Twice as wide keeps what divides a size, and what is even.
    if not b.requires and (
        sizes := [p for p in b.params if p in b.static and b.flip()]
    ):
        rows = [
            {},
            *({**row, **{p: 2 * b.env[p] for p in sizes}} for row in rows[1:] or [{}]),
        ]
    return rows


def documented(b: Builder, written: tree.Definition) -> tree.Definition:
    """A definition, perhaps with comments above it."""
    lines = tuple(f"# {b.one(*DOCS)}".rstrip() for _ in range(b.one(0, 0, 1, 3)))
    return replace(written, trivia=tree.Trivia(above=lines, blank=True))


@st.composite
def specs(draw: Draw) -> Spec:
    """A file: some blocks, here or in another file, one or two models, sometimes trains."""
    if draw(st.sampled_from([True, False, False, False])):
        return of_language(draw)
    blocks: list[Block] = []
    definitions: list[tree.Item] = []
    for index in range(draw(st.integers(0, 3))):
        written, block = write_block(draw, blocks, f"Block{index}")
        definitions.append(written)
        blocks.append(block)
    if draw(st.sampled_from([True, False, False])):
        hosting = compound.host(draw, blocks, "Host")
        definitions.append(hosting[0])
        blocks.append(hosting[1])
    items: list[tree.Item] = []
    cases = []
    pairs = [compound.pair(draw, "Pair")] if draw(st.booleans()) else []
    for index in range(draw(st.integers(1, 2))):
        made, of_model = write_model(draw, blocks, pairs, f"Net{index}")
        items += made
        cases += of_model
        if draw(st.booleans()):
            assert isinstance(made[0], tree.Definition)
            items += train_of(draw, made[0], of_model[0], plain=True)
    first = next(i for i in items if isinstance(i, tree.Definition))
    if draw(st.sampled_from([True, False, False])):
        items += weights_of(draw, first)
    definitions += [
        p for p in pairs if f"-> {p.name.id}()" in format_file(tree.File(tuple(items)))
    ]
    moved = definitions[: draw(st.sampled_from([0, 0, 0, 1, 2]))]
    return with_used(moved, definitions[len(moved) :] + items, cases)


def of_language(draw: Draw) -> Spec:
    """A file with a model that generates."""
    blocks: list[Block] = []
    items: list[tree.Item] = []
    for index in range(draw(st.integers(0, 2))):
        written, block = language.language_block(draw, f"Block{index}")
        items.append(written)
        blocks.append(block)
    b, _ = language.language_model(draw, blocks, "Lm")
    returned = b.finish(several=False)
    model = b.definition("model", "Lm")
    cases = [b.case("Lm", returned, **args) for args in sides(b)]
    items += [model, language.generates("Lm")]
    if draw(st.booleans()):
        items += train_of(draw, model, cases[0], plain=True)
    return Spec(tree.File(tuple(items)), tuple(cases), generates=True)


def with_used(
    moved: list[tree.Item], items: list[tree.Item], cases: list[ModelCase]
) -> Spec:
    """The spec, with these definitions in a file that it uses."""
    names = [d.name for d in moved if isinstance(d, tree.Definition)]
    text = format_file(tree.File(tuple(items)))
    used = tuple(n for n in names if re.search(rf"\b{n.id}\b", text))
    brings = extern.with_declarations
    if not used:
        return Spec(tree.File(brings((*moved, *items))), tuple(cases))
    use = tree.Use(used, tree.String("blocks.nnx"))
    other = tree.File(brings(tuple(moved)))
    return Spec(tree.File((use, *brings(tuple(items)))), tuple(cases), other)
