"""Other processes are told which span asks them: the language model's server, and the body."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from agent.chat_record import record_chats
from agent.planner.protocol import Chat
from agent.planner.transport import post
from traces import names
from traces.reader import read_run
from traces.recorder import Recorder
from traces.verify import verify


def test_the_servers_request_carries_the_open_spans_context(tmp_path: Path) -> None:
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.headers.get("traceparent"))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url, ends = f"http://127.0.0.1:{server.server_port}/v1", time.monotonic() + 20
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.PLAN) as span:
        post(url, {}, "", ends)
    post(url, {}, "", ends)
    server.shutdown()
    server.server_close()
    thread.join()
    assert seen == [f"00-{span.ref.trace_id}-{span.ref.span_id}-01", None]


def test_work_of_another_process_stands_under_the_span_that_asked(tmp_path: Path) -> None:
    with Recorder.open(tmp_path, {}) as recorder, recorder.span("chunk 0") as span:
        parent = f"00-{span.ref.trace_id}-{span.ref.span_id}-01"
        now = time.monotonic_ns()
        recorder.adopt(names.BODY_EXECUTE, parent, now, now + 5_000_000)
        for strange in ("", "nonsense", "00-" + "1" * 32 + "-" + "1" * 16 + "-01"):
            recorder.adopt(names.BODY_EXECUTE, strange, now, now)
    (root,) = read_run(tmp_path).roots
    (work,) = root.children
    assert work.name == "tandem.body.execute"
    assert work.duration_s == 0.005
    assert root.start_ns <= work.start_ns
    assert verify(tmp_path).ok


def test_every_exchange_with_a_model_lasts_as_long_as_it_did(tmp_path: Path) -> None:
    chats = [
        Chat("openai", "big", "say it", text, "stop", took_s) for text, took_s in (("no", 0.2), ("yes", 0.1))
    ]
    with Recorder.open(tmp_path, {}) as recorder, recorder.span(names.PLAN):
        ended_ns = time.monotonic_ns()
        record_chats(recorder, chats, ended_ns - 400_000_000, ended_ns)
        # A reply that was kept from an earlier time did not take longer than the whole.
        record_chats(recorder, chats[:1], ended_ns - 50_000_000, ended_ns)
    run = read_run(tmp_path)
    first, second, kept = run.roots[0].children
    assert [span.name for span in (first, second, kept)] == ["chat big"] * 3
    assert [span.duration_s for span in (first, second, kept)] == [0.2, 0.1, 0.05]
    assert first.end_ns == second.start_ns
    assert second.end_ns == kept.end_ns
    assert run.blobs.get(second.attributes[names.CHAT_OUTPUT_REF]) == b"yes"
    assert verify(tmp_path).ok
