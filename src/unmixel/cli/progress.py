"""How far the work is, on stderr: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import xarray as xr
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from unmixel.cli.screen import screen


class ProgressReport:
    """A progress callback for `Method.fit` and `Fitted.unmix` (see `unmixel.methods._progress.Progress`).

    Each stage counts with its first number, up to ``of``; its other numbers are shown beside it.
    """

    def __init__(self, console: Console | None = None, *, every_s: float = 5.0) -> None:
        self.console = console or screen(stderr=True)
        self._every_s = every_s
        self._said: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:g}/{task.total:g}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[beside]}", markup=False),
            console=self.console,
            transient=True,
        )

    def __enter__(self) -> ProgressReport:
        if self.console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._bars.stop()

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, soft_wrap=True)

    def say_scene(self, path: Path, shape: tuple[int, ...], sample: xr.DataArray) -> None:
        """Print what was read, and what was done to it, as a sample of its pixels has it."""
        rows, columns, n_bands = shape
        used = int(sample["good_band"].sum())
        self.say(f"{path}: {rows} x {columns} pixels, {used} of {n_bands} bands used")
        for line in sample.attrs["reading"]:
            self.say(f"  {line}")

    def __call__(self, stage: str, numbers: Mapping[str, float | int]) -> None:
        """Show a stage and its numbers."""
        total = numbers.get("of")
        counted = [name for name in numbers if name != "of"]
        done = numbers[counted[0]] if counted else 0.0
        if total == 1:
            return
        beside = "  ".join(f"{name} {_shown(numbers[name])}" for name in counted[1:])
        if self.console.is_terminal:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total, beside=beside)
            if done < self._bars.tasks[self._tasks[stage]].completed:
                self._bars.reset(self._tasks[stage])
            self._bars.update(self._tasks[stage], total=total, completed=done, beside=beside)
            return
        now = time.monotonic()
        if now - self._said.setdefault(stage, now) >= self._every_s or done == total:
            self._said[stage] = now
            unit = counted[0] if counted else ""
            self.say(f"{stage}: {unit} {done:g}{f' of {total:g}' if total else ''}  {beside}".rstrip())


def _shown(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
