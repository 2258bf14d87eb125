"""How many sockets each voice keeps open: what a pool's size is told to."""

from serve_app.observability.metrics import gauge


class VoiceSockets:
    def __init__(self) -> None:
        self._gauge = gauge("hello_voice_sockets", "Open sockets to a provider of voices, in use or warm.", "provider")

    def __call__(self, provider: str, sockets: int) -> None:
        self._gauge.set(sockets, tags={"provider": provider})
