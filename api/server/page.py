"""The web page: files of the package, and nothing else."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

PAGE = Path(__file__).resolve().parents[1] / "page"


def add_page(app: FastAPI) -> None:
    """Serve the page at `/` and its files under `/assets/`."""

    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    def index() -> Response:
        return HTMLResponse((PAGE / "index.html").read_bytes())

    if (PAGE / "assets").is_dir():
        app.mount("/assets", StaticFiles(directory=PAGE / "assets", follow_symlink=False))
