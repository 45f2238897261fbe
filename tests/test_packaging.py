"""What is shipped: a wheel that runs by itself, and an sdist that builds the same wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import nnxc

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def built(kind: str, source: Path, out: Path) -> Path:
    """The one file that the build backend leaves in `out`."""
    code = f"from hatchling import build; build.build_{kind}({str(out)!r})"
    subprocess.run(
        [sys.executable, "-c", code], cwd=source, check=True, capture_output=True
    )
    return next(out.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def names(wheel: Path) -> set[str]:
    return {
        n
        for n in zipfile.ZipFile(wheel).namelist()
        if not n.endswith(("RECORD", ".pyc"))
    }


def test_wheel_holds_all_that_the_compiler_reads(wheel: Path) -> None:
    shipped = names(wheel)
    expected = {
        f"nnxc/{target}/{file.name}"
        for source, target in (
            ("dsl/nnxc/zoo", "zoo"),
            ("grammar", "grammar"),
            ("templates", "templates"),
            ("tests/spec", "spec"),
        )
        for file in (ROOT / source).iterdir()
        if file.is_file()
    }
    assert expected | {"nnxc/py.typed"} <= shipped
    assert not [n for n in shipped if n.split("/")[0] not in ("nnxc", _dist_info())]


def _dist_info() -> str:
    return f"nnxc-{nnxc.__version__}.dist-info"


def test_wheel_compiles_by_itself(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, 'site'); from nnxc.__main__ import main; "
        "sys.exit(main())"
    )
    for arguments in (
        ["new", "net", "--from", "digits_mlp"],
        ["build", "net.nnx", "-o", "out"],
        ["explain", "N301"],
    ):
        run = subprocess.run(
            [sys.executable, "-I", "-c", code, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
    assert "class DigitsMLP(nnx.Module)" in (tmp_path / "out" / "net.py").read_text()


def test_wheel_compiles_unopened(wheel: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(wheel)!r}); import nnxc; "
        "print(nnxc.compile('model Net(out = 1):\\n    input x: [B, 2]\\n"
        "    return x -> Linear(out)\\n').files['spec.py'])"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "class Net(nnx.Module)" in run.stdout, run.stderr


def test_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = built("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    again = built("wheel", unpacked, tmp_path / "again")
    assert names(again) == names(wheel)


def test_only_what_compiling_needs_is_required() -> None:
    required = {re.split(r"[<>=]", r)[0] for r in PROJECT["dependencies"]}
    assert required == {"lark", "jinja2", "black"}


def test_every_requirement_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pinned = {pin.split("==")[0] for pin in pins}
    extras = PROJECT["optional-dependencies"]
    # These have environments of their own, with the versions that they ask for.
    apart = ("tunix", "configs", "reading")
    groups = [extra for name, extra in extras.items() if name not in apart]
    wanted = {re.split(r"[<>=\[]", r)[0].lower() for g in groups for r in g} - {"nnxc"}
    assert wanted <= pinned
