"""`unmixel explore`: a result in the browser, pixel by pixel."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from unmixel.cli.options import Threads, limit_threads


def explore(
    result: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder that `unmixel unmix` wrote.", show_default=False)
    ],
    scene: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The scene, if it is not where it was unmixed.")
    ] = None,
    other: Annotated[
        Path | None, typer.Option("--with", metavar="OTHER", help="Another result on the same pixels, to compare.")
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port. [default: a free one]")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the link.")] = False,
    threads: Threads = None,
) -> None:
    """Explore a result in the browser: point at a pixel and see why it is what it is.

    The page is served on this machine only, and the link that opens it works once. Ctrl-C ends it.
    """
    limit_threads(threads)
    logging.basicConfig(handlers=[_one_line_each()], force=True)
    import webbrowser
    from threading import Thread

    from unmixel.cli.screen import screen
    from unmixel.explorer.exploration import Exploration
    from unmixel.explorer.server import serve

    def ready(link: str) -> None:
        screen().print(f"exploring {result}; this link works once, Ctrl-C ends it:\n{link}", soft_wrap=True)
        if not no_browser:  # in a thread: a browser in the terminal returns when it is left
            Thread(target=webbrowser.open, args=(link,), daemon=True).start()

    try:
        serve(Exploration(result, scene, other), port=port, ready=ready)
    except KeyboardInterrupt:
        screen().print("\nended")


class _OneLine(logging.Formatter):
    """What the server warns of, in a line, with its cause instead of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        said = record.getMessage().partition("\n")[0]
        cause = record.exc_info[1] if record.exc_info else None
        return f"unmixel: {said}" + (f" ({cause})" if cause else "")


def _one_line_each() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_OneLine())
    return handler
