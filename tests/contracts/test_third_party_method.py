"""A method of another package, written by the page on adding one: from its installation to a benchmark."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import unmixel.methods
from unmixel.benchmark.table import read_table
from unmixel.cli.main import run
from unmixel.errors import ParameterError
from unmixel.io import write_envi
from unmixel.methods.fcls import FCLS
from unmixel.registry import get_method, list_methods, load
from unmixel.result import open_result
from unmixel.testing import check_method
from unmixel.testing.method_contract import example_scene

PAGE = (Path(unmixel.methods.__file__).parents[3] / "docs" / "adding-a-method.md").read_text(encoding="utf-8")
METHOD, CHECK = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
(PROJECT,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
CLIPPED = tomllib.loads(PROJECT)["project"]["entry-points"]["unmixel.methods"]

Install = Callable[..., None]
Unmixel = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Packages for one test: `install("my_package", {"clipped": METHOD}, CLIPPED)`."""
    site, names = tmp_path / "site", []
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")

    def put(name: str, modules: dict[str, str], entry_points: dict[str, str]) -> None:
        names.append(name)
        (site / name).mkdir()
        (site / name / "__init__.py").touch()
        for module, text in modules.items():
            (site / name / f"{module}.py").write_text(text, encoding="utf-8")
        about = site / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{point} = {place}\n" for point, place in entry_points.items())
        (about / "entry_points.txt").write_text(f"[unmixel.methods]\n{lines}")

    yield put
    for module in [module for module in sys.modules if module.split(".")[0] in names]:
        del sys.modules[module]


@pytest.fixture
def unmixel_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Unmixel:
    """The program, which must succeed: `unmixel_says("methods")` gives what it prints."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["unmixel", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        return out

    return call


def broken_by(text: str, **entry_points: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return what to install for a package that has something wrong."""
    return "strange", {"strange": text}, {name: f"strange.strange:{kind}" for name, kind in entry_points.items()}


def test_the_method_of_the_page_keeps_the_contract(install: Install) -> None:
    install("my_package", {"clipped": METHOD}, CLIPPED)
    exec(compile(CHECK, "the page", "exec"), {"Clipped": get_method("clipped")})


def test_the_method_of_the_page_needs_nothing_private() -> None:
    assert not re.search(r"unmixel[.\w]*\._", METHOD + CHECK + PROJECT)


def test_the_method_of_the_page_unmixes_and_is_compared(
    install: Install, unmixel_says: Unmixel, tmp_path: Path
) -> None:
    install("my_package", {"clipped": METHOD}, CLIPPED)
    assert "clipped\n  what   clipped least squares: quick, no uncertainty\n" in unmixel_says("methods")
    assert "  clipped: this page\n" in unmixel_says("cite")
    scene = example_scene()
    write_envi(scene, tmp_path / "scene.img")
    unmixel_says("unmix", tmp_path / "scene.img", "-p", 3, "--method", "clipped", "-o", tmp_path / "out")
    fitted = load(tmp_path / "out")
    assert type(fitted.method).__module__ == "my_package.clipped"
    result = open_result(tmp_path / "out")
    abundance = fitted.unmix(scene.assign_coords(good_band=("band", fitted.bands["good_band"])))["abundance"]
    np.testing.assert_allclose(result["abundance"].values, abundance.values, atol=1e-6)

    (tmp_path / "suite.toml").write_text(
        'title = "Mine"\nseeds = 1\n[[scene]]\npreset = "dc1"\nrows = 8\ncolumns = 9\nendmembers = "true"\n'
        '[[method]]\nname = "clipped"\n[[method]]\nname = "fcls"\n'
    )
    unmixel_says("benchmark", tmp_path / "suite.toml", "-o", tmp_path / "benchmark")
    rows = read_table(tmp_path / "benchmark" / "table.parquet")
    assert [(row["method"], row["status"]) for row in rows] == [("clipped", "ok"), ("fcls", "ok")]


def test_a_package_that_cannot_be_imported_breaks_nothing_else(
    install: Install, unmixel_says: Unmixel, tmp_path: Path
) -> None:
    install("my_package", {"clipped": METHOD}, CLIPPED)
    install(*broken_by("import nothing_of_this_name\n", strange="Strange"))
    listed = unmixel_says("methods")
    assert "\nstrange\n  error  method 'strange' of strange, which cannot be loaded (ModuleNotFoundError" in listed
    assert {"clipped", "fcls", "idnet", "strange"} <= set(listed.splitlines())
    assert "  strange: not known: method 'strange' of strange, which cannot" in unmixel_says("cite")
    write_envi(example_scene(), tmp_path / "scene.img")
    unmixel_says("unmix", tmp_path / "scene.img", "-p", 3, "--method", "clipped", "-o", tmp_path / "out")
    (tmp_path / "suite.toml").write_text(
        'title = "Mine"\nseeds = 1\n[[scene]]\npreset = "dc1"\nrows = 8\ncolumns = 9\nendmembers = "true"\n'
        '[[method]]\nname = "clipped"\n[[method]]\nname = "strange"\n'
    )
    unmixel_says("benchmark", tmp_path / "suite.toml", "-o", tmp_path / "benchmark")
    first, second = read_table(tmp_path / "benchmark" / "table.parquet")
    assert (first["status"], second["status"]) == ("ok", "error")
    assert "nothing_of_this_name" in second["error"]


def test_a_method_of_another_package_does_not_replace_one_of_unmixel(install: Install, unmixel_says: Unmixel) -> None:
    install(*broken_by(METHOD.replace('"clipped"', '"fcls"'), fcls="Clipped"))
    assert get_method("fcls") is FCLS
    assert list_methods().count("fcls") == 1
    assert "method 'fcls' of strange is passed over, because unmixel has one of this name" in unmixel_says("methods")


def test_a_name_of_two_packages_is_refused(install: Install) -> None:
    install("my_package", {"clipped": METHOD}, CLIPPED)
    install(*broken_by(METHOD, clipped="Clipped"))
    with pytest.raises(ParameterError, match="'clipped' of my_package and of strange; expected one package with"):
        get_method("clipped")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (METHOD.replace('"clipped"', '"cut"'), "class of the name 'cut'; expected the same name in the class and its"),
        ("Clipped = 3", "which is 3; expected a class made from unmixel.methods.Method"),
        (METHOD.replace("reference:", "told:"), "without reference"),
        (METHOD.replace("[type[Fitted]] = FittedClipped", " = int"), "fitted_type is <class 'int'>"),
    ],
    ids=["another name", "no class", "no reference", "no fitted type"],
)
def test_what_is_no_method_is_told(text: str, told: str, install: Install, unmixel_says: Unmixel) -> None:
    install(*broken_by(text, clipped="Clipped"))
    with pytest.raises(ParameterError, match=re.escape(told)):
        get_method("clipped")
    assert told in unmixel_says("methods")


def test_the_checks_begin_with_the_name(install: Install) -> None:
    install(*broken_by(METHOD.replace('"clipped"', '"cut"'), clipped="Clipped"))
    from strange.strange import Clipped as Misnamed

    told = r"'cut', whose entry point has the name 'clipped'; expected .*; write cut = \"strange\.strange:Clipped\""
    with pytest.raises(ParameterError, match=told):
        check_method(Misnamed)

    @dataclass(frozen=True, kw_only=True)
    class Unregistered(FCLS):
        name = "unregistered"

        def fit(self, *given: object, **more: object) -> None:
            raise AssertionError("fitted before its name was looked at")

    with pytest.raises(ParameterError, match=r"which has no entry point of the group 'unmixel.methods'"):
        check_method(Unregistered)

    class Namesake(Unregistered):
        name = "fcls"

    with pytest.raises(ParameterError, match=r"'fcls', which is that of unmixel.methods.fcls:FCLS; expected a name of"):
        check_method(Namesake)


TUPLED = METHOD.replace(
    "    def _fit(",
    "    weights: tuple[float, ...] = (1.0, 2.0)\n    pair: tuple[str, int] | None = None\n\n    def _fit(",
)


def test_tuples_are_saved_and_loaded(install: Install) -> None:
    install(*broken_by(TUPLED, clipped="Clipped"))
    check_method(get_method("clipped"), weights=(0.5, np.float32(2), 3), pair=["a", np.int8(4)])


def test_a_record_that_is_not_kept_is_noticed(install: Install) -> None:
    text = METHOD.replace(
        "        return FittedClipped(self, scene, endmembers.names, endmembers.means)\n",
        "        fitted = FittedClipped(self, scene, endmembers.names, endmembers.means)\n"
        "        fitted.record['where'] = Path('here')\n        return fitted\n",
    )
    install(*broken_by(text, clipped="Clipped"))
    with pytest.raises(AssertionError, match="a record with what JSON doesn't keep"):
        check_method(get_method("clipped"))


def test_names_for_authors_are_loaded_when_used() -> None:
    for name in unmixel.methods.__all__:
        assert getattr(unmixel.methods, name) is not None
    assert not hasattr(unmixel.methods, "Unknown")
    program = (
        "import sys, unmixel.methods\n"
        "heavy = {'numpy', 'torch', 'xarray', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
