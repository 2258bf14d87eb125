"""Static files from the port of a fake: a page and its server share an origin."""

import mimetypes
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response


def serve_file(web: Path | None, connection: ServerConnection, request: Request) -> Response | None:
    """The answer to a request for / or /web/..., where `web` is a folder; None for all others."""
    path = request.path.partition("?")[0]
    if web is None or not (path == "/" or path.startswith("/web/")):
        return None
    file = web / (path.removeprefix("/web/") if path != "/" else "index.html")
    if not file.is_file():
        return connection.respond(404, "no such file")
    content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    body = file.read_bytes()
    headers = Headers({"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"})
    return Response(200, "OK", headers, body)
