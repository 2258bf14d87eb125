"""A Hugging Face hub on a loopback port: the models it was given, as huggingface_hub asks for them, and its faults.

It speaks what the library needs to download: a model's list of files with sizes and hashes, and each file by HEAD
(commit, hash, length) and by GET, whole or from a byte on. Large files are kept as LFS does, under their SHA-256.
"""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec

LFS_FROM = 1_000_000  # bytes; the hub's rules are finer

Json = dict[str, Any]


class Fault(Enum):
    """What the next requests meet, until `fault` is None again."""

    NOT_FOUND = auto()  # 401 as for a model that is not there, to who has no token
    GATED = auto()  # 403: terms are to be accepted
    BAD_TOKEN = auto()  # 401
    SERVER_ERROR = auto()  # 500
    NOT_A_HUB = auto()  # 200 and a page, as a hotel's network answers
    STALL = auto()  # not a byte
    STALL_MIDWAY = auto()  # half of a large file, then nothing, until `go_on` is set
    CUT_ONCE = auto()  # half of a large file, then the connection closes; after that all is well
    DAMAGED = auto()  # a large file with some wrong bytes


class Received(msgspec.Struct, frozen=True):
    """One request. `start`: the byte from which on a file is asked for."""

    method: str
    path: str
    authorization: str | None
    start: int


class FakeHub:
    """A context manager that serves while it is open; `url` is what HF_ENDPOINT takes.

    `models`: repository -> file name -> content.
    """

    def __init__(self, models: Mapping[str, Mapping[str, bytes]]) -> None:
        self.models = models
        self.fault: Fault | None = None
        self.received: list[Received] = []
        self.half_sent = threading.Event()  # half of a large file is under way
        self.go_on = threading.Event()  # what stalls goes on
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def commit(self, repository: str) -> str:
        """It changes with the content."""
        digest = hashlib.sha1(repository.encode(), usedforsecurity=False)
        for name, content in sorted(self.models[repository].items()):
            digest.update(name.encode() + content)
        return digest.hexdigest()

    def __enter__(self) -> "FakeHub":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    return cast(type[BaseHTTPRequestHandler], type("Handler", (_Handler,), {"hub": hub}))


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        first = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "bytes=0-")
        start = int(first[1]) if first else 0
        self.hub.received.append(Received(self.command, path, self.headers.get("Authorization"), start))
        if self._refuse():
            return
        if listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
            self._list(listing[1])
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._give(file[1], file[2], start)
        else:
            self._error(404, "EntryNotFound", "not a path of this hub")

    def _refuse(self) -> bool:
        match self.hub.fault:
            case Fault.NOT_FOUND:
                self._error(401, "RepoNotFound", "Repository not found")
            case Fault.GATED:
                self._error(403, "GatedRepo", "Access to this model is restricted")
            case Fault.BAD_TOKEN:
                self._error(401, "", "Invalid credentials in Authorization header")
            case Fault.SERVER_ERROR:
                self._error(500, "", "Internal Error")
            case Fault.NOT_A_HUB:
                self._send(200, {"Content-Type": "text/html"}, b"<html>Welcome to our hotel</html>")
            case Fault.STALL:
                self.hub.go_on.wait()
                self.close_connection = True
            case _:
                return False
        return True

    def _list(self, repository: str) -> None:
        files = self.hub.models.get(repository)
        if files is None:
            self._error(401, "RepoNotFound", "Repository not found")
            return
        listing = [{"rfilename": name, "size": len(content), **_hashes(content)} for name, content in files.items()]
        body = {"id": repository, "modelId": repository, "sha": self.hub.commit(repository), "siblings": listing}
        self._send(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _give(self, repository: str, name: str, start: int) -> None:
        content = self.hub.models.get(repository, {}).get(name)
        if content is None:
            self._error(404, "EntryNotFound", "no such file")
            return
        headers = {
            "X-Repo-Commit": self.hub.commit(repository),
            "ETag": f'"{_etag(content)}"',
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, headers, content[start:], large=len(content) >= LFS_FROM)

    def _error(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Message": message, "Content-Type": "application/json"}
        self._send(status, headers | ({"X-Error-Code": code} if code else {}), json.dumps({"error": message}).encode())

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, *, large: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self._write(body, self.hub.fault if large else None)
        except OSError:  # the client has gone
            self.close_connection = True

    def _write(self, body: bytes, fault: Fault | None) -> None:
        half = len(body) // 2
        if fault is Fault.DAMAGED:
            body = body[:half] + bytes(8) + body[half + 8 :]
        if fault not in (Fault.STALL_MIDWAY, Fault.CUT_ONCE):
            self.wfile.write(body)
            return
        self.wfile.write(body[:half])
        self.hub.half_sent.set()
        if fault is Fault.STALL_MIDWAY:
            self.hub.go_on.wait()
            self.wfile.write(body[half:])
        else:
            self.hub.fault = None
            self.close_connection = True


def _hashes(content: bytes) -> Json:
    """A file's git hash, and what the hub says of one that it keeps by LFS."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if len(content) < LFS_FROM:
        return {"blobId": blob}
    sha256 = hashlib.sha256(content).hexdigest()
    return {"blobId": blob, "lfs": {"sha256": sha256, "size": len(content), "pointerSize": 134}}


def _etag(content: bytes) -> str:
    hashes = _hashes(content)
    return str(hashes["lfs"]["sha256"] if "lfs" in hashes else hashes["blobId"])
