"""The training loop: why it stops, what it keeps, how it goes on, what it refuses."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unmixel.errors import ModelError, TrainingError
from unmixel.train.loop import Schedule, train
from unmixel.train.seeding import seeded, threads

CPU = torch.device("cpu")


class Line(nn.Module):
    """Fits a line to noisy points of one; what training does to it depends on torch's random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(2))
        self.register_buffer("count", torch.zeros(()))

    def step(self):
        self.count += 1
        x = torch.randn(8, 2)
        loss = ((x @ self.slope) - (x @ torch.tensor([1.0, -2.0])) - 0.1 * torch.randn(8)).square().mean()
        return loss, {"misfit": float(loss.detach()), "size": 2.0}


def run(line, schedule, *, watch=None, step=None, progress=None, **options):
    """Train with a seed; watched losses may be given as a list."""
    values = iter(watch) if isinstance(watch, list) else None
    watched = (lambda loss: next(values)) if values is not None else (watch or (lambda loss: loss))
    with seeded(5, CPU):
        return train(line, step or line.step, watched, schedule, progress=progress or (lambda numbers: None), **options)


def short(n_epochs: int, **options) -> Schedule:
    return Schedule(n_epochs=n_epochs, steps_per_epoch=3, learning_rate=0.05, **options)


def test_training_learns():
    line = Line()
    history = run(line, Schedule(n_epochs=20, steps_per_epoch=10, learning_rate=0.1, decay=1.0, patience=60))
    torch.testing.assert_close(line.slope.detach(), torch.tensor([1.0, -2.0]), atol=0.1, rtol=0)
    assert history.epochs[-1]["loss"] < 0.1 * history.epochs[0]["loss"]


def test_it_stops_after_all_epochs_and_says_so():
    history = run(Line(), short(3), watch=[3.0, 2.0, 1.0])
    assert history.stopped == "all 3 epochs done"
    assert [epoch["epoch"] for epoch in history.epochs] == [1, 2, 3]
    assert history.best_epoch == 3
    assert history.best_loss == 1.0


@pytest.mark.parametrize("sign", [1, -1])
def test_it_stops_when_nothing_improves_and_says_so(sign):
    """A loss may be negative: what counts is the improvement as a share of its size."""
    watched = [sign * 10.0, sign * 10.0 - 0.05, sign * 10.0 - 0.09, sign * 10.0 - 0.2, sign * 10.0 - 1]
    history = run(Line(), short(9, tolerance=0.01, patience=2), watch=watched)
    assert history.stopped == "the watched loss improved by less than 1 % for 2 epochs"
    assert len(history.epochs) == 3
    assert history.best_epoch == 3, "a small improvement is still the best state"


def test_patience_counts_epochs_in_a_row():
    history = run(Line(), short(5, tolerance=0.01, patience=2), watch=[5.0, 5.0, 4.0, 4.0, 3.0])
    assert history.stopped == "all 5 epochs done"


def states_of(line):
    """Return a progress callback and the list of states it notes, one an epoch."""
    states = []
    return (lambda numbers: states.append(copy.deepcopy(line.state_dict()))), states


def assert_same_state(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_the_best_state_is_kept():
    line = Line()
    progress, states = states_of(line)
    history = run(line, short(9, patience=3), watch=[5.0, 3.0, 4.0, 4.5, 3.5], progress=progress)
    assert history.best_epoch == 2
    assert_same_state(line.state_dict(), states[1])


def interrupt_at(line, n_steps):
    """Return a step that is interrupted the n-th time."""
    calls = iter(range(1, n_steps + 1))

    def step():
        if next(calls) == n_steps:
            raise KeyboardInterrupt
        return line.step()

    return step


def test_an_interrupt_keeps_the_best_state():
    line = Line()
    progress, states = states_of(line)
    history = run(
        line, short(9, patience=9), watch=[5.0, 3.0, 4.0], progress=progress, step=interrupt_at(line, 3 * 3 + 2)
    )
    assert history.stopped == "interrupted in epoch 4"
    assert history.best_epoch == 2
    assert_same_state(line.state_dict(), states[1])


def test_an_interrupt_in_the_first_epoch_leaves_the_start():
    line = Line()
    start = copy.deepcopy(line.state_dict())
    history = run(line, short(9), step=interrupt_at(line, 2))
    assert history.stopped == "interrupted in epoch 1"
    assert_same_state(line.state_dict(), start)


def test_an_interrupt_between_epochs_keeps_the_epoch_just_done():
    line = Line()
    states = []

    def progress(numbers):
        states.append(copy.deepcopy(line.state_dict()))
        if numbers["epoch"] == 2:
            raise KeyboardInterrupt

    history = run(line, short(9), watch=[5.0, 3.0], progress=progress)
    assert history.best_epoch == 2
    assert_same_state(line.state_dict(), states[1])


def test_divergence_names_the_epoch_and_the_terms():
    line = Line()
    calls = iter(range(100))

    def step():
        loss, terms = line.step()
        return (loss * math.nan, {**terms, "scene": -math.inf}) if next(calls) == 4 else (loss, terms)

    with pytest.raises(TrainingError, match=r"in epoch 2: the loss is nan .*size 2, scene -inf.*learning rate"):
        run(line, short(9, patience=9), step=step)


@pytest.mark.parametrize("watched", [math.nan, math.inf, -math.inf])
def test_a_watched_loss_that_is_no_number_is_divergence(watched):
    with pytest.raises(TrainingError, match="diverged in epoch 2: the watched loss is"):
        run(Line(), short(9, patience=9), watch=[2.0, watched, 1.0])
    with pytest.raises(TrainingError, match="diverged in epoch 1: the watched loss is"):
        run(Line(), short(9, patience=9), watch=[watched, 1.0])


def test_numbers_of_an_epoch_are_means_over_its_steps():
    values = iter([1.0, 2.0, 6.0])
    line = Line()

    def step():
        value = next(values)
        return line.slope.sum() * 0 + value, {"misfit": 2 * value}

    told = []
    history = run(line, short(1), step=step, progress=told.append)
    assert history.epochs == [{"epoch": 1, "watched": 3.0, "loss": 3.0, "misfit": 6.0}]
    assert dict(told[0]) == {"epoch": 1, "of": 1, "loss": 3.0, "watched": 3.0}


def test_the_learning_rate_falls_for_the_first_epochs():
    schedule = Schedule(n_epochs=20, steps_per_epoch=1, learning_rate=0.01, decay=0.5, decay_epochs=3)
    assert [schedule.rate(epoch) for epoch in (0, 1, 3, 9)] == [0.01, 0.005, 0.00125, 0.00125]


@pytest.mark.parametrize("interrupted_at", [2, 3 * 2 + 3, 3 * 5 + 1])
def test_resumed_training_ends_with_the_same_bytes(tmp_path, interrupted_at):
    undisturbed = Line()
    watched = {n + 1: value for n, value in enumerate([9.0, 7.0, 5.0, 6.0, 4.0, 4.5])}
    schedule = short(6, patience=9)
    expected = run(undisturbed, schedule, watch=list(watched.values()))

    file = tmp_path / "runs" / "training.safetensors"
    first = Line()
    step = interrupt_at(first, interrupted_at)
    done = run(first, schedule, watch=list(watched.values()), step=step, checkpoint=file, identity="a")
    assert done.stopped.startswith("interrupted")
    assert file.exists() == (len(done.epochs) > 0)

    again = Line()
    left = list(watched.values())[len(done.epochs) :]
    found = run(again, schedule, watch=left, checkpoint=file, identity="a")
    assert found == expected
    assert_same_state(again.state_dict(), undisturbed.state_dict())
    assert [path.name for path in file.parent.iterdir()] == [file.name], "something was left over"


def test_a_finished_training_is_not_trained_again(tmp_path):
    file = tmp_path / "training.safetensors"
    line = Line()
    finished = run(line, short(2, patience=9), watch=[1.0, 2.0], checkpoint=file, identity="a")
    again = Line()

    def step():
        raise AssertionError("a step was taken")

    assert run(again, short(2, patience=9), step=step, checkpoint=file, identity="a") == finished
    assert_same_state(again.state_dict(), line.state_dict())


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    file = tmp_path / "training.safetensors"
    run(Line(), short(2), checkpoint=file, identity="a")
    line = Line()
    start = copy.deepcopy(line.state_dict())
    with pytest.raises(ModelError, match="checkpoint of another training"):
        run(line, short(2), checkpoint=file, identity="b")
    assert_same_state(line.state_dict(), start)


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "no facts", "a folder"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    file = tmp_path / "training.safetensors"
    run(Line(), short(2), checkpoint=file, identity="a")
    whole = file.read_bytes()
    if damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "garbage":
        file.write_bytes(b"\x00\xff" * 300)
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "no facts":
        save_file({"x": torch.zeros(2)}, file)
    else:
        file.unlink()
        file.mkdir()
    with pytest.raises(ModelError, match="is not a checkpoint"):
        run(Line(), short(2), checkpoint=file, identity="a")


def test_threads_are_put_back_after_an_error(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    monkeypatch.setattr("unmixel.train.seeding.os.cpu_count", lambda: before + 1)
    with threads(before + 5):
        assert torch.get_num_threads() == before + 1, "no more than there are processors"
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
