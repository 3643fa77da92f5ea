"""Which scenes a command works on: arguments, patterns and manifests, and the names of their output folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unmixel.cli.manifest import read_manifest
from unmixel.cli.scenes import SceneJob, scenes_of
from unmixel.errors import ParameterError, SceneError, UnmixingError
from unmixel.io import open_scene, save_scene, write_envi
from unmixel.scene import make_scene

ENVI = "ENVI\nsamples = 1\nlines = 1\nbands = 4\ndata type = 1\ninterleave = bil\n"


def touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def envi(folder: Path, name: str, *, header: str | None = None) -> Path:
    (data,) = touch(folder, name)
    (folder / (header or f"{data.stem}.hdr")).write_text(ENVI)
    return data


def names(jobs: list[SceneJob]) -> list[str]:
    return [job.name for job in jobs]


def one_line(error: UnmixingError) -> str:
    """The message of an error that says what was expected, in one line."""
    assert error.expected
    assert "\n" not in str(error)
    return str(error)


class TestArguments:
    def test_files_come_in_the_order_given_with_the_names_of_their_stems(self, tmp_path: Path) -> None:
        paths = touch(tmp_path, "b.npy", "a.tif", "line.2023.mat")
        jobs = scenes_of(paths, None)
        assert jobs == [SceneJob(paths[0], "b"), SceneJob(paths[1], "a"), SceneJob(paths[2], "line.2023")]

    def test_patterns_are_expanded_in_alphabetical_order(self, tmp_path: Path) -> None:
        touch(tmp_path, "line_10.npy", "line_9.npy", "line_1.npy", "notes.txt", ".line_0.npy")
        jobs = scenes_of([tmp_path / "line_*.npy"], None)
        assert names(jobs) == ["line_1", "line_10", "line_9"]
        assert jobs[0].path == tmp_path / "line_1.npy"
        assert names(scenes_of([tmp_path / "line_?.npy"], None)) == ["line_1", "line_9"]
        assert names(scenes_of([tmp_path / "line_[12]*.npy"], None)) == ["line_1", "line_10"]

    def test_patterns_reach_into_folders(self, tmp_path: Path) -> None:
        touch(tmp_path, "top.npy", "june/a.npy", "june/deep/b.npy")
        assert names(scenes_of([tmp_path / "**/*.npy"], None)) == ["a", "b", "top"]
        assert names(scenes_of([tmp_path / "*/*.npy"], None)) == ["a"]

    def test_patterns_are_relative_to_the_working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        touch(tmp_path, "june/a.npy")
        monkeypatch.chdir(tmp_path)
        assert scenes_of([Path("june/*.npy")], None) == [SceneJob(Path("june/a.npy"), "a")]

    def test_a_file_whose_name_looks_like_a_pattern_is_that_file(self, tmp_path: Path) -> None:
        odd, _ = touch(tmp_path, "scene[1].npy", "scene1.npy")
        assert scenes_of([odd], None) == [SceneJob(odd, "scene[1]")]

    def test_a_file_counts_once(self, tmp_path: Path) -> None:
        first, second = touch(tmp_path, "a.npy", "b.npy")
        (tmp_path / "sub").mkdir()
        jobs = scenes_of([second, tmp_path / "*.npy", first, tmp_path / "sub/../b.npy"], None)
        assert [job.path for job in jobs] == [second, first]

    def test_a_link_has_a_name_of_its_own(self, tmp_path: Path) -> None:
        data = envi(tmp_path / "archive", "0001.img")
        for suffix in (".img", ".hdr"):
            (tmp_path / f"north{suffix}").symlink_to(data.with_suffix(suffix))
        assert names(scenes_of([tmp_path / "north.*"], None)) == ["north"]
        assert names(scenes_of([tmp_path / "north.img", data], None)) == ["north", "0001"]

    @pytest.mark.parametrize("header", ["scene.hdr", "scene.img.hdr", "scene.HDR"])
    def test_an_envi_file_and_its_header_are_one_scene(self, tmp_path: Path, header: str) -> None:
        data = envi(tmp_path, "scene.img", header=header)
        for given in ([data, tmp_path / header], [tmp_path / header, data], [tmp_path / "scene*"]):
            (job,) = scenes_of(given, None)
            assert job.name == "scene"
        assert scenes_of([tmp_path / header], None)[0].path == tmp_path / header

    def test_what_is_found_can_be_opened(self, tmp_path: Path) -> None:
        values = np.random.default_rng(0).uniform(0.1, 0.6, (3, 4, 5))
        write_envi(make_scene(values), tmp_path / "a.img")
        save_scene(make_scene(values[:2]), tmp_path / "b.zarr")
        np.savez(tmp_path / "c.npz", dark=values, field=values[:1])
        jobs = scenes_of([tmp_path / "[ab].*", tmp_path / "*.npz::field"], None)
        assert names(jobs) == ["a", "b", "c"]
        assert [open_scene(job.path).sizes["y"] for job in jobs] == [3, 2, 1]

    def test_patterns_pass_over_folders_sidecars_and_what_is_inside_of_a_store(self, tmp_path: Path) -> None:
        touch(tmp_path, "in/photos/flight.txt", "in/a.tif", "in/a.tif.aux.xml")
        save_scene(make_scene(np.random.default_rng(0).uniform(0.1, 0.6, (3, 4, 5))), tmp_path / "in/store.zarr")
        assert names(scenes_of([tmp_path / "in/*"], None)) == ["a", "store"]
        for pattern in ("**", "**/*"):
            assert sorted(names(scenes_of([tmp_path / pattern], None))) == ["a", "flight", "store"]

    def test_one_array_of_several_can_be_chosen(self, tmp_path: Path) -> None:
        (path,) = touch(tmp_path, "days.mat")
        (job,) = scenes_of([Path(f"{path}::june")], None)
        assert job == SceneJob(tmp_path / "days.mat::june", "days")
        both = scenes_of([Path(f"{path}::june"), Path(f"{path}::july"), Path(f"{path}::june")], None)
        assert names(both) == ["days_june", "days_july"]

    def test_folders_tell_files_of_one_name_apart(self, tmp_path: Path) -> None:
        touch(tmp_path, "2023/june/line.npy", "2023/july/line.npy", "2023/june/other.npy")
        assert names(scenes_of([tmp_path / "2023/*/*.npy"], None)) == ["july_line", "june_line", "other"]
        touch(tmp_path, "2024/june/line.npy")
        assert names(scenes_of([tmp_path / "*/*/line.npy"], None)) == [
            "2023_july_line",
            "2023_june_line",
            "2024_june_line",
        ]

    def test_capitals_and_forms_of_accents_do_not_tell_names_apart(self, tmp_path: Path) -> None:
        paths = touch(tmp_path, "a/Line.npy", "b/line.npy", "c/Gr\u00fcn.npy", "d/Gru\u0308n.npy")
        assert names(scenes_of(paths, None)) == ["a_Line", "b_line", "c_Gr\u00fcn", "d_Gru\u0308n"]

    def test_files_of_one_name_in_one_folder_are_refused(self, tmp_path: Path) -> None:
        paths = touch(tmp_path, "a/line.npy", "b/line.npy", "b/line.tif")
        with pytest.raises(ParameterError) as raised:
            scenes_of(paths, None)
        message = one_line(raised.value)
        assert str(paths[1]) in message
        assert str(paths[2]) in message
        assert message.endswith("list them with names in a manifest")

    @pytest.mark.parametrize(
        "name", ["a:b.npy", "flight#3.npy", "100%.npy", "COM1.npy", "nul.flight.npy", "x" * 201 + ".npy", "a\tb.npy"]
    )
    def test_names_that_are_none_for_a_folder_are_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ParameterError, match=r"the name .*expected a name for a folder.*in a manifest") as raised:
            scenes_of(touch(tmp_path, name), None)
        one_line(raised.value)

    def test_what_is_missing_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SceneError, match=r"gone\.img, which does not exist; expected a scene file"):
            scenes_of([*touch(tmp_path, "a.npy"), tmp_path / "gone.img"], None)
        with pytest.raises(ParameterError, match=r"gone_\*\.img', which matches no scene"):
            scenes_of([tmp_path / "gone_*.img"], None)
        with pytest.raises(SceneError, match=r"gone\.mat, which does not exist"):
            scenes_of([tmp_path / "gone.mat::field"], None)
        (tmp_path / "alone.hdr").write_text(ENVI)
        with pytest.raises(SceneError, match="without its data file"):
            scenes_of([tmp_path / "alone.hdr"], None)

    def test_either_arguments_or_a_manifest(self, tmp_path: Path) -> None:
        (path,) = touch(tmp_path, "a.npy")
        with pytest.raises(ParameterError, match=r"expected one of them; leave one out") as raised:
            scenes_of([path], tmp_path / "campaign.toml")
        one_line(raised.value)
        with pytest.raises(ParameterError, match="no scene; expected scene files") as raised:
            scenes_of([], None)
        one_line(raised.value)


TOML = """\
# The flights of 2023.
[[scene]]
path = "june/line.img"   # in the morning
name = "north"
bands = "1350-1450,1800-1950"
scale = 10000

[[scene]]
path = "july/*.npy"
scale = 1.5
"""
CSV = """\
path,name,bands,scale
june/line.img,north,"1350-1450,1800-1950",10000
july/*.npy,,,1.5
"""


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A folder with `june/line.img` and its header, `july/a.npy` and `july/b.npy`."""
    touch(tmp_path, "july/b.npy", "july/a.npy", "june/readme.txt")
    envi(tmp_path / "june", "line.img")
    return tmp_path


@pytest.fixture
def jobs_of(campaign: Path) -> Callable[..., list[SceneJob]]:
    """`jobs_of("campaign.csv", text)`: the scenes of a manifest in the folder of the campaign."""

    def call(name: str, text: str | bytes) -> list[SceneJob]:
        (campaign / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return scenes_of([], campaign / name)

    return call


JobsOf = Callable[..., list[SceneJob]]


class TestManifest:
    @pytest.mark.parametrize(("name", "text"), [("flights.toml", TOML), ("flights.csv", CSV), ("FLIGHTS.CSV", CSV)])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["unix", "windows"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order mark"])
    def test_what_it_lists(
        self, campaign: Path, jobs_of: JobsOf, name: str, text: str, line_end: str, mark: str
    ) -> None:
        assert jobs_of(name, mark + text.replace("\n", line_end)) == [
            SceneJob(campaign / "june/line.img", "north", "1350-1450,1800-1950", 10_000.0),
            SceneJob(campaign / "july/a.npy", "a", None, 1.5),
            SceneJob(campaign / "july/b.npy", "b", None, 1.5),
        ]

    def test_how_a_scene_is_read_and_what_its_noise_is(self, campaign: Path, jobs_of: JobsOf) -> None:
        text = "path,keep_atmosphere,uncertainty\njune/line.img,true,june/sd.img\njuly/a.npy,false,\njuly/b.npy,,\n"
        first, second, third = jobs_of("day.csv", text)
        assert (first.keep_atmosphere, first.uncertainty) == (True, campaign / "june/sd.img")
        assert (second.keep_atmosphere, second.uncertainty) == (False, None)
        assert third.keep_atmosphere is None
        with pytest.raises(ParameterError, match="expected the uncertainty file of one scene"):
            jobs_of("day.csv", "path,uncertainty\njuly/*.npy,sd.img\n")

    def test_paths_are_relative_to_it(
        self, campaign: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        (campaign / "one.csv").write_text("path\njune/line.img\n")
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        assert scenes_of([], campaign / "one.csv")[0].path == campaign / "june/line.img"
        monkeypatch.chdir(campaign)
        assert scenes_of([], Path("one.csv"))[0].path == Path("june/line.img")

    def test_absolute_paths_and_patterns_stay(self, campaign: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        (elsewhere / "one.csv").write_text(f"path\n{campaign}/june/line.img\n{campaign}/july/*.npy\n")
        assert [job.path for job in scenes_of([], elsewhere / "one.csv")] == [
            campaign / "june/line.img",
            campaign / "july/a.npy",
            campaign / "july/b.npy",
        ]

    def test_a_folder_that_looks_like_a_pattern_is_that_folder(self, tmp_path: Path) -> None:
        touch(tmp_path, "[2023]/a.npy", "2/a.npy")
        (tmp_path / "[2023]/one.csv").write_text("path\n*.npy\n")
        assert scenes_of([], tmp_path / "[2023]/one.csv") == [SceneJob(tmp_path / "[2023]/a.npy", "a")]

    def test_columns_in_any_order_and_blank_lines(self, campaign: Path, jobs_of: JobsOf) -> None:
        text = "scale, path \n\n 100 , june/line.img\n,,\n,july/a.npy\n"
        assert jobs_of("few.csv", text) == [
            SceneJob(campaign / "june/line.img", "line", None, 100.0),
            SceneJob(campaign / "july/a.npy", "a"),
        ]

    def test_one_array_of_a_file(self, campaign: Path, jobs_of: JobsOf) -> None:
        touch(campaign, "days.mat")
        text = "path,name\ndays.mat::june,\ndays.mat::july,summer\n"
        assert jobs_of("days.csv", text) == [
            SceneJob(campaign / "days.mat::june", "days"),
            SceneJob(campaign / "days.mat::july", "summer"),
        ]

    def test_a_scene_under_two_names_is_two(self, campaign: Path, jobs_of: JobsOf) -> None:
        text = "path,name,bands\njune/line.img,all,\njune/line.hdr,visible,700-2500\n"
        assert [(job.name, job.bands) for job in jobs_of("two.csv", text)] == [("all", None), ("visible", "700-2500")]

    @pytest.mark.parametrize(
        "second", ["june/line.img,", "june/line.hdr,", "june/../june/line.img,again", "june/*.img,"]
    )
    def test_a_scene_listed_twice_without_two_names_is_refused(self, jobs_of: JobsOf, second: str) -> None:
        with pytest.raises(ParameterError, match=r"line 3: .*listed before \(.*twice\.csv, line 2\)") as raised:
            jobs_of("twice.csv", f"path,name\njune/line.img,\n{second}\n")
        assert one_line(raised.value).endswith("remove one, or give a name to both")

    @pytest.mark.parametrize(
        "text",
        [
            "path,name\njune/line.img,x\njuly/a.npy,x\n",
            "path,name\njune/line.img,x\njuly/a.npy,X\n",
            "path,name\njune/line.img,a\njuly/a.npy,\n",
            "path,name\njune/line.img,x\njune/line.img,x\n",
        ],
        ids=["given", "but for capitals", "given and of a file", "of one scene"],
    )
    def test_two_scenes_of_one_name_are_refused(self, jobs_of: JobsOf, text: str) -> None:
        with pytest.raises(ParameterError, match=r"line 3: .* and .*line 2: .*both of the name") as raised:
            jobs_of("same.csv", text)
        assert one_line(raised.value).endswith("give one of them another name")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "lists no scene"),
            ("path,name\n", "lists no scene"),
            ("path,naem\njune/line.img,x\n", r"line 1: the column 'naem'; expected some of path, name, bands, scale"),
            ("path;name\njune/line.img;x\n", r"line 1: .*separate the columns by commas"),
            ("path,path\na,b\n", r"line 1: the column 'path' twice"),
            ("name,scale\nx,1\n", r"line 1 without the column 'path'"),
            ("path,name\njune/line.img,x\n,y\n", r"line 3 without a path"),
            ("path,scale\njune/line.img,ten\n", r"line 2: scale = 'ten'; expected .*number"),
            ("path,scale\njune/line.img,0\n", r"line 2: scale = '0'; expected .*greater than 0"),
            ("path,scale\njune/line.img,inf\n", r"line 2: scale = 'inf'; expected .*finite"),
            ("path,bands\njune/line.img,visible\n", r"line 2: bands = 'visible'; expected ranges like 1350-1450"),
            ("path,bands\njune/line.img,900-700\n", r"line 2: bands = '900-700'; expected ranges from low to high"),
            ("path,bands\njune/line.img,1-2,3-4\n", r"line 2 with 3 cells; expected 2.*put quotes around"),
            ('path,bands\njune/line.img,"1-2\n', r"line 2 .*expected CSV; check its quotes"),
            ("path\njune/gone.img\n", r"line 2: .*gone\.img, which does not exist"),
            ("path\nmay/*.img\n", r"line 2: the pattern .*may.*matches no scene"),
            ("path,name\njuly/*.npy,x\n", r"line 2: name = 'x' for the pattern 'july/\*\.npy'; expected no name"),
            ("path,name\njune/line.img,../x\n", r"line 2: .*the name '\.\./x', with '/' in it"),
            ("path,name\njune/line.img,.x\n", r"line 2: .*the name '\.x', with a dot or a blank"),
            ("path,name\njune/line.img,aux\n", r"line 2: .*which Windows keeps"),
        ],
    )
    def test_bad_csv(self, jobs_of: JobsOf, text: str, message: str) -> None:
        with pytest.raises(UnmixingError, match=message) as raised:
            jobs_of("bad.csv", text)
        assert "bad.csv" in one_line(raised.value)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("# nothing yet\n", "lists no scene"),
            ("scene = []\n", "lists no scene"),
            ('[scene]\npath = "june/line.img"\n', r"expected \[\[scene\]\] above each scene; double the brackets"),
            ('scene = ["june/line.img"]\n', r"expected \[\[scene\]\] above"),
            ('[[scenes]]\npath = "june/line.img"\n', r"'scenes'; expected tables \[\[scene\]\] alone"),
            ('seed = 3\n[[scene]]\npath = "june/line.img"\n', r"'seed'; expected tables"),
            ('[[scene]]\npath = "june/line.img\n', r"expected readable TOML"),
            ('[[scene]]\npath = "june/line.img"\n[[scene]]\nname = "x"\n', r"scene 2 without a path"),
            ('[[scene]]\npath = "june/line.img"\ndevice = "cpu"\n', r"scene 1: 'device'; expected some of path, name"),
            ('[[scene]]\npath = "june/line.img"\nscale = "10000"\n', r"scene 1: scale = '10000'; expected .*number"),
            ('[[scene]]\npath = "june/line.img"\nscale = true\n', r"scene 1: scale = True; expected .*number"),
            ('[[scene]]\npath = "june/line.img"\nscale = nan\n', r"scene 1: scale = nan; expected"),
            ("[[scene]]\npath = 3\n", r"scene 1: path = 3; expected .*string"),
            ('[[scene]]\npath = ""\n', r"scene 1: path = ''; expected .*at least 1"),
            ('[[scene]]\npath = "june/line.img"\nname = ""\n', r"scene 1: name = ''; expected .*at least 1"),
            ('[[scene]]\npath = "june/line.img"\nname = " "\n', r"scene 1: .*the name ' ', blank"),
            ('[[scene]]\npath = "june/line.img"\nbands = [[1, 2]]\n', r"scene 1: bands = .*expected .*string"),
            ('[[scene]]\npath = "gone.img"\n', r"scene 1: .*gone\.img, which does not exist"),
        ],
    )
    def test_bad_toml(self, jobs_of: JobsOf, text: str, message: str) -> None:
        with pytest.raises(UnmixingError, match=message) as raised:
            jobs_of("bad.toml", text)
        assert "bad.toml" in one_line(raised.value)

    @pytest.mark.parametrize("name", ["bad.csv", "bad.toml"])
    def test_files_that_cannot_be_read(self, jobs_of: JobsOf, campaign: Path, name: str) -> None:
        with pytest.raises(ParameterError, match=r"expected a readable file, in UTF-8"):
            scenes_of([], campaign / name)
        with pytest.raises(ParameterError, match=r"expected a readable file, in UTF-8") as raised:
            jobs_of(name, "path = 'Gr\u00fcn'".encode("latin-1"))
        one_line(raised.value)

    def test_the_kind_of_a_manifest_is_in_its_name(self, jobs_of: JobsOf) -> None:
        with pytest.raises(ParameterError, match=r"expected a name that ends in \.toml or \.csv; rename it"):
            jobs_of("flights.txt", CSV)

    def test_lines_are_counted_as_an_editor_does(self, campaign: Path) -> None:
        (campaign / "lines.csv").write_text('path,bands\n\njune/line.img,"1-2,\n3-4"\njuly/a.npy,\n')
        places = [where.rpartition(", ")[2] for where, _ in read_manifest(campaign / "lines.csv")]
        assert places == ["line 4", "line 5"]
