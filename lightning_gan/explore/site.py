"""The page and what it asks for, as an ASGI application."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lightning_gan.errors import InputError
from lightning_gan.explore.explorer import Explorer, Shown
from lightning_gan.explore.gate import Gate
from lightning_gan.explore.parameters import (
    MOST_FRAMES,
    MOST_MAP,
    MOST_SAMPLES,
    SIDES,
    Parameters,
    bounds,
)
from lightning_gan.sampling.turns import in_turns

UPLOAD_BYTES = 8 * 2**20
UPLOAD_S = 30.0
PAGE = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    # Nothing from elsewhere, nothing to elsewhere, and in nobody's frame.
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
Handler = Callable[[Request], Awaitable[Response]]


class Site:
    """The routes of one generator.

    Args:
        explorer: What is looked at.
        about: What the page says of it.
    """

    def __init__(self, explorer: Explorer, about: Mapping[str, Any]) -> None:
        self.explorer = explorer
        self.about = dict(about)
        self.gate = Gate()

    def routes(self) -> list[Route]:
        """Return all routes."""
        asked: dict[str, Handler] = {
            "/api/about": self.tell,
            "/api/samples": self.samples,
            "/api/samples.png": self.grid,
            "/api/point": self.point,
            "/api/map": self.map,
            "/api/way": self.way,
            "/api/way.png": self.strip,
        }
        return [
            *(Route(f"/{name}", _page(*file)) for name, file in PAGE.items()),
            *(Route(path, handler) for path, handler in asked.items()),
            Route("/api/translate", self.translate, methods=["POST"]),
        ]

    async def tell(self, request: Request) -> Response:
        """Answer what there is to look at."""
        Parameters(request.query_params.multi_items(), ())
        explorer = self.explorer
        facts = {
            "classes": explorer.classes,
            "latents": explorer.has_latents,
            "plane": explorer.is_plane,
            "input": explorer.takes_images,
            "side": explorer.side,
            "bounds": {**bounds(), "bytes": UPLOAD_BYTES},
        }
        return JSONResponse({**self.about, **facts})

    async def samples(self, request: Request) -> Response:
        """Answer samples one by one."""
        asked = _asked(request, "seed", "num", "label", "truncation")
        num = asked.whole("num", 16, 1, MOST_SAMPLES)
        seed, psi = asked.seed(), asked.truncation()
        labels = in_turns(asked.turns(self.explorer.classes), num)
        return _listed(await self._run(request, lambda: self.explorer.draw(seed, num, labels, psi)))

    async def grid(self, request: Request) -> Response:
        """Answer samples as one picture to keep."""
        asked = _asked(request, "seed", "num", "label", "truncation")
        num = asked.whole("num", 16, 1, MOST_SAMPLES)
        seed, psi = asked.seed(), asked.truncation()
        turns = asked.turns(self.explorer.classes)
        labels = in_turns(turns, num)
        return _png(
            await self._run(request, lambda: self.explorer.grid(seed, num, labels, turns, psi)),
            f"samples-seed{seed}",
        )

    async def point(self, request: Request) -> Response:
        """Answer the sample at one place of the plane."""
        asked = _asked(request, "x", "y", "seed", "label", "truncation")
        x, y = asked.number("x", 0.5, 0.0, 1.0), asked.number("y", 0.5, 0.0, 1.0)
        rest = (asked.seed(), asked.label(self.explorer.classes), asked.truncation())
        return _png(await self._run(request, lambda: self.explorer.point(x, y, *rest)))

    async def map(self, request: Request) -> Response:
        """Answer a picture of the plane."""
        asked = _asked(request, "size", "seed", "label", "truncation")
        size = asked.whole("size", 8, 2, MOST_MAP)
        rest = (asked.seed(), asked.label(self.explorer.classes), asked.truncation())
        return _png(await self._run(request, lambda: self.explorer.map(size, *rest)), "plane")

    async def way(self, request: Request) -> Response:
        """Answer the samples between two picks."""
        rest = self._way(request)
        return _listed(await self._run(request, lambda: self.explorer.way(*rest)))

    async def strip(self, request: Request) -> Response:
        """Answer the samples between two picks as one picture to keep."""
        rest = self._way(request)
        return _png(await self._run(request, lambda: self.explorer.strip(*rest)), "way")

    async def translate(self, request: Request) -> Response:
        """Answer what becomes of an image, the body of the request."""
        asked = _asked(request, "side", "seed")
        side = asked.whole("side", min(self.explorer.side, SIDES[1]), *SIDES)
        seed = asked.seed()
        if not self.explorer.takes_images:
            raise InputError("this generator takes no images")
        async with self.gate.place(), self.gate.upload():
            content = await _body(request)
            given, made = await self.gate.compute(
                request, lambda: self.explorer.translate(content, side, seed)
            )
        return JSONResponse({"input": _url(given), "output": _url(made)})

    def _way(self, request: Request) -> tuple[Any, ...]:
        asked = _asked(request, "from", "to", "num", "label", "truncation")
        return (
            asked.pick("from"),
            asked.pick("to"),
            asked.whole("num", 10, 2, MOST_FRAMES),
            asked.label(self.explorer.classes),
            asked.truncation(),
        )

    async def _run(self, request: Request, work: Callable[[], Any]) -> Any:
        async with self.gate.place():
            return await self.gate.compute(request, work)


def application(
    explorer: Explorer, about: Mapping[str, Any], hosts: frozenset[str] | None
) -> ASGIApp:
    """Return the application.

    Args:
        explorer: What is looked at.
        about: What the page says of it.
        hosts: Names by which it may be called, so that no other site's name can be pointed here;
            None: any.
    """
    app = Starlette(
        routes=Site(explorer, about).routes(),
        exception_handlers={InputError: _refused, HTTPException: _failed, Exception: _broken},
    )
    return Doorkeeper(app, hosts)


class Doorkeeper:
    """Middleware: refuses what comes by a foreign name or from another site; adds headers.

    What still waits when the page ends is answered with 503.

    Args:
        app: The application.
        hosts: See :func:`application`.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                more = [(name.encode(), text.encode()) for name, text in HEADERS.items()]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reason = self._reason(dict(scope["headers"]))
        if reason is not None:
            await _error(403, reason)(scope, receive, with_headers)
            return
        try:
            await self.app(scope, receive, with_headers)
        except asyncio.CancelledError:  # Ctrl-C, while requests wait
            if not begun:
                await _error(503, "this page ends")(scope, receive, with_headers)

    def _reason(self, headers: Mapping[bytes, bytes]) -> str | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.hosts is not None and _name(host) not in self.hosts:
            return "this page is called by another name than that of this machine"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() != f"http://{host}":
            return "another site may not ask here"
        return None


def _name(host: str) -> str:
    """Return a host without its port.

    Example:
        >>> _name("localhost:8642"), _name("[::1]:8642")
        ('localhost', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _page(name: str, media_type: str) -> Handler:
    content = resources.files(__package__).joinpath(name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer


def _asked(request: Request, *names: str) -> Parameters:
    return Parameters(request.query_params.multi_items(), names)


async def _body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        HTTPException: It is too large or too slow, or whoever sends it has gone.
        InputError: There is none.
    """
    too_large = HTTPException(
        413, f"the image has more than {UPLOAD_BYTES / 2**20:g} MiB, which is the most taken here"
    )
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > UPLOAD_BYTES:
        raise too_large
    found = bytearray()

    async def read() -> None:
        async for piece in request.stream():
            found.extend(piece)
            if len(found) > UPLOAD_BYTES:
                raise too_large

    try:
        await asyncio.wait_for(read(), UPLOAD_S)
    except asyncio.TimeoutError as error:
        raise HTTPException(408, f"the image took more than {UPLOAD_S:g} s to come") from error
    except ClientDisconnect as error:
        raise HTTPException(499, "whoever sent it has gone") from error
    if not found:
        raise InputError("the image is missing: send the content of its file as the body")
    return bytes(found)


def _png(content: bytes, name: str | None = None) -> Response:
    headers = {} if name is None else {"content-disposition": f'inline; filename="{name}.png"'}
    return Response(content, media_type="image/png", headers=headers)


def _listed(shown: list[Shown]) -> Response:
    return JSONResponse(
        {"samples": [{"image": _url(each.png), "label": each.label} for each in shown]}
    )


def _url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    # The rest of a body that is refused is not read: the connection ends with the answer.
    closing = {"connection": "close"} if status in (403, 408, 413) else {}
    return JSONResponse({"error": sentence}, status, {**closing, **(headers or {})})


async def _refused(request: Request, error: Exception) -> Response:
    return _error(400, str(error))


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, error.detail, error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    return _error(500, "this failed; the terminal in which lightning-gan runs says why")
