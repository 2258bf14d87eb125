"""ElevenLabs' own client, of routes of ours that are served on a loopback port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from elevenlabs.client import ElevenLabs
from starlette.applications import Starlette


@contextmanager
def client_of(app: Starlette, api_key: str = "unused") -> Iterator[ElevenLabs]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="none"))
    socket = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    try:
        with httpx.Client() as http:  # the SDK never closes one of its own
            yield ElevenLabs(base_url=url, api_key=api_key, httpx_client=http)
    finally:
        server.should_exit = True
        thread.join()
        socket.close()
