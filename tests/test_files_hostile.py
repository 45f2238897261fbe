"""Builds over what a kill, a pipe, a link or a name can do to them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nnxc
from nnxc import files, fresh, make
from nnxc.report.formats import render

NET = "model Net(d = 4):\n    input x: [B, 3]\n    return x -> Linear(d)\n"
KILLED = """\
import os, signal, sys
from nnxc import make

replace, renames = os.replace, []

def killed(source, target):
    if target.endswith(".py"):
        renames.append(target)
        if len(renames) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = killed
make.build(sys.argv[1:-1], sys.argv[-1])
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def codes(result: make.BuildResult) -> list[str]:
    return [d.code for d in result.diagnostics]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that kills")
def test_a_build_killed_between_renames_is_finished_by_the_next(
    tmp_path: Path, out: Path
) -> None:
    specs = [tmp_path / f"net{i}.nnx" for i in range(3)]
    for spec in specs:
        spec.write_text(NET)
    make.build(specs, out)
    for spec in specs:
        spec.write_text(NET.replace("4", "5"))
    command = [sys.executable, "-c", KILLED, *map(str, specs), str(out)]
    folder = str(Path(nnxc.__file__).parent.parent)
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": folder})
    assert done.returncode == -9
    texts = [(out / f"net{i}.py").read_text() for i in range(3)]
    assert ["d: int = 5" in text for text in texts] == [True, False, False]
    other = tmp_path / "other.nnx"
    other.write_text(NET)
    assert make.build(other, out).ok
    assert names(out) == ["net0.py", "net1.py", "net2.py", "other.py"]
    assert all("d: int = 5" in (out / f"net{i}.py").read_text() for i in range(3))


def test_a_journal_renames_in_its_folder_only(out: Path, tmp_path: Path) -> None:
    out.mkdir()
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, text=True)  # fmt: skip
    (out / "new").write_text("new")
    pairs = "\0".join(("new", "../taken.py", "new", "made.py"))
    (out / f".nnxc.{ended.stdout.strip()}.00000000.journal").write_text(pairs)
    files.recover(str(out))
    assert names(out) == ["made.py"] and not (tmp_path / "taken.py").exists()


def test_what_a_process_at_work_has_beside_an_output_stays(out: Path) -> None:
    out.mkdir()
    (out / f".net.py.{os.getpid()}.00000000.tmp").write_text("half")
    (out / ".editor.tmp").write_text("someone else's")
    files.recover(str(out))
    assert len(names(out)) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("which", ["spec", "output"])
@pytest.mark.parametrize("kind", ["pipe", "huge"])
def test_what_took_a_file_s_place_is_not_read(
    tmp_path: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
    kind: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec = tmp_path / "net.nnx"
    spec.write_text(NET)
    assert make.build(spec, out, compiler="this").ok
    arguments = ["build", str(spec), "-o", str(out)]
    assert fresh.is_fresh(arguments, "this")
    changed = {"spec": spec, "output": out / "net.py"}[which]
    changed.unlink()
    if kind == "pipe":
        os.mkfifo(changed)
    else:
        with changed.open("wb") as file:
            file.truncate(100_000_000_000)
    assert not fresh.is_fresh(arguments, "this")
    code = {"spec": "N901", "output": "N903"}[which]
    assert codes(make.build(spec, out, compiler="this")) == [code]


def test_a_path_through_a_link_names_one_folder_for_the_spec_and_its_uses(
    tmp_path: Path, out: Path
) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd" / "link").symlink_to(tmp_path / "real" / "inner")
    text = 'use Block from "block.nnx"\n\nmodel Net:\n    input x: [B, 3]\n'
    (tmp_path / "real" / "net.nnx").write_text(text + "    return x -> Block\n")
    block = "block Block:\n    input x: [B, d]\n    return x -> Linear({})\n"
    (tmp_path / "real" / "block.nnx").write_text(block.format(5))
    (tmp_path / "sd" / "block.nnx").write_text(block.format(7))
    path = os.path.join(tmp_path, "sd", "link", "..", "net.nnx")
    assert make.build(path, out).ok
    assert "d, 5," in (out / "net.py").read_text()
    assert make.build([path, tmp_path / "real" / "net.nnx"], out, check=True).ok


def test_a_file_that_is_no_spec_is_not_shown(tmp_path: Path, out: Path) -> None:
    (tmp_path / "secret").write_text("a secret\n")
    spec = tmp_path / "net.nnx"
    spec.write_text('use Block from "secret"\n\n' + NET)
    result = make.build(spec, out)
    assert codes(result) == ["N901"]
    assert "a secret" not in render(result.diagnostics)
