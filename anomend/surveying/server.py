"""The web server of a survey: its static folder, and one address that takes answers.

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

from anomend.surveying.key import SurveyKey
from anomend.surveying.submissions import AlreadyStored, SubmissionError, parse_submission, size_limit, store_submission

SECONDS_FOR_A_BODY = 30
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_app(site: Path, key: SurveyKey, results: Path) -> Starlette:
    """The application.

    Args:
        site: the survey's static folder.
        key: its key.
        results: folder for the answers, one CSV file per participant.

    Raises:
        ValueError: the folder holds no survey, or that of another key.
    """
    files = {"/" + path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*")) if path.is_file()}
    plans = {Path(name).stem for name in files if name.startswith("/plans/")}
    if "/index.html" not in files or plans != set(key.participants):
        raise ValueError(f"{site} does not hold the survey of this key: run `dvc repro survey`")
    files["/"] = files["/index.html"]
    limit = size_limit(key)

    async def serve(request: Request) -> Response:
        path = files.get(request.url.path)
        if path is None or not path.is_file():
            return _problem(404, "there is nothing here")
        return FileResponse(path, headers=HEADERS)

    async def receive(request: Request) -> Response:
        # A page of another site cannot send this type without a preflight request, which is not answered.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return _problem(415, "the answers must be application/json")
        try:
            body = await asyncio.wait_for(_read(request, limit), SECONDS_FOR_A_BODY)
            if body is None:
                return _problem(413, f"the answers are larger than {limit} bytes")
            await run_in_threadpool(lambda: store_submission(parse_submission(body, key), key, results))
        except TimeoutError:
            return _problem(408, "the answers took too long to arrive")
        except AlreadyStored as error:
            return _problem(409, str(error))
        except SubmissionError as error:
            return _problem(422, str(error))
        except ClientDisconnect:
            return _problem(400, "the answers did not arrive whole")
        return JSONResponse({"stored": True}, 201, HEADERS)

    return Starlette(
        routes=[
            Route("/results", receive, methods=["POST"]),
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
