"""The application that a config is for: which deployments it has, and what each takes as its user_config."""

from collections.abc import Mapping
from functools import cache

import msgspec
from ray.serve._private.build_app import build_app  # as Serve's own build task; the public way starts a cluster

from deployments import tts, whisper
from serve_app import app, gateway

IMPORT_PATH = "serve_app.app:build"
GATEWAY, WHISPER = "Gateway", "LocalWhisper"

USER_CONFIGS: Mapping[str, type[msgspec.Struct]] = {
    GATEWAY: gateway.Limits,
    WHISPER: whisper.Batching,
    "TtsProxy": tts.Limits,
}
"""Of the deployments that have a `reconfigure`."""


@cache
def deployment_names() -> frozenset[str]:
    built = build_app(app.build(app.Arguments()), name="checked")
    return frozenset(deployment.name for deployment in built.deployments)
