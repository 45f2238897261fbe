"""Comments of a spec become docstrings: of the module, its classes and its losses."""

from __future__ import annotations

import ast
import inspect
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnxc
from nnxc.emit import Options

BLOCK = "block Part(h):\n    input x: [B, T, d]\n    return x -> Linear(h)\n"
MODEL = "model Net(h = 3):\n    input x: [B, 4, 5]\n    return x -> Part(h)\n"
TRAIN = """train Net:
    batch x: [B, 4, 5], y: [B, 4, h]
    loss = mse(model(x), y)
    optimizer = adam(1e-3)
"""
OF_BLOCK = "Maps (b, t, d) to (b, t, h)."
OF_MODEL = "Maps (b, 4, 5) to (b, 4, h)."
OF_LOSS = "The loss of a batch, and its metrics."


def built(spec: str, **used: str) -> str:
    """The module of a spec, with no escape that Python warns of."""
    files = {f"{name}.nnx": text.encode() for name, text in used.items()}
    output = nnxc.compile(spec, path="net.nnx", read=files.__getitem__)
    assert output.ok, output.diagnostics
    return output.files["net.py"]


def docs(spec: str, **used: str) -> dict[str, str]:
    """The docstrings of a spec's module, by name; the module's own is that of ``."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = ast.parse(built(spec, **used))
    found = {"": ast.get_docstring(tree) or ""}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = ast.get_docstring(node) or ""
    return found


def test_a_comment_right_above_documents() -> None:
    spec = f"# File.\n\n# Part.\n{BLOCK}\n# Model.\n{MODEL}\n# Loss.\n{TRAIN}"
    found = docs(spec)
    assert found[""].startswith("File.\n\nAxes:")
    assert found["Part"] == f"Part.\n\n{OF_BLOCK}"
    assert found["Net"] == f"Model.\n\n{OF_MODEL}"
    assert found["loss_fn"] == f"Loss.\n\n{OF_LOSS}"
    assert found["train_step"] == "Take one step; the objects change in place."


def test_what_creates_objects_says_so() -> None:
    drawn = MODEL.replace("Part(h)", "Part(h) -> Dropout(0.1)")
    found = docs(f"{BLOCK}\n{drawn}\n{TRAIN}    ema = 0.9\n")
    made = {name: doc for name, doc in found.items() if name.startswith("create_")}
    assert made == {
        "create_model": "Create a model with initial weights, in training mode.",
        "create_optimizer": "Create the optimizer of the model.",
        "create_ema": "Create the moving average; `ema.apply_to(model)` is the model with it.",
        "create_rngs": "Create the random streams of a step.",
    }


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("cross_entropy(z, maximum(labels, 0), where=labels >= 0)", True),
        ("cross_entropy(z, maximum(labels, 0), where=labels > 0)", False),
        ("cross_entropy(z, maximum(labels, 0))", False),
        (
            "cross_entropy(z, maximum(labels, 0), where=labels >= 0) + mean(z * z)",
            True,
        ),
        (
            "cross_entropy(z, maximum(labels, 0), where=labels >= 0)"
            " + cross_entropy(z, maximum(labels, 0))",
            False,
        ),
    ],
)
def test_labels_that_do_not_count_are_told(loss: str, told: bool) -> None:
    spec = f"""{BLOCK}
{MODEL}
train Net:
    batch x: [B, 4, 5], labels: int[B, 4]
    z = model(x)
    loss = {loss}
    optimizer = adam(1e-3)
"""
    more = " `labels` below 0 are ignored." if told else ""
    assert docs(spec)["loss_fn"] == f"{OF_LOSS}{more}"


def test_a_blank_line_parts_a_comment_from_what_follows() -> None:
    found = docs(
        f"# File.\n\n# Part.\n\n{BLOCK}\n# Model.\n\n{MODEL}\n# Loss.\n\n{TRAIN}"
    )
    assert (found["Part"], found["Net"]) == (OF_BLOCK, f"File.\n\n{OF_MODEL}")
    assert found["loss_fn"] == OF_LOSS
    nearest = docs(f"{BLOCK}\n# Far.\n\n# Near.\n{MODEL}")
    assert nearest["Net"] == f"Near.\n\n{OF_MODEL}"


def test_the_comment_at_the_top_is_about_the_file() -> None:
    found = docs(f"# File.\n{BLOCK}\n{MODEL}")
    assert found[""].startswith("File.") and found["Part"] == OF_BLOCK
    # A first block may have its own below it.
    both = docs(f"# File.\n\n# Part.\n{BLOCK}\n{MODEL}")
    assert both[""].startswith("File.") and both["Part"] == f"Part.\n\n{OF_BLOCK}"
    # A train first: likewise.
    first = docs(f"# File.\n{TRAIN}\n{BLOCK}\n{MODEL}")
    assert first[""].startswith("File.") and first["loss_fn"] == OF_LOSS


def test_a_file_is_about_its_one_model() -> None:
    found = docs(f"# File.\n\n{BLOCK}\n{MODEL}")
    assert (found["Part"], found["Net"]) == (OF_BLOCK, f"File.\n\n{OF_MODEL}")
    two = docs(f"# File.\n\n{BLOCK}\n{MODEL}\n{MODEL.replace('Net', 'Other')}")
    assert (two["Net"], two["Other"]) == (OF_MODEL, OF_MODEL)


def test_a_model_alone_says_what_its_file_is() -> None:
    lone = "model Net:\n    input x: [B, 4]\n    return x -> Linear(2)\n"
    found = docs(f"# A net.\n{lone}")
    assert found[""].startswith("Net in Flax NNX.")
    assert found["Net"] == "A net.\n\nMaps (b, 4) to (b, 2)."
    found = docs(f"# A file.\n\n# A net.\n{lone}")
    assert found[""].startswith("A file.")
    assert found["Net"].startswith("A net.")


def test_what_is_used_brings_its_comment() -> None:
    spec = f'use Part, Other from "parts.nnx"\n\n{MODEL.replace("Part(h)", "Part(h) -> Other(h)")}'
    other = BLOCK.replace("Part", "Other")
    found = docs(spec, parts=f"# Parts.\n{BLOCK}\n# The other.\n{other}")
    assert found["Part"] == OF_BLOCK
    assert found["Other"] == f"The other.\n\n{OF_BLOCK}"
    # A model that opens the file that is used is what that file is about.
    net = "model Part(h):\n    input x: [B, 4, 5]\n    return x -> Linear(h)\n"
    spec = f'# Mine.\n\nuse Part from "lib.nnx"\n\n{MODEL}'
    assert docs(spec, lib=f"# The net.\n{net}")["Part"].startswith("The net.\n\nMaps")


def test_objectives_have_their_own() -> None:
    spec = f"""# File.

{BLOCK}
model Net(h = 3):
    input x: [B, 4, 5]
    return x -> Part(h) as a -> Part(h) as b

# Both in turn.
train Net:
    batch x: [B, 4, 5], y: [B, 4, h]
    # The first half.
    optimize a:
        loss = mse(model(x), y)
        optimizer = adam(1e-3)
    optimize b:
        loss = mae(model(x), y)
        optimizer = adam(1e-3)
"""
    found = docs(spec)
    assert (
        found["a_loss_fn"] == "The first half.\n\nThe loss of the a, and its metrics."
    )
    assert found["b_loss_fn"] == "The loss of the b, and its metrics."
    assert found["train_step"].startswith("Both in turn.\n\nTake a step for each")


def test_lines_become_paragraphs() -> None:
    comment = "\n".join(f"# line {i} of a text about parts" for i in range(9))
    more = "# Second.\n#     a = b @ c\n#     d = a\n# So it ends.\n# ------"
    found = docs(f"# File.\n\n{comment}\n#\n{more}\n{BLOCK}\n{MODEL}")["Part"]
    first, second, last = found.split("\n\n")
    assert first.replace("\n", " ") == " ".join(
        f"line {i} of a text about parts" for i in range(9)
    )
    assert 3 <= first.count("\n") < 5
    assert second == "Second.\n    a = b @ c\n    d = a\nSo it ends."
    assert last == OF_BLOCK
    text = built(f"# File.\n\n{comment}\n#\n{more}\n{BLOCK}\n{MODEL}")
    assert max(map(len, text.split("\n"))) <= 88


@pytest.mark.parametrize("black", [True, False])
def test_docstrings_are_as_black_has_them(black: bool) -> None:
    import black as formatter

    spec = f'# File "x".\n\n# "Part" and\n#\n#   more \\ "\n{BLOCK}\n{MODEL}\n# "Loss"\n{TRAIN}'
    text = nnxc.compile(spec, path="net.nnx", options=Options(black=black)).files[
        "net.py"
    ]
    mode = formatter.Mode(target_versions={formatter.TargetVersion.PY311})
    assert not black or formatter.format_str(text, mode=mode) == text
    ast.parse(text)


WORDS = ('"""', '"', "\\", "\\N{DASH}", "'''", "{{ x }}", "\\" * 99, '"' * 99)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(WORDS) | st.text(max_size=9), max_size=12),
        min_size=3,
        max_size=3,
    )
)
def test_any_comment_is_harmless(lines: list[list[str]]) -> None:
    texts = [" ".join(" ".join(line).split()) for line in lines]
    comments = [f"# {text}\n#{text}" for text in texts]
    spec = f"# File.\n\n{comments[0]}\n{BLOCK}\n{comments[1]}\n{MODEL}\n{comments[2]}\n{TRAIN}"
    output = nnxc.compile(spec, path="net.nnx")
    if not output.ok:  # such as a null byte
        assert {d.code for d in output.diagnostics} <= {"N101", "N104"}
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = ast.parse(output.files["net.py"])
    plain = ast.parse(built(f"# File.\n\n{BLOCK}\n{MODEL}\n{TRAIN}"))
    assert [type(n) for n in ast.walk(tree)] == [type(n) for n in ast.walk(plain)]
    for name in ("Part", "Net", "loss_fn"):
        node = next(n for n in tree.body if getattr(n, "name", "") == name)
        assert (ast.get_docstring(node) or "").endswith((OF_BLOCK, OF_MODEL, OF_LOSS))


def test_words_are_kept_whole_and_as_they_are() -> None:
    link = f"https://example.org/{'a' * 90}"
    words = f'a\\b "quoted" {link} C:\\new \\\\ end\\'
    found = docs(f"# File.\n\n# {words}\n{BLOCK}\n{MODEL}")["Part"]
    said = inspect.cleandoc(found).split("\n\n")[0]
    assert said.split() == words.split()
