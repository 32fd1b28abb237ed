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
from agent.planner.replies import SAMPLES, asked_for
from traces import names
from traces.run import Run

OPENAI = ("openai", "openai+camera")
MAX_REQUEST_BYTES = 1 << 22


Answers = dict[str, tuple[str, str, float | None]]


def recorded_answers(run: Run) -> Answers:
    """Reply, finish reason and log-probability by the sha256 of what was asked, as it is on record."""
    answers = {}
    for span in run.named(names.CHAT):
        facts = span.attributes
        if names.CHAT_INPUT_REF in facts and names.CHAT_OUTPUT_REF in facts:
            reply = run.blobs.get(facts[names.CHAT_OUTPUT_REF]).decode("utf-8", "replace")
            finish = facts.get(names.RESPONSE_FINISH) or ["stop"]
            if finish[0] == REJECTED:
                continue
            told = (reply, str(finish[0]), facts.get(names.CHAT_LOG_PROBABILITY))
            answers[str(facts[names.CHAT_INPUT_REF])] = told
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


def _answer(request: bytes, answers: Answers) -> tuple[int, bytes]:
    """The recorded reply to a request, or 404: not one that this planner asks again after."""
    try:
        asked = json.loads(request)
        messages, wanted = asked["messages"], min(int(asked.get("n", 1)), SAMPLES)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return 400, b'{"error": "no chat completion request"}'
    requests = [asked_for(messages, asked, number) for number in range(wanted)]
    found = [told for r in requests if (told := answers.get(hashlib.sha256(r.encode()).hexdigest()))]
    if not found:
        return 404, b'{"error": "this was not asked when the run was recorded"}'
    choices = [_choice(number, *told) for number, told in enumerate(found)]
    return 200, json.dumps({"object": "chat.completion", "choices": choices}).encode()


def _choice(index: int, reply: str, finish: str, log_probability: float | None) -> dict[str, object]:
    message = {"role": "assistant", "content": reply}
    # As one token: of the whole text no more is on record.
    told = {"content": [{"token": reply, "logprob": log_probability}]}
    logprobs = None if log_probability is None else told
    return {"index": index, "message": message, "finish_reason": finish, "logprobs": logprobs}
