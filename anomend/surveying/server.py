"""The web server of what people answer: a static folder, and the addresses that take answers and tell how many came.

The server lists its files when it starts. A request's path is only compared with that list and never reaches the disk.
Nothing of a request is ever logged: an address may hold a platform's id of a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from anomend.surveying.desks import Desk
from anomend.surveying.entrance import EntryRequest
from anomend.surveying.submissions import SIZE_LIMIT, AlreadyStored, SubmissionError, parse
from anomend.surveying.survey_desk import SurveyDesk, end_parts

SECONDS_FOR_A_BODY = 30
SHORT = 8
"""Letters and digits of a code that are enough to find it."""
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
    files = _files(site, desk)

    async def serve(request: Request) -> Response:
        name = request.url.path
        path = files.get(name)
        if path is None and (alias := _alias(name, desk, files)):
            return Response(await run_in_threadpool(alias), 200, HEADERS, "text/javascript")
        if path is None or not path.is_file():
            return _problem(404, "there is nothing here")
        reply = FileResponse(path, headers=KEPT if name.startswith("/images/") else HEADERS)
        # The time at which a file was written could tell which images were made together.
        reply.headers["Last-Modified"] = "Thu, 01 Jan 1970 00:00:00 GMT"
        return reply

    async def receive(request: Request) -> Response:
        return await _taken(request, 201, lambda body: {"stored": True, **desk.standing(desk.take(body))})

    async def withdraw(request: Request) -> Response:
        def withdrawn(body: bytes) -> dict[str, Any]:
            desk.withdraw(body)
            return {"withdrawn": True}

        return await _taken(request, 200, withdrawn)

    async def answered(request: Request) -> Response:
        code = request.path_params["code"]
        if desk.asked(code) is None:
            return _problem(404, "there is nothing here")
        return JSONResponse(await run_in_threadpool(lambda: desk.standing(code)), 200, HEADERS)

    async def whole_code(request: Request) -> Response:
        found = [code for code in _all_codes(desk) if code.startswith(request.path_params["short"])]
        if len(request.path_params["short"]) != SHORT or len(found) != 1:
            return _problem(404, "there is nothing here")
        return JSONResponse({"code": found[0]}, 200, HEADERS)

    return Starlette(
        routes=[
            Route("/results", receive, methods=["POST"]),
            Route("/withdraw", withdraw, methods=["POST"]),
            Route("/answered/{code}", answered, methods=["GET"]),
            Route("/code/{short}", whole_code, methods=["GET"]),
            *(_entry_routes(desk) if isinstance(desk, SurveyDesk) else []),
            Route("/{path:path}", serve, methods=["GET"]),
        ]
    )


def _files(site: Path, desk: Desk) -> dict[str, Path]:
    files = {"/" + path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*")) if path.is_file()}
    plans = {Path(name).stem for name in files if name.startswith("/plans/")}
    if "/index.html" not in files or plans != set(desk.codes):
        raise ValueError(f"{site} does not hold the {desk.stage} of this key: run `dvc repro {desk.stage}`")
    return files | {"/": files["/index.html"]}


def _alias(name: str, desk: Desk, files: dict[str, Path]) -> Callable[[], str] | None:
    """The plan of somebody who sees the plan of another code."""
    code = name.removeprefix("/plans/").removesuffix(".js")
    plan = desk.plan_of(code)
    if name != f"/plans/{code}.js" or plan == code:
        return None
    # A code is in its plan once, between quotation marks.
    return lambda: files[f"/plans/{plan}.js"].read_text(encoding="utf-8").replace(f'"{plan}"', f'"{code}"')


def _all_codes(desk: Desk) -> list[str]:
    came = desk.entrance.codes if isinstance(desk, SurveyDesk) and desk.entrance else []
    return [*desk.codes, *came]


def _entry_routes(desk: SurveyDesk) -> list[Route]:
    entrance, recruiting = desk.entrance, desk.recruiting
    if entrance is None or recruiting is None:
        return []

    def admit(body: bytes) -> dict[str, Any]:
        admission = entrance.enter(parse(body, EntryRequest).ids)
        end = end_parts(recruiting.full) if admission.state == "full" else None
        return {"state": admission.state, "code": admission.code, "end": end}

    async def names(request: Request) -> Response:
        content = {"names": entrance.names, "screened_out": end_parts(recruiting.screened_out)}
        return JSONResponse(content, 200, HEADERS)

    async def enter(request: Request) -> Response:
        return await _taken(request, 200, admit)

    return [Route("/entry", names, methods=["GET"]), Route("/entry", enter, methods=["POST"])]


async def _taken(request: Request, status: int, act: Callable[[bytes], dict[str, Any]]) -> Response:
    """What comes of a body of JSON: what `act` returns, or why it is refused."""
    # A page of another site cannot send this type without a preflight request, which is not answered.
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return _problem(415, "the answers must be application/json")
    try:
        body = await asyncio.wait_for(_read(request, SIZE_LIMIT), SECONDS_FOR_A_BODY)
        if body is None:
            return _problem(413, f"the answers are larger than {SIZE_LIMIT} bytes")
        content = await run_in_threadpool(lambda: act(body))
    except TimeoutError:
        return _problem(408, "the answers took too long to arrive")
    except AlreadyStored as error:
        return _problem(409, str(error))
    except SubmissionError as error:
        return _problem(422, str(error))
    except ClientDisconnect:
        return _problem(400, "the answers did not arrive whole")
    return JSONResponse(content, status, HEADERS)


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
