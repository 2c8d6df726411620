"""A detector with a hole: the checker of drawn people, blind to some kinds of anomaly, behind a local server.

It speaks HADM-Server's form, so the pipeline asks it as any other `endpoint:`.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
from PIL import Image

from anomend.detectors.table import make_detector
from anomend.params.resolved import load_params

PORTS = {"extra_arm": 18_631, "missing_arm": 18_632}
"""By the kind that a detector does not see. Fixed ones: the detector's name, on which results depend, has them."""
MOST_BYTES = 1 << 20


def name_of(port: int) -> str:
    """The detector's name in parameters."""
    return f"endpoint:http://127.0.0.1:{port}#hadm"


def serve_blind_detector(blind_to: Collection[str], port: int) -> ThreadingHTTPServer:
    """Serve until this process ends or the caller shuts it down.

    Args:
        blind_to: kinds of anomaly that are never reported.
        port: 0 for any that is free.

    Raises:
        OSError: the port is taken.
    """
    detector = make_detector("drawn_people", load_params().detectors)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(min(MOST_BYTES, int(self.headers["Content-Length"]))))
            picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(asked["image_base64"]))).convert("RGB"))
            (kinds,) = detector.anomalies([picture])
            boxes = [{"confidence": 1.0, "class_name": kind} for kind in kinds if kind not in blind_to]
            content = json.dumps({"success": True, "local_detections": [], "global_detections": boxes}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Thousands of requests are not printed."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server
