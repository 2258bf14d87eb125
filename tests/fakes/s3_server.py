"""An S3 bucket on a loopback port: objects by PUT, GET and DELETE, lists by pages, for who signs with its key.

It speaks what clients of object stores send: path-style addresses, list-type=2 with continuation tokens, deletion of
many at once, and AWS Signature Version 4 in the Authorization header, which it checks.
"""

import hashlib
import hmac
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

BUCKET = "calls"
KEY_ID, SECRET, REGION = "key_1", "hush", "sa-east-1"
PAGE = 3  # keys; S3 has 1000

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), ?SignedHeaders=(?P<headers>[^,]+), ?"
    r"Signature=(?P<signature>\w+)"
)


class FakeS3:
    """A context manager that serves while it is open. `environment` is what its clients find it by."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.away = False  # 503 to all
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.environment = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
        }

    def __enter__(self) -> "FakeS3":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def page(self, query: dict[str, str]) -> str:
        """ListObjectsV2."""
        keys = sorted(key for key in self.objects if key.startswith(query.get("prefix", "")))
        rest = [key for key in keys if key > query.get("continuation-token", "")]
        found, more = rest[:PAGE], len(rest) > PAGE
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size><ETag>{_etag(self.objects[key])}"
            "</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in found
        )
        token = f"<NextContinuationToken>{escape(found[-1])}</NextContinuationToken>" if more else ""
        return f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}"

    def delete(self, request: bytes) -> str:
        """DeleteObjects. What is not there is deleted too."""
        keys = [key.text or "" for key in ElementTree.fromstring(request).iter() if key.tag.endswith("Key")]
        for key in keys:
            self.objects.pop(key, None)
        return "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _handler(s3: FakeS3) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"s3": s3})


class _Handler(BaseHTTPRequestHandler):
    s3: FakeS3
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        """Any request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        address = urlsplit(self.path)
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        if self.s3.away:
            self._fail(503, "SlowDown")
        elif not self._signed(body):
            self._fail(403, "SignatureDoesNotMatch")
        elif bucket != BUCKET:
            self._fail(404, "NoSuchBucket")
        elif key:
            self._object(key, body)
        elif self.command == "POST" and "delete" in query:
            self._xml(200, "DeleteResult", self.s3.delete(body))
        elif self.command == "GET" and query.get("list-type") == "2":
            self._xml(200, "ListBucketResult", self.s3.page(query))
        else:
            self._fail(501, "NotImplemented")

    do_GET = do_PUT = do_DELETE = do_POST = handle_one  # noqa: N815 - named by the library

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""

    def _object(self, key: str, body: bytes) -> None:
        if self.command == "PUT":
            self.s3.objects[key] = body
            self._answer(200, b"", {"ETag": _etag(body)})
        elif self.command == "DELETE":
            self.s3.objects.pop(key, None)
            self._answer(204, b"")
        elif key not in self.s3.objects:
            self._fail(404, "NoSuchKey")
        else:
            data = self.s3.objects[key]
            headers = {"ETag": _etag(data), "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
            self._answer(200, data, headers)

    def _signed(self, body: bytes) -> bool:
        """Signature Version 4, recomputed (AWS: "Create a signed AWS API request")."""
        if not (sent := _AUTHORIZATION.fullmatch(self.headers.get("Authorization", ""))) or sent["key"] != KEY_ID:
            return False
        address = urlsplit(self.path)
        query = sorted(parse_qsl(address.query, keep_blank_values=True))
        names = sent["headers"].split(";")
        digest = self.headers["x-amz-content-sha256"]
        request = [
            self.command,
            address.path,
            "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in query),
            *(f"{name}:{' '.join(self.headers[name].split())}" for name in names),
            "",
            sent["headers"],
            digest,
        ]
        hashed = hashlib.sha256("\n".join(request).encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], sent["scope"], hashed])
        key = b"AWS4" + SECRET.encode()
        for part in [*sent["scope"].split("/"), text]:
            key = hmac.digest(key, part.encode(), "sha256")
        whole = digest in (hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD")
        return whole and hmac.compare_digest(key.hex(), sent["signature"])

    def _fail(self, status: int, code: str) -> None:
        self._xml(status, "Error", f"<Code>{code}</Code><Message>{code}</Message>")

    def _xml(self, status: int, root: str, content: str) -> None:
        namespace = "" if root == "Error" else f' xmlns="{_NAMESPACE}"'
        text = f'<?xml version="1.0" encoding="UTF-8"?><{root}{namespace}>{content}</{root}>'
        self._answer(status, text.encode(), {"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
