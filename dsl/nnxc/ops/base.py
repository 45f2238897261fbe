"""What an entry of the library is. An entry is plain values; everything else derives from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from enum import Enum, unique
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ..dims import Dim, const
from ..record import EMPTY, Record
from ..shapes import DTYPES, TensorType


@unique
class Kind(Enum):
    """What an argument may be, as messages say it, and in brackets what a shape rule receives.

    A rule receives None for an argument that is absent or `none`, and for a NUMBER or BOOL whose
    value is a parameter of the model, hence unknown (unless the parameter is `literal`).
    """

    # [Dim] a positive int: number, parameter, axis, arithmetic
    SIZE = "a size"
    # [tuple[Dim, ...]] the rest of the positional arguments, or a list
    SIZES = "one or several sizes"
    INT = "a whole number"  # [Dim] also zero and negative
    LIST = "a list"  # any list: a parameter of a model only
    NUMBERS = "a list of numbers"  # [TensorType] or of such lists of one length
    INTS = "whole numbers"  # [tuple[Dim, ...]] a list of ints, or one int
    NUMBER = "a number"  # [int | float | None]
    BOOL = "true or false"  # [bool | None]
    TEXT = "a text"  # [str] one of `choices`, or free text where there are none
    # [tuple[Dim, ...]] or one int for every axis (a 1-tuple)
    WINDOW = "a window such as `3x3`"
    # [int] position of an axis of the first input, counted from 0 among the known axes
    AXIS = "an axis: a name in the shape or a position"
    AXES = "axes: names in the shape or positions"  # [tuple[int, ...]] one or several
    SHAPE = "a shape such as `[B, d]`"  # [tuple[Axis, ...]]
    DTYPE = "a dtype: " + ", ".join(DTYPES)  # [str]
    STREAM = "the name of a stream"  # [str] an RNG stream
    # called or not: `normal(0.02)`, `zeros`  [not given to rules]
    INIT = "an initialiser such as `normal(0.02)`"
    FUNCTION = "an activation such as `gelu`"  # by name  [not given to rules]
    SCHEDULE = "a number or a schedule"  # [not given to rules]


class Along(Enum):
    """Which axes of its first input an entry works along. Along all others it takes each place by
    itself, so that a sequence there may come in pieces."""

    EACH = "none: inputs lie side by side, as in broadcasting"
    LAST = "those that an argument names, the last where none does"
    NAMED = "those that an argument names, all where none does"
    LAST_TWO = "the last two"
    INNER = "all but the first"
    PRODUCT = "the last, and the last but one of the second input"
    EQUATION = "those that a pattern sums over"
    MOVES = "none: axes come elsewhere, or one of size 1 stretches"
    FILLS = "makes one value everywhere"
    COUNTS = "makes values that count from the start of an axis"
    DRAWS = "draws anew at each call"
    WHOLE = "all"
    LOOKS_BACK = "the sequence: `stepwise` knows what may take its place"


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


# The keyword with which a product of half precision gives its sums as they are.
IN_FLOAT32 = MappingProxyType({"preferred_element_type": "=jnp.float32"})


class Param(Record):
    """An argument known when the model is built."""

    name: str
    kind: Kind
    default: Any = REQUIRED
    doc: str = ""
    choices: Mapping[str, str] | None = None  # spelling in a spec -> Python text; a
    # WINDOW, SIZES, NUMBER or FUNCTION with choices takes these texts as well
    literal: bool = (
        False  # its value must be known to the compiler (it decides the shape)
    )
    optional: bool = False  # `none` may be written
    positional: bool = True
    bounds: tuple[float, float] | None = None  # of a NUMBER or a WINDOW, both included
    empty: bool = False  # of a SIZE: it may be below 1, where nothing is made of it
    # Of a SIZE that shapes weights: the parameter that it equals where it is `none`; an
    # empty text where there is none such, so that it is told apart when the spec is read.
    absent: str | None = None

    def beyond(self, number: object) -> str | None:
        """What keeps a number, or one of several, from being within the bounds."""
        if isinstance(number, (tuple, list)):
            return next((t for t in map(self.beyond, number) if t), None)
        if self.bounds is None or not isinstance(number, (int, float)):
            return None
        low, high = self.bounds
        if low <= number <= high:
            return None
        if high == math.inf:
            return f"`{self.name}` is at least {low}"
        return f"`{self.name}` is between {low} and {high}"


class Input(Record):
    """A tensor argument. `dtype` is one of float, int, bool, number (float or int), any."""

    name: str
    dtype: str = "any"
    optional: bool = False
    many: bool = False  # a list of tensors, or all positional tensors: `concat(a, b)`
    scalar: bool = True  # a number may stand for it (functions only)
    axes: int = 0  # of an `extern`: so many are declared, `...` left out


class Requirement(Record):
    """A fact about sizes that must hold: `left == right`, `left >= right` or `left != right`."""

    left: Dim
    right: Dim
    message: str  # a clause that states the fact: "heads must divide d"
    relation: str = "=="
    at: str | None = None  # the argument at fault
    help: str | None = None
    code: str = "N301"  # of the diagnostic where it fails


class Tensor(Record):
    """The form of a weight in a checkpoint: `axes` of the weight make up each axis of the tensor,
    whose axes from the third on run backwards where it is `flipped`."""

    axes: tuple[tuple[int, ...], ...]
    flipped: bool = False


class Weight(Record):
    """One variable of a layer."""

    sizes: tuple[Dim, ...]
    state: bool = False  # running statistics rather than a weight
    when: str | None = None  # the BOOL parameter that turns it on
    tensor: Tensor | None = None  # its form in a checkpoint; None: as it is

    @classmethod
    def declared(cls, type: TensorType, state: bool) -> Weight:
        """What `param` or `state` of a spec makes."""
        return cls(type.sizes, state)


NOTHING: Final = const(0)


class Shaped(Record):
    """What a shape rule finds out."""

    out: TensorType | tuple[TensorType, ...]
    sizes: Mapping[str, Dim] = EMPTY  # names that `build` refers to
    weights: Mapping[str, Weight] = EMPTY  # "kernel", "q_proj.kernel"
    flops: Dim | None = NOTHING  # of one application, forward; a multiply-add counts 2
    requires: tuple[Requirement, ...] = ()
    build: Call | str | None = None  # in place of the entry's, where arguments decide


class ShapeError(Exception):
    """A rule refuses its inputs. `at` is a parameter name, an input name, or None for the call."""

    def __init__(
        self,
        message: str,
        *,
        at: str | None = None,
        help: str | None = None,
        code: str = "N301",
    ):
        super().__init__(message)
        self.message, self.at, self.help, self.code = message, at, help, code


Inputs: TypeAlias = tuple[
    Any, ...
]  # TensorType, None where absent, tuple of TensorType where `many`
Rule: TypeAlias = Callable[[Inputs, Mapping[str, Any]], Shaped]


class Call(Record):
    """A Python call. Strings name a parameter, a size that the rule found, or an input; a string
    that starts with `=` is Python text, with `{name}` for the same; `*xs` passes the tensors of a
    `many` input one by one. A keyword whose parameter the spec does not write is left
    out: our defaults are those of Flax, unless the name stands in `always`. `target` may be a
    template: `Call("jnp.square({x} - {y}).mean", kwargs={"where": "where"})`. `around` is Python
    text with the call in the place of `{}`, and a template too."""

    target: str
    args: tuple[str, ...] = ()
    kwargs: Mapping[str, str] = EMPTY
    always: tuple[str, ...] = ()
    around: str = "{}"


class Helper(Record):
    """A class or function that an entry needs, in a module that generated ones share.

    What has a `source` is carried by the generated module itself: Black-stable text, which uses
    `jax`, `jnp`, `nnx`, `optax`, `Any` and what it `needs` only.
    """

    name: str
    source: str = ""
    needs: tuple[Helper, ...] = ()  # helpers that the text calls


class Origin(Record):
    """Where Python code lies that a spec brings along: a `file` relative to the generated module, or
    else a `module`; and its name there."""

    name: str
    module: str = ""
    file: str = ""


class Example(Record):
    """Arguments and input types for the oracle test: `Example({"out": 3}, ("B T d",))`.

    A type is axes separated by spaces, numbers and symbols; `int:`, `bool:` in front for dtypes;
    several tensors of a `many` input are several types.
    """

    args: Mapping[str, Any]
    inputs: tuple[str, ...] = ("B 7 5",)
    named: Mapping[str, str] = EMPTY  # optional inputs by name


class Op(Record):
    """One entry.

    `group` is layer, function, loss, metric, optimizer, schedule or initializer. A layer is
    CamelCase, is constructed by `build` and applied to its inputs; a function is one Python call,
    `build`, over its inputs and parameters. `shape` is a pattern (`"... d -> ... out"`) or a rule.
    """

    name: str
    group: str
    doc: str
    build: Call | str  # a string is a template: "jnp.square({x} - {y})"
    params: tuple[Param, ...] = ()
    inputs: tuple[Input, ...] = (Input("x"),)
    shape: str | Rule = "... -> ..."
    dtype: str | None = None  # of the output where it is not the first input's
    weights: Mapping[str, str] = EMPTY  # pattern rules: {"bias": "out if bias"}
    state: Mapping[str, str] = EMPTY
    along: Along | None = (
        None  # of layers and functions; what does not say is not generated from
    )
    flops: Callable[[Mapping[str, Dim]], Dim] | None = (
        None  # pattern rules: from the sizes
    )
    streams: tuple[
        str, ...
    ] = ()  # drawn from when applied; a STREAM parameter overrides the first
    modes: tuple[
        str, ...
    ] = ()  # attributes that nnx.view sets for evaluation: "deterministic"
    dtype_aware: bool = False  # takes dtype= (the activations' dtype), functions too
    in_float32: bool | None = (
        None  # whatever its inputs: statistics; losses and metrics if None
    )
    sums: bool = False  # what is computed in its input on the spot is in float32 too
    product: bool = False  # of its required inputs, which are of one dtype
    in_full: Call | None = None  # the build that gives float32 of narrower inputs
    takes_rngs: bool = True  # a layer's constructor takes rngs=
    takes_sizes: bool = False  # further sizes by any name: rearrange("...", p=16)
    extra: Kind | None = (
        None  # keywords of any name, of this kind: `rearrange(..., p=size)`
    )
    aliases: tuple[str, ...] = ()  # names that other libraries give it, for hints
    helper: Helper | None = None
    other_helpers: tuple[Helper, ...] = ()  # that a rule's build may call instead
    methods: Mapping[str, Op] = EMPTY  # wte.attend
    examples: tuple[Example, ...] = ()
    result: str = ""  # what its value is called where a spec gives it no name
    keeps_name: bool = False  # its value is called as what it is made of
    source: str = ""  # for a formula: where it comes from
    # Of weights in a checkpoint where `tensors.LEAVES` does not say.
    tensors: Mapping[str, str] = EMPTY
    older: Mapping[str, str] = EMPTY  # former names of these tensors: name -> before
    origin: Origin | None = None  # of what is no entry, but brought by `extern`
    # Builds instead of `build` where the parameter or input of that name is written.
    variants: Mapping[str, Call | str] = EMPTY
    # What it is called as a value at given arguments: {"approximate=False": "exact_gelu"}.
    named: Mapping[str, str] = EMPTY

    def build_for(self, written: Container[str]) -> Call | str:
        """The build to use where the arguments and inputs in `written` are given."""
        return next((b for n, b in self.variants.items() if n in written), self.build)

    def param(self, name: str) -> Param | None:
        """The parameter of that name, or None."""
        return next((p for p in self.params if p.name == name), None)

    def input(self, name: str) -> Input | None:
        """The input of that name, or None."""
        return next((i for i in self.inputs if i.name == name), None)
