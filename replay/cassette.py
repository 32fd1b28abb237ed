"""Recorded answers of a language model, served again on this machine as the endpoint that gave them.

The planner is the real one with its real transport; only the address is another. An answer is found by the
hash of the messages that ask for it. A question that was never asked gets no answer, so that today's planner
asking differently is a divergence and not a guess.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from agent.planner.protocol import REJECTED
from traces import names
from traces.run import Run

OPENAI = ("openai", "openai+camera")
MAX_REQUEST_BYTES = 1 << 22


def recorded_answers(run: Run) -> dict[str, tuple[str, str]]:
    """Reply and finish reason by the sha256 of the request's messages, as they stand in the record."""
    answers = {}
    for span in run.named(names.CHAT):
        facts = span.attributes
        if names.CHAT_INPUT_REF in facts and names.CHAT_OUTPUT_REF in facts:
            reply = run.blobs.get(facts[names.CHAT_OUTPUT_REF]).decode("utf-8", "replace")
            finish = facts.get(names.RESPONSE_FINISH) or ["stop"]
            if finish[0] == REJECTED:
                continue
            answers[str(facts[names.CHAT_INPUT_REF])] = (reply, str(finish[0]))
    return answers


@contextlib.contextmanager
def cassette(run: Run) -> Iterator[Callable[[str], str]]:
    """Serve a run's answers while the context lasts.

    Gives a function that turns a planner's specification into one that asks here: `openai:URL#MODEL`
    becomes `openai:http://127.0.0.1:PORT/v1#MODEL`, others stay what they are.
    """
    answers = recorded_answers(run)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length") or 0), MAX_REQUEST_BYTES)
            status, body = _answer(self.rfile.read(length), answers)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield lambda spec: _address(spec, server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _address(spec: str, port: int) -> str:
    kind, _, address = spec.partition(":")
    if kind not in OPENAI:
        return spec
    return f"{kind}:http://127.0.0.1:{port}/v1#{address.partition('#')[2]}"


def _answer(request: bytes, answers: dict[str, tuple[str, str]]) -> tuple[int, bytes]:
    """The recorded reply to a request, or 404: not one that this planner asks again after."""
    try:
        messages = json.loads(request)["messages"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 400, b'{"error": "no chat completion request"}'
    name = hashlib.sha256(json.dumps(messages).encode()).hexdigest()
    if name not in answers:
        return 404, b'{"error": "this was not asked when the run was recorded"}'
    reply, finish = answers[name]
    choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": finish}
    return 200, json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
