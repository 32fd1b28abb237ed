"""A browser, the page's files alone, and a real robot that is served."""

import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "api/page"
SIZES = {"laptop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
# A loaded machine without a GPU takes minutes to load the models.
PATIENCE_S = 600
CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="make test-web installs it")
    if CHROMIUM is None:
        pytest.fail("no Chromium on this system: install the package `chromium` of your distribution")
    with sync_api.sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield browser
        browser.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def modules(browser: Any) -> Iterator[Any]:
    """A page that can import the page's modules, with no server behind them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(PAGE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/assets/icon.svg")
    yield page
    page.close()
    server.shutdown()
    server.server_close()


@dataclass
class Served:
    """A robot behind `tandem serve`."""

    address: str
    token: str

    @property
    def link(self) -> str:
        return f"{self.address}/#token={self.token}"

    def get(self, path: str) -> Any:
        answer = httpx.get(self.address + path, headers={"Authorization": f"Bearer {self.token}"}, timeout=60)
        answer.raise_for_status()
        return answer.json()


def free_ports() -> int:
    """A port whose next one is free too: the stop's listener stands there."""
    for port in range(18420, 19420, 2):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    pytest.fail("no free ports")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The scene with two red cups; or the robot whose link is in `TANDEM_LINK`, to write tests by."""
    if link := os.environ.get("TANDEM_LINK"):
        address, token = link.split("/#token=")
        yield Served(address, token)
        return
    home, port = tmp_path_factory.mktemp("serve"), free_ports()
    told = home / "serve.log"
    # The arm waits for thinking, so that the tests pass on machines of any speed.
    words = f"serve --scene two_red_cups --seed 7 --lockstep --port {port} --runs {home}/runs"
    command = [sys.executable, "-m", "api.cli", *words.split()]
    with told.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "TANDEM_STATE": str(home / "state")}
        )
    try:
        until(lambda: (home / "state/token").is_file() and "#token=" in told.read_text(), told.read_text)
        robot = Served(f"http://127.0.0.1:{port}", (home / "state/token").read_text().strip())
        until(lambda: robot.get("/v1/robot")["state"] == "ready", told.read_text)
        yield robot
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(true: Callable[[], Any], why: Callable[[], str], patience_s: float = PATIENCE_S) -> None:
    """Wait for it, or say why not."""
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, why()
        time.sleep(0.3)


@pytest.fixture
def open_page(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Open the page as a person does, from the link; whatever the console complains of fails the test."""
    contexts, complaints = [], []

    def open_it(path: str = "", size: str = "laptop", scheme: str = "light") -> Any:
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, has_touch=size == "phone")
        context.set_default_timeout(PATIENCE_S * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.goto(served.link)
        page.wait_for_selector("#robot-state:not([data-tone=idle])")
        if path:
            page.goto(f"{served.address}/{path}")
        return page

    open_it.complaints = complaints  # type: ignore[attr-defined]
    yield open_it
    for context in contexts:
        context.close()
    # What a test breaks off on purpose the console reports as well.
    assert [c for c in complaints if "net::ERR_FAILED" not in c] == []


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Any, str], None]:
    """Keep a screenshot; in `TANDEM_SHOTS` where that is set, for the documentation."""
    folder = Path(os.environ.get("TANDEM_SHOTS") or tmp_path)

    def take(page: Any, name: str) -> None:
        from PIL import Image

        raw = tmp_path / f"{name}.raw.png"
        page.screenshot(path=raw, animations="disabled")
        with Image.open(raw) as image:
            image.convert("RGB").save(folder / f"{name}.png", optimize=True)
        assert 10_000 < (folder / f"{name}.png").stat().st_size < 300_000

    return take
