"""What must hold of every valid spec."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import black
from flax import nnx

import nnxc
from nnxc.check.definitions.decodable import tunix_problems as problems
from nnxc.diagnostics import Sink
from nnxc.driver import analyse
from nnxc.emit import emit
from nnxc.instance import instantiate
from nnxc.ir import Program
from nnxc.shapes import TensorType
from nnxc.source import Source, Span
from nnxc.syntax.formatting.format import format_file
from tests import interpreter

from . import values
from .build import loaded
from .builder import ModelCase, Spec
from .checkpoints import check_stored
from .decoding import check_decoding, check_tunix
from .laws import SECONDS, holds, time_limit
from .reduce import Written
from .safe import check_safe
from .slopes import Slopes
from .training import Training, check_adapters, check_compiled, check_losses, check_step


@dataclass(frozen=True)
class Way:
    """How a spec is built and run."""

    tree_mode: bool = False
    scan: bool = False
    remat: bool | str = False
    train: bool = False
    optional: bool = False
    formatted: bool = False  # by Black, which takes longer than all else that compiles
    tunix: bool = False  # its interface, where a spec may have it
    backward: bool = False  # all gradients
    compiled: bool = False  # steps, by XLA, which takes seconds

    @property
    def options(self) -> nnxc.Options:
        """The options of a build."""
        return nnxc.Options(
            stack="scan" if self.scan else "loop",
            remat=self.remat,
            black=self.formatted,
        )


def check_valid(spec: Spec | Written, way: Way) -> None:
    """A valid spec compiles, and what it compiles to computes what the spec means."""
    text = spec.text
    with time_limit(SECONDS):
        analysis = analyse(text, path="spec.nnx", read=spec.read)
        if {d.code for d in analysis.diagnostics} == {"N519"}:
            # Random models mix examples. What may accumulate is checked by its gradients.
            text = re.sub(r"^ *accumulate = .*\n", "", text, flags=re.MULTILINE)
            analysis = analyse(text, path="spec.nnx", read=spec.read)
        found = [f"{d.code} {d.message}" for d in analysis.diagnostics]
        codes = " ".join(sorted({d.code for d in analysis.diagnostics}))
        holds(not found, f"no diagnostics {codes}", found)
        program = analysis.program
        assert program is not None
        generated = emit(program, way.options)
    used = spec.used and format_file(spec.used)
    check_safe(generated, f"{text}\n{used}")
    if way.formatted:
        check_black(generated)
    module = loaded(generated)
    loops = module
    if way.scan:  # whose weights have the paths that the interpreter knows
        loops = loaded(emit(program, nnxc.Options(black=False)))
    meaning = interpreter.load(text, spec.read)
    with nnx.set_graph_mode(not way.tree_mode):
        plain: dict[str, tuple[ModelCase, values.Built]] = {}
        for case in spec.models:
            made = check_model(module, loops, case, program, meaning, way)
            if not case.args:
                plain[case.name] = case, made
            if program.generates and not way.tree_mode and not case.args:
                check_decoding(module, made, meaning, case)
                if way.tunix and not tunix_problems(program):
                    options = nnxc.Options(interface="tunix", black=False)
                    check_tunix(loaded(emit(program, options)), meaning, case)
            for section in program.weights if way.train and not way.scan else ():
                if case.name == section.model:
                    check_stored(module, made, case, section)
        for train in program.trains:
            if {train.model, *(f.model for f in train.frozen)} <= set(plain):
                several = len(program.trains) > 1
                suffix = f"_{train.model.lower()}" if several else ""
                check_train(Training(module, train, suffix, plain), meaning, way)


def tunix_problems(program: Program) -> bool:
    """Whether the spec may not have Tunix's interface."""
    sink = Sink()
    problems(program, Span(Source("spec.nnx", ""), 0, 0), sink)
    return bool(sink.diagnostics)


def check_black(text: str) -> None:
    """Generated text is as Black leaves it."""
    holds(black.format_str(text, mode=black.Mode()) == text, "Black leaves it as it is")


def check_model(
    module: types.ModuleType,
    loops: types.ModuleType,
    case: ModelCase,
    program: Program,
    meaning: interpreter.Program,
    way: Way,
) -> values.Built:
    """A model: outputs and weights as predicted, values as the interpreter has them."""
    given = [n for n in case.inputs if way.optional or n not in case.optional]
    args = {n: frozen(v) for n, v in case.args.items()}
    predicted = instantiate(program, case.name, args, case.axes, given)
    holds(not predicted.failures, "requirements hold", predicted.failures)
    shapes = sizes(predicted.outputs)
    holds(case.outputs in (None, shapes), "checker's shapes", (shapes, case.outputs))
    listed = {
        path_of(n): tuple(s.value for s in w.sizes)
        for n, w in predicted.weights().items()
        if not n.endswith("*")  # what Python code has
    }
    made = values.built(loops, case, None)
    own = {p: v.shape for p, v in made.weights.items()}
    joined = {p: shape_of(p, listed) for p in own}
    holds(own == joined, "weights", {"jax": own, "predicted": listed})
    numbers = sum(map(math.prod, listed.values()))
    holds(numbers == sum(map(math.prod, own.values())), "all weights", (own, listed))
    if way.scan:
        made = values.built(module, case, own)
    slopes: Slopes = "along" if way.remat or not case.args else "none"
    if way.backward and not case.args:
        slopes = "all"
    values.check_values(made, meaning, case, given, train=way.train, slopes=slopes)
    return made


def shape_of(
    path: tuple[str | int, ...], listed: Mapping[Any, tuple[int, ...]]
) -> tuple[int, ...] | None:
    """The shape of a weight; copies along an axis, listed one by one, are one weight."""
    if path in listed:
        return listed[path]
    for place in range(1, len(path)):
        copies = [
            q
            for q in listed
            if len(q) > len(path) and (*q[:place], *q[place + 1 :]) == path
        ]
        if copies:
            return (len(copies), *listed[copies[0]])
    return None


def path_of(text: str) -> tuple[str | int, ...]:
    """A path as the checker writes it."""
    parts = (p.rstrip("_") for p in text.split("."))
    return tuple(int(p) if p.isdigit() else p for p in parts)


def frozen(value: object) -> object:
    """A parameter as the compiler has it: lists are tuples."""
    return tuple(value) if isinstance(value, list) else value


def check_train(training: Training, meaning: interpreter.Program, way: Way) -> None:
    """What a train does, as far as it was asked for."""
    if not way.scan:  # whose weights have other paths
        check_losses(training, meaning)
        if training.train.adapters:
            check_adapters(training, meaning)
    if (
        way.compiled and not way.scan
    ):  # a step that was traced already would not be again
        check_compiled(training)
    elif way.train:
        check_step(training)


def sizes(output: Any) -> tuple[tuple[int | None, ...], ...]:
    """The shapes of one output or several."""
    types = (output,) if isinstance(output, TensorType) else output
    return tuple(tuple(s.value for s in t.sizes) for t in types)
