"""The command line: what it says, what it leaves, how it exits."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import nnxc
from nnxc import fresh
from nnxc.__main__ import main
from nnxc.cli import explain, new
from nnxc.codes import CODES
from nnxc.driver import options_key

NET = """\
model Net(hidden = 4):
    input x: [B, 3]
    return x -> Linear(hidden) -> relu
"""
MESSY = NET.replace(" = 4", "=4").replace("->", " ->")
WRONG = NET.replace("4):", "4)")
ENV = {**os.environ, "PYTHONPATH": str(Path(nnxc.__file__).parents[1])}


@pytest.fixture(autouse=True)
def own_folder_and_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.chdir(tmp_path)
    Path("net.nnx").write_text(NET)
    Path("wrong.nnx").write_text(WRONG)


@pytest.fixture
def nnx(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        before = signal.getsignal(signal.SIGTERM)
        try:
            code = main(list(words))
        finally:
            signal.signal(signal.SIGTERM, before)
        return (code, *capsys.readouterr())

    return run


Run = Callable[..., tuple[int, str, str]]


# ------------------------------------------------------------- build and check


def test_build_tells_what_it_wrote_once(nnx: Run) -> None:
    assert nnx("build", "net.nnx", "-o", "out") == (0, "wrote out/net.py\n", "")
    assert nnx("build", "net.nnx", "-o", "out") == (0, "", "")
    assert Path("out/net.py").exists()


def test_findings_go_to_standard_error_and_exit_1(nnx: Run) -> None:
    code, out, err = nnx("build", "wrong.nnx", "-o", "out")
    assert (code, out) == (1, "")
    assert err.startswith("error[N105]: ")
    assert "--> wrong.nnx:1:" in err and err.endswith("\n\n1 error\n")
    assert not Path("out").exists()


def test_options_and_specs_come_in_any_order(nnx: Run) -> None:
    Path("two.nnx").write_text(NET)
    code, out, _ = nnx("build", "net.nnx", "--remat", "-o", "out", "two.nnx")
    assert (code, out) == (0, "wrote out/net.py\nwrote out/two.py\n")


def test_build_check(nnx: Run) -> None:
    nnx("build", "net.nnx", "-o", "out")
    assert nnx("build", "net.nnx", "-o", "out", "--check") == (0, "", "")
    Path("net.nnx").write_text(NET.replace("relu", "gelu"))
    code, out, err = nnx("build", "net.nnx", "-o", "out", "--check")
    assert code == 1 and "gelu" in out and out.startswith("--- out/net.py\n")
    assert "error[N906]" in err and "build `net.nnx` again" in err


def test_a_build_over_edits_needs_force(nnx: Run) -> None:
    nnx("build", "net.nnx", "-o", "out")
    Path("out/net.py").write_text(Path("out/net.py").read_text() + "x = 1\n")
    code, _, err = nnx("build", "net.nnx", "-o", "out")
    assert code == 1 and "error[N902]: `out/net.py` was edited by hand" in err
    assert "--force" in err
    assert nnx("build", "net.nnx", "-o", "out", "--force")[0] == 0


def test_standard_input_can_be_built_and_checked(
    nnx: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, WRONG)
    code, _, err = nnx("check", "-")
    assert code == 1 and "--> <stdin>:1:" in err
    give(monkeypatch, NET)
    assert nnx("build", "-", "-o", "out")[:2] == (0, "wrote out/stdin.py\n")


def give(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_check_of_a_folder(nnx: Run) -> None:
    code, out, err = nnx("check", ".")
    assert (code, out) == (1, "") and err.count("error[") == 1
    assert nnx("check", "net.nnx") == (0, "", "")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["check", "no.nnx"], 2),
        (["check", "empty"], 2),
        (["check", "wrong.nnx", "no.nnx"], 2),
        (["check", "binary.nnx"], 1),
        (["check", "uses.nnx"], 1),
        (["build", "net.nnx", "-o", "wrong.nnx"], 2),
        (["build", "net.nnx", "copy/net.nnx", "-o", "out"], 2),
        (["fmt", "no.nnx"], 2),
        (["summary", "empty"], 2),
    ],
)
def test_surroundings_and_findings_have_different_exit_codes(
    words: list[str], code: int, nnx: Run
) -> None:
    Path("empty").mkdir()
    Path("copy").mkdir()
    Path("copy/net.nnx").write_text(NET)
    Path("binary.nnx").write_bytes(b"\x7fELF\x00\x80")
    Path("uses.nnx").write_text(f'use Block from "no.nnx"\n\n{NET}')
    found, _, err = nnx(*words)
    assert found == code
    assert "error[" in err and "Traceback" not in err


def test_an_unreadable_file(nnx: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("nnxc.files.os.open", denied)
    code, _, err = nnx("check", "net.nnx")
    assert code == 2 and "`net.nnx` cannot be read: permission denied" in err


# --------------------------------------------------------------------- formats


@pytest.mark.parametrize("before", [True, False])
def test_json_stands_alone_on_standard_output(before: bool, nnx: Run) -> None:
    words = ["build", "net.nnx", "-o", "out"]
    option = ["--format", "json"]
    code, out, err = nnx(*(option + words if before else words + option))
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "diagnostics": [],
        "written": ["out/net.py"],
        "unchanged": [],
        "stale": [],
    }


@pytest.mark.parametrize("format", ["json", "sarif", "github"])
def test_tools_get_findings_on_standard_output(format: str, nnx: Run) -> None:
    code, out, err = nnx("check", "wrong.nnx", "--format", format)
    assert (code, err) == (1, "") and "N105" in out


def test_colour_is_for_terminals_that_want_it(
    nnx: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\033[" not in nnx("check", "wrong.nnx")[2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\033[" in nnx("check", "wrong.nnx")[2]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033[" not in nnx("check", "wrong.nnx")[2]


# ----------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["biuld"], "unknown command `biuld`; did you mean `build`?"),
        (["check", "net.nnx", "--fromat", "json"], "did you mean `--format`?"),
        (["build", "net.nnx", "-o", "out", "--remt"], "did you mean `--remat`?"),
        (["build", "net.nnx", "-o", "x", "--stack", "scna"], "did you mean `scan`?"),
        (["--format", "jsno", "check", "a"], "did you mean `json`?"),
        (["build", "net.nnx"], "-o/--out"),
        (["explain", "NN105"], "did you mean `N105`?"),
        (["new", "mine", "--from", "gtp2"], "did you mean `gpt2`?"),
        (["new", "mine"], "`--from MODEL`"),
        (["new", "../mine", "--from", "gpt2"], "`../mine` is no name"),
        (["summary"], "required: SPEC\n"),
        (["summary", "net.nnx", "B:8"], "`B:8` is not of the form NAME=SIZE"),
        ([], "COMMAND"),
    ],
)
def test_wrong_usage_exits_2_and_suggests(
    words: list[str], says: str, nnx: Run
) -> None:
    code, out, err = nnx(*words)
    assert (code, out) == (2, "") and says in err
    assert err.count("\n") == 2


def test_a_release_that_is_not_there_is_told_with_those_that_are(nnx: Run) -> None:
    code, _, err = nnx("build", "net.nnx", "-o", "out", "--target", "0.12")
    assert code == 2 and "0.12.1, " in err and "did you mean" not in err


def test_help_and_version(nnx: Run) -> None:
    code, out, _ = nnx("--help")
    assert code == 0 and "exit codes:" in out
    for command in ("build", "check", "fmt", "explain", "summary", "new"):
        assert f"  {command} " in out
        assert "exit codes:" in nnx(command, "--help")[1]
    assert nnx("--version") == (0, f"nnxc {nnxc.__version__}\n", "")


# ------------------------------------------------------------------------- fmt


def test_fmt_writes_the_one_form(nnx: Run) -> None:
    Path("net.nnx").write_text(MESSY)
    assert nnx("fmt", "net.nnx") == (0, "formatted net.nnx\n", "")
    assert Path("net.nnx").read_text() == NET
    assert nnx("fmt", "net.nnx") == (0, "", "")


def test_fmt_check_and_diff_write_nothing(nnx: Run) -> None:
    Path("net.nnx").write_text(MESSY)
    code, out, err = nnx("fmt", "--check", "net.nnx")
    assert (code, out) == (1, "") and "error[N907]" in err
    code, out, err = nnx("fmt", "--diff", "net.nnx")
    assert (code, err) == (0, "") and out.startswith("--- net.nnx\n+++ net.nnx\n")
    assert Path("net.nnx").read_text() == MESSY
    Path("net.nnx").write_text(NET)
    assert nnx("fmt", "--check", "--diff", "net.nnx") == (0, "", "")


def test_fmt_leaves_what_has_syntax_errors(nnx: Run) -> None:
    Path("messy.nnx").write_text(MESSY)
    code, out, err = nnx("fmt", ".")
    assert (code, out) == (1, "formatted ./messy.nnx\n") and "error[N105]" in err
    assert Path("wrong.nnx").read_text() == WRONG


def test_fmt_of_standard_input(nnx: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, MESSY)
    assert nnx("fmt", "-") == (0, NET, "")
    give(monkeypatch, WRONG)
    code, out, err = nnx("fmt", "-")
    assert (code, out) == (1, "") and "--> <stdin>" in err


def test_fmt_goes_through_a_symbolic_link(nnx: Run) -> None:
    Path("net.nnx").write_text(MESSY)
    Path("link.nnx").symlink_to("net.nnx")
    assert nnx("fmt", "link.nnx")[0] == 0
    assert Path("link.nnx").is_symlink() and Path("net.nnx").read_text() == NET


def test_fmt_normalises_line_ends_and_byte_order_mark(nnx: Run) -> None:
    Path("net.nnx").write_bytes(b"\xef\xbb\xbf" + NET.replace("\n", "\r\n").encode())
    assert nnx("fmt", "net.nnx")[0] == 0
    assert Path("net.nnx").read_bytes() == NET.encode()


# -------------------------------------------------------- explain, new, summary


@pytest.mark.parametrize("code", ["N901", "n901"])
def test_explain_prints_the_page(code: str, nnx: Run) -> None:
    status, out, _ = nnx("explain", code)
    assert status == 0 and out.startswith("## N901: ")
    assert "```nnx" in out and out.count("\n## ") == 0


def test_explain_lists_every_code(nnx: Run) -> None:
    _, out, _ = nnx("explain")
    assert [line.split("  ")[0] for line in out.splitlines()] == sorted(CODES)


@pytest.mark.parametrize("code", sorted(c for c in CODES if c.startswith("N90")))
def test_codes_of_the_command_have_pages(code: str) -> None:
    page = explain.page(code)
    assert page is not None and page.startswith(f"## {code}: {CODES[code]}\n")


def test_new_copies_a_spec_and_replaces_nothing(nnx: Run) -> None:
    assert nnx("new", "mine", "--from", "gpt2", "-o", "specs") == (
        0,
        "wrote specs/mine.nnx\n",
        "",
    )
    assert Path("specs/mine.nnx").read_text() == new.zoo_specs()["gpt2"]
    Path("specs/mine.nnx").write_text("mine")
    code, _, err = nnx("new", "mine", "--from", "gpt2", "-o", "specs")
    assert code == 2 and "`specs/mine.nnx` exists" in err
    assert Path("specs/mine.nnx").read_text() == "mine"


def test_new_uses_from_the_zoo_what_its_spec_uses(nnx: Run) -> None:
    Path("specs").mkdir()
    Path("specs/bert.nnx").write_text("mine")  # of the user's, and not asked for
    for model in ("roberta", "albert"):
        wrote = f"wrote specs/my_{model}.nnx\n"
        assert nnx("new", f"my_{model}", "--from", model, "-o", "specs")[:2] == (
            0,
            wrote,
        )
        assert nnx("check", f"specs/my_{model}.nnx")[0] == 0
        assert nnx("fmt", "--check", f"specs/my_{model}.nnx")[0] == 0


def test_new_names_no_file_beside_its_own() -> None:
    for name, text in new.zoo_specs().items():
        assert '.nnx"' not in new._alone(text), name


def test_new_lists_the_zoo(nnx: Run) -> None:
    code, out, _ = nnx("new", "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(new.zoo_specs())


def test_summary(nnx: Run) -> None:
    code, out, _ = nnx("summary", "net.nnx", "B=8")
    assert code == 0 and "Linear" in out and "16" in out
    code, out, _ = nnx("summary", "net.nnx", "hidden=8", "--format", "json")
    assert code == 0 and json.loads(out)["values"] == {"hidden": 8}
    code, _, err = nnx("summary", "net.nnx", "hiden=8")
    assert code == 2 and "did you mean `hidden`?" in err
    assert nnx("summary", "wrong.nnx")[0] == 1


# ------------------------------------------------------------------- freshness


def is_fresh(*words: str) -> bool:
    return fresh.is_fresh(words, fresh.fingerprint())


BUILD = ("build", "net.nnx", "-o", "out")


def test_a_build_is_fresh_until_something_changes(nnx: Run) -> None:
    assert not is_fresh(*BUILD)
    nnx(*BUILD)
    assert is_fresh(*BUILD) and is_fresh(*BUILD, "--check")
    assert is_fresh("build", "-o", "out/", "./net.nnx", "--stack", "loop")
    os.utime("net.nnx")
    os.utime("out/net.py")
    assert is_fresh(*BUILD)
    policy = ("--remat-policy", "dots")
    assert not is_fresh(*BUILD, *policy)
    assert not is_fresh(*BUILD, "--attention", "cudnn")
    for words in ("--remat",), ("--no-black",), ("--stack", "scan"), ("--force",):
        assert not is_fresh(*BUILD, *words)
    assert not fresh.is_fresh(BUILD, "another compiler")


def test_each_choice_of_options_can_be_fresh(nnx: Run) -> None:
    layer = "block Layer:\n    input x: [B, d]\n    return x -> Linear(d)\n\n"
    Path("net.nnx").write_text(layer + NET.replace("relu", "Layer * 3"))
    for words in ("--remat",), ("--no-black",), ("--stack", "scan"):
        nnx(*BUILD, *words)
        assert is_fresh(*BUILD, *words) and not is_fresh(*BUILD)


def test_defaults_of_the_check_are_those_of_the_compiler() -> None:
    assert options_key(nnxc.Options()) == fresh.options_key(fresh.DEFAULTS)


@pytest.mark.parametrize("name", ["net.nnx", "out/net.py", "lib.nnx", "deep.nnx"])
@pytest.mark.parametrize("change", ["edit", "remove"])
def test_any_change_of_content_is_seen(name: str, change: str, nnx: Run) -> None:
    block = "block {}(hidden):\n    input x: [B, d]\n    return x -> {}(hidden)\n"
    Path("deep.nnx").write_text(block.format("Deep", "Linear"))
    Path("lib.nnx").write_text(
        'use Deep from "deep.nnx"\n\n' + block.format("Block", "Deep")
    )
    Path("net.nnx").write_text(
        'use Block from "lib.nnx"\n\n' + NET.replace("Linear", "Block")
    )
    assert nnx(*BUILD) == (0, "wrote out/net.py\n", "") and is_fresh(*BUILD)
    path = Path(name)
    if change == "edit":
        path.write_text(path.read_text() + "\n# more\n")
    else:
        path.unlink()
    assert not is_fresh(*BUILD)


def test_what_failed_is_not_fresh(nnx: Run) -> None:
    nnx(*BUILD)
    Path("net.nnx").write_text(WRONG)
    assert nnx(*BUILD)[0] == 1 and not is_fresh(*BUILD)
    assert nnx(*BUILD)[0] == 1


def test_a_folder_is_fresh_with_all_of_its_specs(nnx: Run) -> None:
    Path("wrong.nnx").unlink()
    words = ("build", ".", "-o", "out")
    nnx(*words)
    assert is_fresh(*words) and is_fresh(*BUILD)
    Path("two.nnx").write_text(NET)
    assert not is_fresh(*words)
    assert nnx(*words)[1] == "wrote out/two.py\n"
    assert is_fresh(*words)


def test_two_specs_of_one_name_are_never_fresh(nnx: Run) -> None:
    nnx(*BUILD)
    Path("copy").mkdir()
    Path("copy/net.nnx").write_text(NET)
    assert not is_fresh("build", "net.nnx", "copy/net.nnx", "-o", "out")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("build",),
        ("build", "-o"),
        ("build", "-o", "out"),
        ("build", "net.nnx"),
        ("build", "net.nnx", "-oout"),
        ("build", "-", "-o", "out"),
        ("check", "net.nnx", "-o", "out"),
        ("--format", "json", *BUILD),
        (*BUILD, "--format", "json"),
        (*BUILD, "--help"),
        (*BUILD, "no\0.nnx"),
    ],
)
def test_other_words_are_never_fresh(words: tuple[str, ...], nnx: Run) -> None:
    nnx(*BUILD)
    assert not is_fresh(*words)


@pytest.mark.parametrize("damage", [b"", b"\0", b"net.nnx\0net.py\0", b"\xff" * 99])
def test_a_damaged_record_only_costs_a_compile(damage: bytes, nnx: Run) -> None:
    nnx(*BUILD)
    Path(fresh.Memo("out").path).write_bytes(damage)
    assert not is_fresh(*BUILD)
    assert nnx(*BUILD) == (0, "", "")
    assert is_fresh(*BUILD)


def test_a_cache_that_cannot_be_written_does_not_matter(
    nnx: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "net.nnx")
    assert nnx(*BUILD)[0] == 0
    assert not is_fresh(*BUILD)


def test_the_fingerprint_follows_the_files_of_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "checkout" / "dsl" / "nnxc"
    for folder in (package / "ops", package / "__pycache__"):
        folder.mkdir(parents=True)
    for beside in ("grammar", "templates"):
        (tmp_path / "checkout" / beside).mkdir()
    monkeypatch.setattr(fresh, "__file__", str(package / "fresh.py"))
    seen = {fresh.fingerprint()}
    for name in ("dsl/nnxc/ops/a.py", "templates/a.j2", "grammar/nnx.lark"):
        file = tmp_path / "checkout" / name
        for text in ("x = 1", "x = 2"):
            file.write_text(text)
            os.utime(
                file, ns=(1, 1)
            )  # a tool may set this time, but not that of status
            time.sleep(0.02)
            assert fresh.fingerprint() not in seen
            seen.add(fresh.fingerprint())
    before = fresh.fingerprint()
    (package / "__pycache__" / "a.pyc").write_text("")
    assert fresh.fingerprint() == before


def test_a_fresh_build_imports_next_to_nothing(nnx: Run) -> None:
    run_alone(*BUILD)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"""
import sys
before = set(sys.modules)
from nnxc.__main__ import main
assert main({list(BUILD)}) == 0
print(sorted(set(sys.modules) - before - {{"hashlib", "_hashlib"}}))
""",
        ],
        env=ENV,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {"__future__", "_blake2", "nnxc", "nnxc.__main__", "nnxc.fresh"}
    assert set(eval(done.stdout)) <= names


# --------------------------------------------------------------- whole processes


def run_alone(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nnxc", *words]
    return subprocess.run(command, env=ENV, capture_output=True, text=True, **more)  # type: ignore[call-overload, no-any-return]


def test_a_closed_pipe_ends_quietly() -> None:
    command = f"{sys.executable} -m nnxc explain | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env={**ENV, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("N101") and done.stderr == ""


def test_specs_with_odd_names_and_a_narrow_encoding() -> None:
    name = "modèle 模型.nnx"
    Path(name).write_text(WRONG)
    env = {**ENV, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "nnxc", "check", name]
    done = subprocess.run(command, env=env, capture_output=True)
    assert done.returncode == 1 and b"Traceback" not in done.stderr


INTERRUPTED = """
import os, signal, sys
from nnxc import files
from nnxc.__main__ import main
# Who runs the tests in the background has SIGINT ignored, and children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
real = os.fsync
def fsync(*words):
    os.kill(os.getpid(), signal.{name})
    real(*words)
files.os.fsync = fsync
sys.exit(main(["build", "net.nnx", "-o", "out"]))
"""


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("SIGINT", 130, "nnxc: interrupted; nothing was written\n"),
        ("SIGTERM", 143, ""),
    ],
)
def test_a_signal_leaves_nothing(name: str, code: int, said: str) -> None:
    done = run_python(INTERRUPTED.format(name=name))
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)
    assert not Path("out").exists()


def test_an_interrupt_while_files_are_renamed_is_told_after_all_of_them() -> None:
    done = run_python(INTERRUPTED.format(name="SIGINT").replace("fsync", "replace"))
    said = "nnxc: interrupted; all was written before\n"
    assert (done.returncode, done.stderr) == (130, said)
    assert Path("out/net.py").exists()


def run_python(text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", text]
    return subprocess.run(command, env=ENV, capture_output=True, text=True)


def test_an_unexpected_failure_is_called_a_bug(
    nnx: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr("nnxc.make.compile", fail)
    code, _, err = nnx(*BUILD)
    assert code == 2 and "RuntimeError: no such thing\nin compiling `net.nnx`\n" in err
    assert err.endswith("nnxc: this is a bug in nnxc; please report it\n")


def test_many_specs_show_progress_on_a_terminal(
    nnx: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("many").mkdir()
    for number in range(20):
        Path(f"many/net{number}.nnx").write_text(NET)
    assert nnx("check", "many") == (0, "", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, out, err = nnx("check", "many")
    assert (code, out) == (0, "")
    assert err.count("\r") == 20 and "7/20 specs" in err and err.endswith("\r\033[K")
    assert nnx("--format", "json", "check", "many")[2] == ""


ZIPPED = """
import sys
from nnxc.__main__ import main
assert ".zip" in main.__code__.co_filename
sys.exit(main(["check", "net.nnx"]) or main(["build", "net.nnx", "-o", "out"]))
"""


def test_the_command_runs_from_a_zip_archive(tmp_path: Path) -> None:
    package = Path(nnxc.__file__).parent
    shutil.copytree(package, "packed/nnxc")
    if not Path("packed/nnxc/templates").is_dir():  # a checkout, not a wheel
        shutil.copytree(package.parents[1] / "templates", "packed/nnxc/templates")
    shutil.make_archive("nnxc", "zip", "packed", "nnxc")
    done = subprocess.run(
        [sys.executable, "-c", ZIPPED],
        env={**ENV, "PYTHONPATH": str(tmp_path / "nnxc.zip")},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "wrote out/net.py\n"), done.stderr


def test_an_output_folder_has_a_name(nnx: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = nnx("build", "net.nnx", "-o", "")
    assert code == 2 and "`-o/--out`: an empty text names no folder" in err
    assert not Path("net.py").exists()
