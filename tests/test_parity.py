"""The zoo's specs of published models against their references, as `make parity` runs them.

The quick ones of the project's own references always run; those of a folder of them are heavy.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.parity import reload
from tests.parity.__main__ import main, shortfall
from tests.parity.families import OWN, Family, families
from tests.parity.judge import deviation, gradient_deviations

FAMILIES = families()
SLOW = ("autoformer", "time_series_transformer")


def marked(family: Family) -> object:
    own = family.folder.parent == OWN and family.name not in SLOW
    return pytest.param(
        family, id=family.name, marks=() if own else (pytest.mark.heavy,)
    )


@pytest.mark.parametrize(
    "family", [marked(family) for family in FAMILIES.values() if family.has_spec]
)
def test_does_what_its_reference_does(family: Family) -> None:
    assert shortfall(family) is None


REFERENCE = np.linspace(-2, 2, 24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        (lambda a: a, True),
        (lambda a: a + 5e-6, True),
        (lambda a: a + 2e-5, False),
        (lambda a: a * np.nan, False),
        (lambda a: a[:1], False),
        (lambda a: np.moveaxis(a, 1, -1), True),
    ],
)
def test_judges_by_tolerance(change: object, ok: bool) -> None:
    assert callable(change)
    assert deviation("out/x", change(REFERENCE), REFERENCE, 1e-7).ok is ok


def test_judges_integers_exactly() -> None:
    ids = np.arange(4)
    assert deviation("out/ids", ids, ids, None).ok
    assert not deviation("out/ids", ids + 1, ids, None).ok


def test_judges_gradients_by_the_whole() -> None:
    want = {"big": np.full(4, 100.0), "none": np.zeros(3)}
    near = {"big": want["big"], "none": np.full(3, 1e-4)}
    assert all(d.ok for d in gradient_deviations(near, want))
    far = {"big": want["big"] + 0.1}
    assert not any(d.ok for d in gradient_deviations(far, want))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two references: one that its spec meets, one that has no spec."""
    from safetensors.numpy import save_file

    monkeypatch.setenv("PARITY", str(tmp_path))
    good, without = tmp_path / "doubled", tmp_path / "without"
    for place in (good, without):
        place.mkdir()
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        np.savez(place / "ref.npz", **{"in/x": x, "out/y": 2 * x})
    (good / "spec.nnx").write_text(
        "model Doubled:\n    input x: [B, 3]\n    param scale: [3] = ones\n"
        '    return x * scale\n\nweights Doubled from "{path}"\n'
    )
    for place in (good, without):
        save_file({"scale": np.full(3, 2, np.float32)}, place / "model.safetensors")
    return tmp_path


def test_says_what_falls_short(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 1
    rows = capsys.readouterr().out.splitlines()
    assert rows == ["without                has no spec", "parity: 1 of 2 families"]
    reference = dict(np.load(folder / "doubled/ref.npz"))
    reference["out/y"][0, 0] += 1
    np.savez(folder / "doubled/ref.npz", **reference)
    main(["doubled"])
    rows = capsys.readouterr().out.splitlines()
    assert rows[-2].startswith("doubled") and "out/y: off by 1" in rows[-2]
    assert rows[-1] == "parity: 0 of 1 families"


def test_a_reference_is_as_exact_as_its_inputs(folder: Path) -> None:
    """Twice a sine of 8000 x: its last bits are those of the angle."""
    spec = folder / "doubled/spec.nnx"
    spec.write_text(spec.read_text().replace("x * scale", "scale * sin(8000 * x)"))
    x = np.array([[0.1, 0.2, 0.3], [0.7, 0.6, 0.9]], np.float32)
    exact = 2 * np.sin(8000.0 * x.astype(np.float64))
    for name, y, near in (("rounded", exact, True), ("wrong", exact + 0.002, False)):
        np.savez(folder / "doubled/ref.npz", **{"in/x": x, "out/y": y})
        assert (main(["doubled"]) == 0) is near, name


def test_finds_no_references_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARITY", str(tmp_path))
    assert main([]) == 2
    assert main(["bert"]) == 2
    assert "bert" in capsys.readouterr().out


def test_without_a_reference_library_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(reload, "PYTHON", str(python))
    assert reload.main(["bert"]) == 2
    assert "has no torch and transformers" in capsys.readouterr().out
