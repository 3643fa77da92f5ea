"""The program `unmixel`: its commands, and how every error reaches the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
import typer.core

from unmixel import __version__
from unmixel.cli.apply import apply
from unmixel.cli.benchmark import benchmark
from unmixel.cli.calibrate import calibrate
from unmixel.cli.cite import cite
from unmixel.cli.convert import convert
from unmixel.cli.datasets import datasets
from unmixel.cli.demo import demo
from unmixel.cli.endmembers import endmembers
from unmixel.cli.explore import explore
from unmixel.cli.info import info
from unmixel.cli.methods import methods
from unmixel.cli.report import report
from unmixel.cli.simulate import simulate
from unmixel.cli.unmix import unmix
from unmixel.errors import UnmixingError, visible


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what can go wrong outside this program into one line on stderr and an exit status."""
    try:
        yield
    except UnmixingError as error:
        _end(str(error), 2)
    except KeyboardInterrupt:
        _end("interrupted; nothing was written", 130)
    except MemoryError as error:
        _end(f"out of memory ({error}); close other programs or unmix a part of the scene", 2)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is loaded only if it is raised
            raise
        _end(f"the GPU is out of memory ({error}); use --device cpu, or a smaller batch_size", 2)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _end(f"{place}{error.strerror or error}; check that the disk is there, readable and not full", 2)


def _end(message: str, status: int) -> None:
    typer.echo(f"unmixel: {visible(' '.join(message.split()))}", err=True)
    raise typer.Exit(status)


class _Program(typer.core.TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with one_line_errors():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Program,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    *(info, convert, endmembers, unmix, apply, explore, report, calibrate),
    *(demo, simulate, benchmark, methods, datasets, cite),
)
for _command in _COMMANDS:
    app.command()(_command)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"unmixel {__version__}")
        raise typer.Exit()
    return wanted


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which materials are in every pixel of an imaging-spectroscopy scene, and how sure that is."""


def run() -> None:
    """Run the program."""
    app(prog_name="unmixel")
