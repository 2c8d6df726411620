"""The web server of what people answer: a static folder, and the addresses that take answers and tell how many came.

The server lists its files when it starts. A request's path is only compared with that list and never reaches the disk.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from anomend.surveying.desks import Desk
from anomend.surveying.submissions import AlreadyStored, SubmissionError

SECONDS_FOR_A_BODY = 30
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
KEPT = HEADERS | {"Cache-Control": "private, max-age=31536000, immutable"}
"""For images, whose names are digests of what they show: a browser fetches each once."""


def make_app(site: Path, desk: Desk) -> Starlette:
    """The application.

    Args:
        site: the static folder.
        desk: takes what people send.

    Raises:
        ValueError: the folder holds no site, or that of another key.
    """
    files = {"/" + path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*")) if path.is_file()}
    plans = {Path(name).stem for name in files if name.startswith("/plans/")}
    if "/index.html" not in files or plans != set(desk.codes):
        raise ValueError(f"{site} does not hold the {desk.stage} of this key: run `dvc repro {desk.stage}`")
    files["/"] = files["/index.html"]

    async def serve(request: Request) -> Response:
        path = files.get(request.url.path)
        if path is None or not path.is_file():
            return _problem(404, "there is nothing here")
        reply = FileResponse(path, headers=KEPT if request.url.path.startswith("/images/") else HEADERS)
        # The time at which a file was written could tell which images were made together.
        reply.headers["Last-Modified"] = "Thu, 01 Jan 1970 00:00:00 GMT"
        return reply

    async def receive(request: Request) -> Response:
        # A page of another site cannot send this type without a preflight request, which is not answered.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return _problem(415, "the answers must be application/json")
        try:
            body = await asyncio.wait_for(_read(request, desk.limit), SECONDS_FOR_A_BODY)
            if body is None:
                return _problem(413, f"the answers are larger than {desk.limit} bytes")
            await run_in_threadpool(lambda: desk.take(body))
        except TimeoutError:
            return _problem(408, "the answers took too long to arrive")
        except AlreadyStored as error:
            return _problem(409, str(error))
        except SubmissionError as error:
            return _problem(422, str(error))
        except ClientDisconnect:
            return _problem(400, "the answers did not arrive whole")
        return JSONResponse({"stored": True}, 201, HEADERS)

    async def answered(request: Request) -> Response:
        code = request.path_params["code"]
        if code not in desk.codes:
            return _problem(404, "there is nothing here")
        return JSONResponse({"answered": await run_in_threadpool(lambda: desk.answered(code))}, 200, HEADERS)

    return Starlette(
        routes=[
            Route("/results", receive, methods=["POST"]),
            Route("/answered/{code}", answered, methods=["GET"]),
            Route("/{path:path}", serve, methods=["GET"]),
        ]
    )


async def _read(request: Request, limit: int) -> bytes | None:
    """The body, or None as soon as it is longer than the limit, whatever length the client declared."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _problem(status: int, message: str) -> Response:
    # Closing: if the answer comes before the whole body was read, the rest must not be read as another request.
    return JSONResponse({"error": message}, status, HEADERS | {"Connection": "close"})
