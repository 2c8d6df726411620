"""A local HTTP server that speaks the wire formats of the paid APIs, keeps a log of its own, and fails on demand."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

TRANSIENT = ("429", "500", "timeout", "cut", "bad_base64", "truncated_png")
"""Faults that may pass."""
ERRORS = {
    "401": (
        401,
        {"code": "invalid_api_key", "type": "invalid_request_error", "message": "Wrong API key: sk-t*key"},
    ),
    "quota": (429, {"code": "insufficient_quota", "type": "insufficient_quota", "message": "You exceeded your quota."}),
    "429": (429, {"code": "rate_limit_exceeded", "type": "requests", "message": "Rate limit reached."}),
    "500": (500, {"code": None, "type": "server_error", "message": "The server had an error."}),
    "moderation": (400, {"code": "moderation_blocked", "type": "image_generation_user_error", "message": "Rejected."}),
    "unknown_model": (404, {"code": "model_not_found", "type": "invalid_request_error", "message": "No such model."}),
    "invalid_prompt": (
        400,
        {"code": "invalid_prompt", "type": "invalid_request_error", "message": "Your prompt was flagged."},
    ),
    "content_filtering": (
        400,
        {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
    ),
    "invalid_image_file": (
        400,
        {"code": "invalid_image_file", "type": "image_generation_user_error", "message": "The image is not readable."},
    ),
    "unverified": (
        403,
        {
            "code": None,
            "type": "invalid_request_error",
            "message": "Your organization org-a1b2c3d4 must be verified to use the model (key sk-proj-9).",
        },
    ),
    "bad_request": (400, {"code": None, "type": "invalid_request_error", "message": "size is not allowed."}),
}


@dataclass
class Seen:
    """One request as the server saw it."""

    path: str
    identity: str
    """The request, independent of the client: SHA-256 of path and fields."""
    fields: dict[str, Any]
    fault: str | None
    key: str
    at: float = field(default_factory=time.monotonic)
    answered: bool = False
    """A whole and usable answer was written to the socket."""


Answer = Callable[[Seen], dict[str, Any] | str]


class ApiServer(ThreadingHTTPServer):
    """Use `serve`; `seen` is the log."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, fault_of: Callable[[int, Seen], str | None], retry_after: str, timeout_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault_of, self.retry_after, self.timeout_s = fault_of, retry_after, timeout_s
        self.answers: dict[str, Answer] = {"/v1/images/generations": image_answer, "/v1/images/edits": image_answer}
        self.seen: list[Seen] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def note(self, seen: Seen) -> None:
        with self.lock:
            seen.fault = self.fault_of(len(self.seen), seen)
            self.seen.append(seen)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A killed client is not reported as an error."""


def image_answer(seen: Seen) -> dict[str, Any]:
    """What the images API answers: one picture, drawn from the request's identity."""
    png = picture(seen.identity)
    if seen.fault == "truncated_png":
        png = png[: len(png) // 2]
    text = "%%% no base64 %%%" if seen.fault == "bad_base64" else base64.b64encode(png).decode()
    details = {"image_tokens": 1000 if "image" in seen.fields else 0, "text_tokens": 100}
    usage = {"input_tokens": sum(details.values()), "input_tokens_details": details, "output_tokens": 1000}
    return {"created": 1, "data": [{"b64_json": text}], "usage": usage | {"total_tokens": 2100}}


def picture(identity: str) -> bytes:
    """A PNG of 64 x 64 that belongs to an identity."""
    draw = np.random.default_rng(int(identity[:12], 16))
    buffer = io.BytesIO()
    Image.fromarray(draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def do_GET(self) -> None:
        self._respond({})

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        # Less than was announced: the client was killed while it sent.
        if len(body) == length:
            self._respond(self._fields(body))

    def _fields(self, body: bytes) -> dict[str, Any]:
        kind = self.headers.get("content-type", "")
        if not kind.startswith("multipart/"):
            fields: dict[str, Any] = json.loads(body or b"{}")
            return fields
        parsed = email.parser.BytesParser(policy=email.policy.default).parsebytes(
            f"Content-Type: {kind}\r\n\r\n".encode() + body
        )
        fields = {}
        for part in parsed.iter_parts():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            name = str(part.get_param("name", header="content-disposition")).removesuffix("[]")
            binary = (part.get_filename() or "").endswith((".png", ".jpeg", ".webp"))
            fields[name] = hashlib.sha256(content).hexdigest() if binary else content.decode()
        return fields

    def _respond(self, fields: dict[str, Any]) -> None:
        path = self.path.split("?")[0]
        identity = hashlib.sha256(json.dumps([path, fields], sort_keys=True).encode()).hexdigest()
        key = self.headers.get("authorization", "") or self.headers.get("x-api-key", "")
        seen = Seen(path, identity, fields, None, key)
        self.server.note(seen)
        if seen.fault == "timeout":
            time.sleep(self.server.timeout_s)
        if seen.fault in ERRORS:
            status, error = ERRORS[seen.fault]
            self._send(status, {"type": "error", "error": error})
            return
        answer = next((made for prefix, made in self.server.answers.items() if path.startswith(prefix)), None)
        if answer is None:
            self._send(404, {"error": {"message": "no such path", "code": None, "type": "not_found_error"}})
            return
        self._send(200, answer(seen), cut=seen.fault == "cut")
        seen.answered = seen.fault not in TRANSIENT

    def _send(self, status: int, content: dict[str, Any] | str, *, cut: bool = False) -> None:
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-request-id", "req_test")
        self.send_header("request-id", "req_test")
        if status == 429 and self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """The log is `seen`."""


@contextmanager
def serve(
    fault_of: Callable[[int, Seen], str | None] = lambda *_: None, retry_after: str = "", timeout_s: float = 3.0
) -> Iterator[ApiServer]:
    """A running server.

    Args:
        fault_of: (number of the request, request) -> name of a fault, or None.
        retry_after: the header of its 429 answers.
        timeout_s: seconds that a `timeout` takes.
    """
    server = ApiServer(fault_of, retry_after, timeout_s)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
