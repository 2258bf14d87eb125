"""What every config of ours says, and what none does: Serve would fill in a default, and mean something else by it.

What Serve wants itself (applications, import_path, a deployment's name) its schema tells.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from serve_app.serve_config.graph import IMPORT_PATH, USER_CONFIGS, WHISPER, deployment_names
from serve_app.serve_config.problem import Problem
from serve_app.serve_config.serve_schema import applications, deployments
from serve_app.serve_config.tree import Item, Path
from serve_app.serve_config.whereabouts import problem_at

Reasons = Mapping[str, str]

EVERY_INTERFACE = "0.0.0.0"
LAST_PORT = 65535

WHOLE: Reasons = {
    "proxy_location": "say where HAProxy runs: EveryNode",
    "http_options": "say where callers are listened to: host, port",
    "logging_config": "say how Serve logs: encoding, log_level, enable_access_log",
}
HTTP: Reasons = {
    "host": f"say {EVERY_INTERFACE}, which HAProxy binds in any case",
    "port": "say which port the load balancer reaches",
}
LOGGING: Reasons = {
    "encoding": "say JSON: log lines have the replica's name only then",
    "log_level": "say from which level on Serve's own lines are kept",
    "enable_access_log": "say false: paths of the API name conversations",
}
APPLICATION: Reasons = {
    "name": "say how metrics and logs call it",
    "route_prefix": "say /",
    "args": "say what runs on which device",
    "autoscaling_policy": "say which function scales all deployments: policy_function",
    "deployments": "say how each of the graph's runs",
}
POLICY: Reasons = {"policy_function": "without it Serve scales by requests, which are no measure of our work"}
DEPLOYMENT: Reasons = {
    "max_ongoing_requests": "Serve's default of 5 would hold the sixth call up",
    "graceful_shutdown_timeout_s": "say how long a replica that goes may take to end what it has",
    "max_surge_percent": "without it Serve stops old replicas before new ones are up",
    "health_check_period_s": "say how often Serve asks whether it is well",
    "health_check_timeout_s": "say how long it may take to answer that",
    "autoscaling_config": "adding or removing it later restarts replicas: say it from the start, min and max equal",
    "ray_actor_options": "say what a replica takes of a node",
}
AUTOSCALING: Reasons = {
    "min_replicas": "say how many there are without any load",
    "max_replicas": "say how many there are at most",
    "target_ongoing_requests": "say how much one replica takes comfortably",
    "metrics_interval_s": "without it replicas tell their load every 10 s",
    "look_back_period_s": "say over how long the growth of load is measured",
    "upscale_delay_s": "Serve's default of 30 s would let callers wait",
    "downscale_delay_s": "say how long load must be gone before a replica goes",
}
SLEEPER: Reasons = {"downscale_to_zero_delay_s": "say how long it must have been idle before the last replica goes"}
ACTOR: Reasons = {"num_cpus": "Serve's default is a whole core"}

NEVER: Reasons = {
    "request_timeout_s": "it would cut live calls: take it out",
    "num_replicas": "it would take the place of autoscaling_config: use min_replicas and max_replicas",
    "policy": "one policy scales all deployments, the application's autoscaling_policy: take it out",
}


def problems(tree: Item) -> Iterator[Problem]:
    yield from _missing(tree, (), WHOLE)
    yield from _missing(tree, ("http_options",), HTTP)
    yield from _missing(tree, ("logging_config",), LOGGING)
    for path in applications(tree):
        yield from _missing(tree, path, APPLICATION)
        yield from _missing(tree, (*path, "autoscaling_policy"), POLICY)
    for path in deployments(tree):
        yield from _missing(tree, path, DEPLOYMENT)
        yield from _missing(tree, (*path, "autoscaling_config"), AUTOSCALING)
        if (name := tree.at(*path, "name")) and name.value == WHISPER:
            yield from _missing(tree, (*path, "autoscaling_config"), SLEEPER)
        yield from _missing(tree, (*path, "ray_actor_options"), ACTOR)
    yield from _never(tree, tree, ())
    yield from _application(tree)
    yield from _graph(tree)


def _missing(tree: Item, block: Path, reasons: Reasons) -> Iterator[Problem]:
    """Of a block that is there. (One that is missing is told by the block around it.) What stands there as null is
    missing, too; what is no block is told by Serve's schema."""
    item = tree.at(*block)
    if item is None or not isinstance(item.value, dict):
        return
    for key, reason in reasons.items():
        if (entry := item.entries.get(key)) is None or entry.value is None:
            yield problem_at(tree, (*block, key), f"it is missing: {reason}")


def _never(tree: Item, item: Item, path: Path) -> Iterator[Problem]:
    """What is in user_config, or in args, has names of its own."""
    for key, entry in item.entries.items():
        here = (*path, key)
        if key in NEVER:
            yield problem_at(tree, here, NEVER[key])
        elif key not in ("user_config", "args"):
            yield from _never(tree, entry, here)
    for number, element in enumerate(item.elements):
        yield from _never(tree, element, (*path, number))


def _application(tree: Item) -> Iterator[Problem]:
    paths = [*applications(tree)]
    if (given := tree.at("applications")) and given.value == []:
        yield problem_at(tree, ("applications",), "there is no application: say hello, and its deployments")
    for path in paths[1:]:
        yield problem_at(tree, path, "there is one application: take this one out")
    for path in paths[:1]:
        yield from _other_than(tree, (*path, "import_path"), IMPORT_PATH, f"this is made for {IMPORT_PATH}")
        yield from _other_than(tree, (*path, "route_prefix"), "/", "say /: clients ask for /v1")
    yield from _other_than(tree, ("logging_config", "encoding"), "JSON", LOGGING["encoding"])
    yield from _other_than(tree, ("http_options", "host"), EVERY_INTERFACE, HTTP["host"])
    port = tree.at("http_options", "port")
    if port and isinstance(port.value, int) and not 0 < port.value <= LAST_PORT:
        yield problem_at(tree, ("http_options", "port"), f"ports are 1 to {LAST_PORT}")


def _other_than(tree: Item, path: Path, value: str, message: str) -> Iterator[Problem]:
    given = tree.at(*path)
    if given and given.value not in (value, None):
        yield problem_at(tree, path, message)


def _graph(tree: Item) -> Iterator[Problem]:
    """Its deployments, each once, and with a user_config if it takes one."""
    known = deployment_names()
    given: Counter[str] = Counter()
    for path in deployments(tree):
        if (name := tree.at(*path, "name")) is None or not isinstance(name.value, str):
            continue  # told by Serve's schema
        given[name.value] += 1
        if name.value not in known:
            yield problem_at(
                tree, (*path, "name"), f"there is no such deployment: there are {', '.join(sorted(known))}"
            )
        elif given[name.value] > 1:
            yield problem_at(tree, (*path, "name"), "it stands here for the second time: Serve would take one of them")
        if name.value in USER_CONFIGS and tree.at(*path, "user_config") is None:
            message = "it is missing: what is tuned while calls go on stands there"
            yield problem_at(tree, (*path, "user_config"), message)
    for path in applications(tree):
        if tree.at(*path, "deployments"):
            for missing in sorted(known - given.keys()):
                yield problem_at(tree, (*path, "deployments"), f"{missing} is missing")
