"""Many processes give the bytes of one, also when some of them die."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import pytest
from distributed import LocalCluster
from tiled_scene import N_TILES, TILE_MEMORY, content, make_folder

from unmixel.errors import EngineError, ParameterError, SceneError
from unmixel.scale import TileRun, open_engine, unmix_file
from unmixel.scale.engines import WORTH_A_CLUSTER, Cluster, Engine, Serial


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scene, a model, and the result of one process."""
    make_folder(tmp_path)
    unmix(tmp_path, "serial", Serial())
    return tmp_path


def unmix(folder: Path, output: str, engine: Engine, **more: object) -> TileRun:
    return unmix_file(
        folder / "model", folder / "scene.img", folder / output, engine=engine, tile_memory=TILE_MEMORY, **more
    )


def test_two_processes_give_the_bytes_of_one_and_one_may_die(folder: Path) -> None:
    with open_engine(2) as engine:
        assert isinstance(engine, Cluster) and engine.n_workers == 2
        run = unmix(folder, "parallel", engine)
        assert run.where == "on this machine, 2 workers"
        assert content(folder / "parallel") == content(folder / "serial")
        killed = []

        def kill(stage: str, numbers: object) -> None:
            if stage == "tiles" and not killed:
                killed.append(next(iter(engine._client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)

        run = unmix(folder, "orphaned", engine, progress=kill)
        assert len(killed) == 1 and run.n_valid == unmix(folder, "again", engine).n_valid
        assert content(folder / "orphaned") == content(folder / "serial")


def test_a_running_cluster_is_used_and_stays(folder: Path) -> None:
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, processes=False, protocol="tcp://"
    ) as cluster:
        address = cluster.scheduler_address
        for output in ("first", "second"):
            with open_engine(scheduler=address) as engine:
                assert address in engine.where
                unmix(folder, output, engine)
            assert content(folder / output) == content(folder / "serial")
        with open_engine(scheduler=address) as engine:
            os.utime(folder / "scene.img", (1, 1))

            def change(stage: str, numbers: object) -> None:
                os.utime(folder / "scene.img", (2, 2))

            with pytest.raises(SceneError, match="changed"):
                unmix(folder, "third", engine, progress=change)


def test_an_interrupted_run_goes_on_with_another_engine(folder: Path) -> None:
    def interrupt(stage: str, numbers: dict[str, float]) -> None:
        if stage == "tiles" and numbers["tile"] == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unmix(folder, "parallel", Serial(), progress=interrupt)
    with open_engine(2) as engine:
        run = unmix(folder, "parallel", engine, resume=True)
    assert (run.n_tiles, run.n_done_before) == (N_TILES, 4)
    assert content(folder / "parallel") == content(folder / "serial")


def test_the_engine_suits_the_size() -> None:
    with open_engine(n_pixels=WORTH_A_CLUSTER - 1) as engine:
        assert isinstance(engine, Serial)
    with open_engine(1, n_pixels=10 * WORTH_A_CLUSTER) as engine:
        assert isinstance(engine, Serial)


def test_what_cannot_be_an_engine() -> None:
    with pytest.raises(ParameterError, match="workers and a scheduler"), open_engine(2, "tcp://127.0.0.1:9"):
        pass
    with pytest.raises(ParameterError, match="workers = 0"), open_engine(0):
        pass
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(EngineError, match=f"Dask cluster at {address}"), open_engine(scheduler=address):
            pass


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(SceneError("a file", "a scene", "look")))
    assert isinstance(error, SceneError) and str(error) == "a file; expected a scene; look"
