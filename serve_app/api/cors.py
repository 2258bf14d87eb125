"""Which web pages may use the REST API. WebSockets know no CORS: an agent's allowlist is for them."""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware


def cors(origins: Sequence[str]) -> Middleware:
    """`origins`: "https://app.example.com", or "*" for all. Nothing here goes by cookies, so a page can do no more than
    any other program: any header and method will do."""
    return Middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
