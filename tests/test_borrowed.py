"""Blocks that read the parameters of their model, used in the models of other files."""

from __future__ import annotations

from functools import partial

from emitting import load, stored_names
from interpreted import of_page
from interpreting import Subject
from judged import judge

import nnxc
from nnxc import ir
from nnxc.driver import analyse

BLOCKS = """
block MLP(*Wide, factor = 2):
    input x: [B, T, d]
    k = x -> Linear(factor * hidden) as up
    return act(k) -> Linear(d) as down

block Layer(*Wide):
    input x: [B, T, d]
    return x + (x -> LayerNorm(eps=eps) as norm -> MLP(3) as mlp)

model Wide(d = 8, hidden = 6, eps = 1e-5, act = relu, depth = 3, width = 5):
    input x: [B, T, d]
    return x -> Layer * depth as layers -> Linear(width)

weights Wide from "wide.{path}":
    Layer.mlp, MLP.up = "ffn", "inner"
"""

SPEC = """
use Layer, MLP from "wide.nnx"

block Outer(*Narrow):
    input x: [B, T, d]
    return x -> Layer as inner -> MLP as mlp

model Narrow(act = gelu, hidden = 5, k = 3, d = 4, eps = 1e-3):
    input x: [B, T, d]
    return x -> Outer as outer -> Linear(k) as head

weights Narrow from "{path}"
"""


def read(path: str) -> bytes:
    """The files that are used."""
    return {"wide.nnx": BLOCKS, "near.nnx": NEAR}[path].encode()


def told(text: str) -> list[tuple[str, str, str]]:
    """Each mistake: its code, its message, what it is about."""
    found = nnxc.compile(text, path="spec.nnx", read=read).diagnostics
    return [(d.code, d.message, d.primary.span.text) for d in found]


def program(text: str) -> ir.Program:
    """What a spec means."""
    found = analyse(text, path="spec.nnx", read=read).program
    assert found is not None, told(text)
    return found


def test_a_block_reads_what_is_called_so_in_the_model_that_borrows_it() -> None:
    found = program(SPEC)
    assert [d.name for d in found.definitions] == ["MLP", "Layer", "Outer", "Narrow"]
    names = [p.name for p in found.definition("Layer").params]
    assert names == ["act", "hidden", "d", "eps"]


def test_its_own_names_may_be_parameters_of_that_model() -> None:
    names = [p.name for p in program(SPEC).definition("MLP").params]
    assert names == ["act", "hidden", "d", "factor"]


def test_what_is_generated_is_what_the_interpreter_reads() -> None:
    case = partial(of_page, "borrowed", Subject(SPEC, read), "Narrow")
    assert judge(case(), gradients=True) == "same"


def test_the_names_of_its_weights_come_along() -> None:
    output = nnxc.compile(SPEC, path="spec.nnx", read=read)
    found = stored_names(load(output.files["spec.py"]))
    assert found["outer.inner.mlp.up.kernel"] == "outer.inner.ffn.inner.weight"
    assert found["outer.inner.norm.scale"] == "outer.inner.norm.weight"
    assert found["outer.mlp.up.kernel"] == "outer.mlp.inner.weight"


NEAR = """
use Layer from "wide.nnx"

block Twice(*Near):
    input x: [B, T, d]
    return x -> Layer as one -> Layer as two

model Near(d = 8, hidden = 6, eps = 1e-5, act = relu):
    input x: [B, T, d]
    return x -> Twice
"""


def test_what_is_borrowed_is_lent_on() -> None:
    text = SPEC.replace(
        "use Layer, MLP from", 'use Twice from "near.nnx"\nuse MLP from'
    )
    found = program(text.replace("x -> Layer as inner", "x -> Twice as inner"))
    names = [p.name for p in found.definition("Twice").params]
    assert names == ["act", "hidden", "d", "eps"]


# -------------------------------------------------------------------- mistakes


def test_a_parameter_that_the_model_has_not() -> None:
    """One message, where the block is applied; with what it lacks, all is well."""
    text = SPEC.replace("-> MLP as mlp", "").replace("use Layer, MLP", "use Layer")
    mistake = ("N276", "`Layer` reads `eps`, `act` of its model", "Layer")
    assert not told(text)
    assert told(text.replace("act = gelu, ", "").replace(", eps = 1e-3", "")) == [
        mistake
    ]


def test_two_models_of_one_file() -> None:
    other = SPEC[SPEC.index("block") :].replace("Narrow", "Other")
    other = other.replace("Outer", "More").replace("Layer as inner -> ", "")
    mistake = ("N276", "`MLP` reads the parameters of `Narrow`", "MLP")
    assert told(SPEC + other) == [mistake]


def test_beside_its_own_model() -> None:
    """Where its model is used as well, the block is a part of that one."""
    text = SPEC.replace("use Layer, MLP", "use Wide, MLP").replace(
        "Layer as inner -> ", ""
    )
    text = text.replace("as head", "as up -> Wide(k) as head")
    mistake = ("N276", "`MLP` reads the parameters of `Wide`", "MLP")
    assert told(text) == [mistake]


def test_in_a_block_that_is_part_of_no_model() -> None:
    mistake = ("N276", "`MLP` reads the parameters of `Wide`", "MLP")
    text = SPEC.replace("block Outer(*Narrow)", "block Outer")
    text = text.replace("Layer as inner -> ", "").replace("use Layer, MLP", "use MLP")
    assert told(text) == [mistake]


def test_a_mistake_in_the_block_is_one() -> None:
    wrong = BLOCKS.replace("factor * hidden", "factor * hiden")

    def other(path: str) -> bytes:
        return wrong.encode()

    found = nnxc.compile(SPEC, path="spec.nnx", read=other).diagnostics
    assert [d.message for d in found] == ["there is no name `hiden`"]
