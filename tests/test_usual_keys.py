"""Parameters that a section only names, keys under older names, and lines that are filled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from emitting import text_of

from nnxc import driver
from nnxc.check.weights.usual_keys import USUAL
from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax.formatting.format import format_source

UNSCALED = 'config require "rope_parameters.rope_type" == "default"'
PAGE = Path(__file__).parent / "spec/weights.md"
ACTIVATIONS = ("act",)
SWITCHES = ("bias", "attention_bias", "mlp_bias", "tied")


def spec(lines: str, default: str = "3", name: str = "d") -> str:
    """A model of one parameter, and what its section says."""
    uses = {"relu": f"x -> {name}", "false": f"x if {name} else -x"}
    return f"""
model Net({name} = {default}):
    input x: [B, 4]
    return {uses.get(default, f"x * {name}")}

weights Net from "{{path}}":
    {lines}
"""


def default_of(name: str) -> str:
    return "relu" if name in ACTIVATIONS else "false" if name in SWITCHES else "3"


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Usual keys")[2]
    rows = re.findall(r"^\| `(\w+)` \| `(.*)` \|$", text.partition("\n## ")[0], re.M)
    assert dict(rows) == USUAL and len(rows) == len(USUAL)


@pytest.mark.parametrize("name", USUAL)
def test_a_name_alone_is_read_by_its_usual_key(name: str) -> None:
    default = default_of(name)
    short = text_of(spec(f"config {name}", default, name), black=False)
    whole = spec(f"config {name} = {USUAL[name]}", default, name)
    if name == "theta":
        whole += f"    {UNSCALED}\n"
    assert short == text_of(whole, black=False)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("conv_bias", '"conv_bias"'),
        ("depth", '"depth"'),
        ("text_d", '"text_config.hidden_size"'),
        ("text_odd", '"text_odd"'),
        ("vision_layers", '"vision_config.num_hidden_layers"'),
        ("audio_d", '"audio_d"'),
        ("text_theta", '"text_config.rope_parameters.rope_theta" or 10000.0'),
    ],
)
def test_other_names(name: str, meant: str) -> None:
    short = text_of(spec(f"config {name}", name=name), black=False)
    assert short == text_of(spec(f"config {name} = {meant}", name=name), black=False)


@pytest.mark.parametrize("name", USUAL)
def test_what_files_leave_out_is_no_default_of_the_model(name: str) -> None:
    """The model's are the sizes of one that was published, the library has its own."""
    text = spec(f"config {name}", default_of(name), name)
    ((_, value),) = driver.analyse(text).program.weights[0].config
    assert "Default" not in repr(value)


@pytest.mark.parametrize(
    "line",
    [
        'config require "rope_parameters.rope_type" in ["default", "linear"]',
        'config require "rope_scaling.type" == "linear"',
        'config ignore "rope_parameters.rope_type"',
        'config d = 4 if "rope_parameters.rope_type" == "linear" else d',
    ],
)
def test_a_section_may_say_itself_how_positions_are_scaled(line: str) -> None:
    text = spec(f"config theta\n    {line}", name="theta")
    text = text.replace("theta = 3", "theta = 3, d = 2").replace(
        "x * theta", "x * theta * d"
    )
    (section,) = driver.analyse(text).program.weights
    found = [keys for keys, values in section.assumed if "default" in repr(values)]
    assert len(found) == ("default" in line)


LANGUAGE = """
model Net(vocab = 9, d = 4, theta = 1e4, end = 2):
    input ids: int[B, T]
    q = ids -> Embed(vocab, d) as words -> [B, T, 1, d] -> rope(positions(ids), theta)
    return attend(q, q, end * q, causal=true) -> [B, T, d] -> Linear(vocab) as head
GENERATE
weights Net from "{path}":
    """
ENDS = ("eos_token_id", "pad_token_id")
REACH = ("max_position_embeddings",)


@pytest.mark.parametrize(
    ("generates", "lines", "needless"),
    [
        (True, "config vocab", ENDS),
        (False, "config vocab", ()),
        (True, 'config vocab, end = "eos_token_id"', ENDS[1:]),
        (True, 'config vocab\n    config require "pad_token_id" == 0', ENDS[:1]),
        (False, "config vocab, theta", REACH),
        (True, "config vocab, theta", (*ENDS, *REACH)),
        (False, UNSCALED.replace("config", "config vocab\n    config"), REACH),
        (
            False,
            'config theta\n    config require "rope_parameters.rope_type" in ["default", "yarn"]',
            (),
        ),
        (True, 'end = "end"', ()),  # no `config.json` is read
    ],
)
def test_what_cannot_matter_needs_no_line(
    generates: bool, lines: str, needless: tuple[str, ...]
) -> None:
    line = "\ngenerate Net\n" if generates else ""
    text = LANGUAGE.replace("GENERATE", line) + lines
    if "config" not in lines:
        text = text.replace(lines, 'head = "head"')
    (section,) = driver.analyse(text).program.weights
    assert section.immaterial == needless


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        (
            'config d = "rope_parameters.factor" or d',
            'config d = "rope_parameters.factor" or "rope_scaling.factor" or d',
        ),
        (
            'config d = "a.rope_parameters.rope_theta"',
            'config d = "a.rope_parameters.rope_theta" or "a.rope_theta"',
        ),
        (
            'config require "rope_parameters.rope_type" == "default"',
            'config require ("rope_parameters.rope_type" or "rope_scaling.rope_type" or '
            '"rope_scaling.type") == "default"',
        ),
        (
            'config ignore "rope_parameters.partial_rotary_factor"',
            'config ignore "rope_parameters.partial_rotary_factor", "partial_rotary_factor"',
        ),
    ],
)
def test_keys_have_their_older_names(short: str, whole: str) -> None:
    assert text_of(spec(short), black=False) == text_of(spec(whole), black=False)


@pytest.mark.parametrize(
    "key", ["my_rope_parameters.factor", "rope_parameters.a.factor"]
)
def test_other_keys_have_none(key: str) -> None:
    assert "rope_scaling" not in text_of(spec(f'config d = "{key}"'), black=False)


def test_a_renamed_key_is_held_to_values_once() -> None:
    line = 'config require "rope_parameters.factor" == 1, "rope_scaling.factor" == 2'
    assert [d.code for d in driver.analyse(spec(line)).diagnostics] == ["N603"]


TWO = """
model Net(d = 4, heads = 2, rate = 0.5):
    input x: [B, d]
    return x * heads * rate

weights Net from "{path}":
    """


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ('config d, heads = "a", "b"', 'config d = "a", heads = "b"'),
        ('config d, heads = "a", "b" or heads', 'config d = "a", heads = "b" or heads'),
        ('config d = "a", heads = "b"', 'config d = "a", heads = "b"'),
        ('config rate, d, heads = "b"', 'config rate, d, heads = "b"'),
    ],
)
def test_each_value_stands_behind_its_parameter(line: str, form: str) -> None:
    text = format_source(Source("a.nnx", TWO.lstrip() + line + "\n"), Sink())
    assert text is not None and text.splitlines()[-1] == f"    {form}"
    assert text_of(text, black=False) == text_of(TWO + line, black=False)


@pytest.mark.parametrize(
    ("line", "code", "help"),
    [
        ('config d = "a", "b"', "N607", "each stands behind its parameter"),
        ('config d, heads = "a", "b", "c"', "N607", "each stands behind its parameter"),
        (
            'config d = "a", heads = "b", "c"',
            "N120",
            "a parameter stands before its key",
        ),
        ('config "hidden_size"', "N120", "a parameter stands before its key"),
        ('config "x", d = "y"', "N120", "a parameter stands before its key"),
        ("config d[0]", "N120", "a parameter stands before its key"),
        ('config d == "hidden_size"', "N120", 'write `d = "hidden_size"`'),
        ('config "hidden_size" = d', "N120", 'write `d = "hidden_size"`'),
        ('config "d": "hidden_size"', "N120", 'write `d = "hidden_size"`'),
        ('config d -> "hidden_size"', "N120", "write `=`"),
        ("config hidden_size", "N607", "write `d`"),
        ("config d, heads, d", "N603", "leave one of them out"),
    ],
)
def test_mistakes(line: str, code: str, help: str) -> None:
    (found,) = driver.analyse(f"{TWO}{line}\n").diagnostics
    assert found.code == code and help in (found.help or "")


NAMED = TWO.replace('Net from "{path}"', 'Net as "net", "NetModel" from "{path}"')


def test_what_a_library_calls_the_model() -> None:
    apart = (
        'config require "model_type" == "net"',
        'config write "architectures" = ["NetModel"]',
    )
    whole = TWO + "\n    ".join(["config d", *apart])
    assert text_of(f"{NAMED}config d", black=False) == text_of(whole, black=False)
    alone = NAMED.replace(', "NetModel"', "") + "config d"
    assert text_of(alone, black=False) == text_of(
        f"{TWO}config d\n    {apart[0]}", black=False
    )
    text = f"{NAMED}config d\n".lstrip()
    assert format_source(Source("a.nnx", text), Sink()) == text


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        (
            f'{NAMED}config require "model_type" == "net"',
            "N603",
            "leave one of them out",
        ),
        (
            f'{NAMED}config write "architectures" = ["N"]',
            "N603",
            "leave one of them out",
        ),
        (
            f"{TWO}config d".replace('from "{path}"', 'from "{path}" as "net", "N"'),
            "N120",
            'write `weights Net as "net", "N" from "{path}"`',
        ),
    ],
)
def test_mistakes_of_the_head(text: str, code: str, help: str) -> None:
    (found,) = driver.analyse(f"{text}\n").diagnostics
    assert found.code == code and help in (found.help or "")


def test_long_lines_are_divided() -> None:
    keys = [f'"a_key_that_is_long_{i}"' for i in range(9)]
    line = f"config ignore {', '.join(keys)}  # why"
    text = format_source(Source("a.nnx", TWO.lstrip() + line + "\n"), Sink())
    assert text is not None and max(map(len, text.splitlines())) <= 110
    *first, last = [row for row in text.splitlines() if "config ignore" in row]
    assert len(first) == 2 and last.endswith("  # why") and "#" not in "".join(first)
    assert format_source(Source("a.nnx", text), Sink()) == text
    assert text_of(text, black=False) == text_of(TWO + line, black=False)
