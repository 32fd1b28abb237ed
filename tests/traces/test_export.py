"""OTLP against a real HTTP receiver that decodes what it gets, and against none at all."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from traces import export, names
from traces.reader import read_run
from traces.verify import verify


class Receiver:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.spans: list[Span] = []
        self.services: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, path: str, body: bytes) -> None:
        self.paths.append(path)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.services |= {
                a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def _value(span: Span, key: str) -> object:
    (found,) = [a.value for a in span.attributes if a.key == key]
    return getattr(found, found.WhichOneof("value"))


def test_an_endpoint_receives_the_tree_with_its_causes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, make_run: Callable[[Path], Path]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    run = read_run(make_run(tmp_path / "run"))
    assert set(receiver.paths) == {"/v1/traces"}
    assert receiver.services == {"tandem"}
    sent = {span.name: span for span in receiver.spans}
    recorded = {span.name: span for _, span in run.walk()}
    assert set(sent) == set(recorded)
    for name, span in sent.items():
        assert span.trace_id.hex() == run.trace_id
        assert span.span_id.hex() == recorded[name].ref.span_id
        assert span.parent_span_id.hex() == (recorded[name].parent_id or "")
        assert (span.start_time_unix_nano, span.end_time_unix_nano) == (
            recorded[name].start_ns,
            recorded[name].end_ns,
        )
    (link,) = sent["chunk 1"].links
    assert link.span_id == sent["tandem.perceive"].span_id
    assert link.attributes[0].value.string_value == "observed"
    assert _value(sent["chunk 1"], names.CHUNK_REF) == recorded["chunk 1"].attributes[names.CHUNK_REF]
    assert [event.name for event in sent["chunk 0"].events] == [names.GUARD_EVENT]
    assert _value(sent["invoke_workflow command"], names.OPERATION) == "invoke_workflow"
    assert run.close_attributes == {names.EXPORT_SENT: 4, names.EXPORT_FAILED: 0}


RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import record_small_run
record_small_run(Path(sys.argv[1]))
"""


def test_a_dead_endpoint_neither_breaks_the_run_nor_talks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://127.0.0.1:{port}/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "run"), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    report = verify(tmp_path / "run")
    assert report.ok
    assert [finding.code for finding in report.findings] == ["EXPORT_FAILED"]


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")]
)
def test_export_can_be_switched_off(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    receiver: Receiver,
    make_run: Callable[[Path], Path],
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv(variable, value)
    assert verify(make_run(tmp_path / "run")).findings == ()
    assert receiver.paths == []


def test_an_endpoint_that_never_answers_does_not_hold_up_the_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_run: Callable[[Path], Path]
) -> None:
    monkeypatch.setattr(export, "CLOSE_S", 0.2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        report = verify(make_run(tmp_path / "run"))
    assert report.ok
    assert [finding.code for finding in report.findings] == ["EXPORT_FAILED"]
