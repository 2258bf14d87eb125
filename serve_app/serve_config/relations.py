"""Numbers that must fit each other. One that is missing, or no number, is told elsewhere."""

import importlib
import math
from collections.abc import Iterator

from serve_app.admission import returning
from serve_app.serve_config.graph import GATEWAY, WHISPER
from serve_app.serve_config.problem import Problem
from serve_app.serve_config.serve_schema import applications, deployments
from serve_app.serve_config.tree import Item, Path
from serve_app.serve_config.whereabouts import problem_at

MAX_ONGOING, DRAIN = ("max_ongoing_requests",), ("graceful_shutdown_timeout_s",)
SURGE = ("max_surge_percent",)
TARGET = ("autoscaling_config", "target_ongoing_requests")
LEAST, MOST = ("autoscaling_config", "min_replicas"), ("autoscaling_config", "max_replicas")
INTERVAL, LOOK_BACK = ("autoscaling_config", "metrics_interval_s"), ("autoscaling_config", "look_back_period_s")
CONVERSATIONS = ("user_config", "max_conversations")
GPUS, SELECTOR = ("ray_actor_options", "num_gpus"), ("ray_actor_options", "label_selector")


def problems(tree: Item, longest_call_s: float) -> Iterator[Problem]:
    for path in deployments(tree):
        deployment = tree.at(*path)
        assert deployment
        name = deployment.at("name")
        yield from _load(tree, path, deployment)
        if _number(deployment, SURGE) < 1:
            yield problem_at(
                tree, (*path, *SURGE), "say 1 to 100: Serve would stop old replicas before new ones are up"
            )
        if name and name.value == GATEWAY:
            yield from _conversations(tree, path, deployment)
            yield from _drain(tree, path, deployment, longest_call_s)
            yield from _floors(tree, (*path, "user_config", "scaling"))
        if name and name.value == WHISPER:
            yield from _device(tree, path, deployment)
        elif _number(deployment, LEAST) == 0:
            yield problem_at(tree, (*path, *LEAST), f"only {WHISPER} may sleep: no call goes without this one")
    for path in applications(tree):
        yield from _policy(tree, (*path, "autoscaling_policy", "policy_function"))


def _load(tree: Item, path: Path, deployment: Item) -> Iterator[Problem]:
    target, most = _number(deployment, TARGET), _number(deployment, MAX_ONGOING)
    if target > most:
        message = (
            f"Serve lets no more than max_ongoing_requests ({most:g}) in: it would never scale up; say that or less"
        )
        yield problem_at(tree, (*path, *TARGET), message)
    interval, look_back = _number(deployment, INTERVAL), _number(deployment, LOOK_BACK)
    if look_back <= interval:
        yield problem_at(tree, (*path, *LOOK_BACK), f"say more than metrics_interval_s ({interval:g})")


def _conversations(tree: Item, path: Path, gateway: Item) -> Iterator[Problem]:
    most = _number(gateway, CONVERSATIONS)
    if math.isnan(most):
        return
    if most + returning(most) > _number(gateway, MAX_ONGOING):
        message = f"say {most + returning(most):g} or more: max_conversations, and the fifth more that may come back"
        yield problem_at(tree, (*path, *MAX_ONGOING), message)
    if _number(gateway, MOST) > 1 and _number(gateway, TARGET) > most:
        message = f"callers would be refused before there is another gateway: say max_conversations ({most:g}) or less"
        yield problem_at(tree, (*path, *TARGET), message)


def _drain(tree: Item, path: Path, gateway: Item, longest_call_s: float) -> Iterator[Problem]:
    """Of a region's gateways, which their label selector tells: there callers outlast an update. One machine ends its
    calls with a Ctrl-C, and should not take ten minutes for it."""
    selector = gateway.at(*SELECTOR)
    if selector and selector.entries and _number(gateway, DRAIN) < longest_call_s:
        message = f"the longest call of the agents takes {longest_call_s:g} s: say more, or an update cuts it"
        yield problem_at(tree, (*path, *DRAIN), message)


def _floors(tree: Item, scaling: Path) -> Iterator[Problem]:
    """Serve starts no more than max_replicas, whatever is wished."""
    most = _most_replicas(tree)
    schedule = tree.at(*scaling, "schedule")
    hours = range(len(schedule.elements)) if schedule else ()
    for way in ((*scaling, "while_stt_fails"), *((*scaling, "schedule", number, "replicas") for number in hours)):
        if floors := tree.at(*way):
            for name, floor in floors.entries.items():
                if _number(floor, ()) > most.get(name, math.nan):
                    yield problem_at(tree, (*way, name), f"{name} has max_replicas {most[name]:g}: say that or less")


def _most_replicas(tree: Item) -> dict[str, float]:
    """Of each deployment."""
    named = ((each.at("name"), each) for path in deployments(tree) if (each := tree.at(*path)))
    return {str(name.value): _number(each, MOST) for name, each in named if name}


def _device(tree: Item, path: Path, whisper: Item) -> Iterator[Problem]:
    """`cuda` without a share of a GPU would land where there is none; a share on the CPU would keep one idle."""
    device = tree.at(*path[:2], "args", "whisper_device")
    wants_gpu, has_gpu = device is not None and device.value == "cuda", _number(whisper, GPUS) > 0
    if wants_gpu and not has_gpu:
        yield problem_at(tree, (*path, *GPUS), "whisper_device is cuda: say which share of a GPU a replica takes")
    elif has_gpu and not wants_gpu:
        yield problem_at(tree, (*path, *GPUS), "whisper_device is not cuda: no GPU is used, say 0")


def _policy(tree: Item, path: Path) -> Iterator[Problem]:
    item = tree.at(*path)
    if item is None:
        return
    module, _, function = str(item.value).partition(":")
    try:
        found = getattr(importlib.import_module(module), function, None)
    except (ImportError, ValueError) as e:
        yield problem_at(tree, path, f"it cannot be imported: {e}")
        return
    if not callable(found):
        yield problem_at(tree, path, f"there is no function {function or '(module:function)'} in {module}")


def _number(block: Item, path: Path) -> float:
    """NaN, of which no comparison is true, if there is none."""
    item = block.at(*path)
    is_number = item is not None and isinstance(item.value, int | float) and not isinstance(item.value, bool)
    return float(item.value) if item and is_number else math.nan
