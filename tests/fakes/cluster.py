"""A cluster that starts no process: its starts fail as often as told, its application has the states it was given."""

from pathlib import Path

from ray.serve.schema import ServeDeploySchema

from serve_app.local_cluster import ClusterError, LocalCluster

State = tuple[str, dict[str, str]]


class ScriptedCluster(LocalCluster):
    """`failures` is how many starts of Serve fail; `states` come one a look, the last one for ever. `calls` tells what
    was asked of it, but for the looks."""

    def __init__(self, *states: State, failures: int = 0) -> None:
        super().__init__(ServeDeploySchema(applications=[]))
        self._states = list(states)
        self._failures = failures
        self.calls: list[str] = []
        self.dashboard_port: int | None = None

    def start_ray(self, folder: Path, dashboard_port: int | None) -> None:
        self.calls.append("start_ray")
        self.dashboard_port = dashboard_port

    def start_serve(self) -> None:
        self.calls.append("start_serve")
        if self._failures:
            self._failures -= 1
            raise ClusterError("too busy")

    def application(self) -> State:
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]

    def stop(self) -> None:
        self.calls.append("stop")
