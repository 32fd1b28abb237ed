"""What a person sees of an error: what happened, why, and what to do about it; never a traceback."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from api.text import printable
from traces.errors import TandemError

if TYPE_CHECKING:
    from api.options import RunOptions

FAILED, INTERRUPTED = 1, 130


@contextlib.contextmanager
def told_errors(*, as_json: bool = False, options: RunOptions | None = None) -> Iterator[None]:
    """Show what went wrong, its cause and its fix; never a traceback."""
    try:
        yield
    except TandemError as error:
        _show_error(error, options, as_json=as_json)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        _show_error(error, options, as_json=as_json)
        raise typer.Exit(INTERRUPTED) from error
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except BrokenPipeError as error:
        # Whoever reads, `head` for one, has seen enough. What is buffered must not raise again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from error
    except Exception as error:
        path = (options.folder if options and options.folder.is_dir() else Path.cwd()) / "crash.txt"
        with contextlib.suppress(OSError):
            path.write_text(traceback.format_exc())
        cause = f"{type(error).__name__}: {error}"
        told = TandemError("INTERNAL", cause, fix=f"this is a bug: please report it with {path}")
        _show_error(told, options, as_json=as_json)
        raise typer.Exit(FAILED) from error


def _show_error(error: TandemError | KeyboardInterrupt, options: RunOptions | None, *, as_json: bool) -> None:
    """A block on stderr, or the same fields that a result has on stdout."""
    if as_json:
        from api.assemble import never_begun
        from api.options import RunOptions

        told = never_begun(options or RunOptions(""), error).model_dump(mode="json")
        trace = {"trace": str(options.folder)} if options and options.folder.is_dir() else {}
        sys.stdout.write(json.dumps({**told, **trace}) + "\n")
        return
    console = Console(stderr=True, highlight=False)
    if isinstance(error, KeyboardInterrupt):
        console.print("CANCELLED")
        return
    # As Text: an error quotes what a person typed, and that is never markup.
    console.print(Text.assemble((error.code, "bold red"), " ", printable(error.message)))
    if error.fix:
        console.print(Text(f"fix: {printable(error.fix)}"))
