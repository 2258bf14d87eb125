"""Ray and Serve on this machine for one run: started, asked how they are, stopped.

Import it only once the flags of configs/ray.env are in the environment: Ray and Serve read them while imported.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import dropwhile
from pathlib import Path

import ray
from ray import serve
from ray.serve._private.api import serve_start  # as `serve run` does it; public serve.start takes no whole config
from ray.serve._private.client import ServeControllerClient
from ray.serve.schema import ServeDeploySchema

from serve_app.errors import HelloError
from serve_app.serve_config.check import checked
from serve_app.serve_config.serve_schema import taken_by_serve

OBJECT_STORE_BYTES = 128 * 1024 * 1024  # frames travel over gRPC; by default Ray takes a third of the memory
SHUTDOWN_S = 10.0  # replicas get their graceful_shutdown_timeout_s within this


def read_config(path: Path, port: int) -> ServeDeploySchema:
    """The Serve config at `path`, with its HTTP port replaced.

    Raises ConfigurationError for a missing or malformed file, and for all that `serve_app.serve_config.check` refuses.
    """
    config = taken_by_serve(checked(path).plain)
    config.http_options.port = port
    return config


class ClusterError(HelloError):
    """Ray or Serve failed, or does not answer. The message is theirs, in short."""


def in_short(message: str) -> str:
    """A message of Ray's without the frames of the tracebacks in it: what stands after the last one."""
    lines = message.strip().splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith("  File ")]
    if frames:
        lines = [*dropwhile(lambda line: line.startswith(" "), lines[frames[-1] :])]
    return "\n".join(lines)


@contextmanager
def told_in_short() -> Iterator[None]:
    """Turns any error into ClusterError: on a machine too busy Ray raises Exception itself."""
    try:
        yield
    except Exception as e:
        raise ClusterError(in_short(str(e)) or type(e).__name__) from e


class LocalCluster:
    """One Ray node with one Serve application. Every method raises ClusterError."""

    def __init__(self, config: ServeDeploySchema) -> None:
        self._config = config
        self._client: ServeControllerClient | None = None

    @told_in_short()
    def start_ray(self, folder: Path, dashboard_port: int | None) -> None:
        """Start Ray's daemons.

        `folder` is theirs; its path is short, since sockets are made in it. Without a port there is no dashboard.
        """
        ray.init(
            address="local",
            include_dashboard=dashboard_port is not None,
            dashboard_host="127.0.0.1",
            dashboard_port=dashboard_port,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder),
        )

    @told_in_short()
    def start_serve(self) -> None:
        """Start Serve's controller and proxies, HAProxy among them, and hand it the application."""
        self._client = serve_start(
            http_options=self._config.http_options.model_dump(),
            proxy_location=self._config.proxy_location,
            global_logging_config=self._config.logging_config,
        )
        self._client.deploy_apps(self._config)

    @told_in_short()
    def application(self) -> tuple[str, dict[str, str]]:
        """Its state by Serve's names (NOT_STARTED when there is none), and what Serve has to say of unhealthy parts."""
        name = self._config.applications[0].name
        application = serve.status().applications.get(name)
        if application is None:
            return "NOT_STARTED", {}
        complaints = {
            part: in_short(deployment.message) or deployment.status.value
            for part, deployment in application.deployments.items()
            if deployment.status != "HEALTHY"
        }
        return application.status.value, complaints or {name: in_short(application.message)}

    @told_in_short()
    def stop(self) -> None:
        """Stop Serve, then Ray; either may not have started. HAProxy goes first, and open sockets with it."""
        client, self._client = self._client, None
        if client is not None:
            client.shutdown(timeout_s=SHUTDOWN_S)
        ray.shutdown()
