"""Where replicas run: which labels of nodes they ask for. One that no node has is waited for without end.

A config without any label is for one machine. One with labels is a region's, and each of its deployments says where.
"""

from collections.abc import Iterator

from serve_app.serve_config.problem import Problem
from serve_app.serve_config.serve_schema import GROUP, MARKET, REGION, deployments
from serve_app.serve_config.tree import Item, Path
from serve_app.serve_config.whereabouts import problem_at

SPOT, ON_DEMAND = "spot", "on-demand"
GPU, GATEWAY = "gpu", "gateway"
"""The groups of nodes that replicas run on, as cluster.yaml and configs/kubernetes/template.yaml have them."""


def problems(tree: Item, region: str | None) -> Iterator[Problem]:
    """`region`: where all of them are; None: where the first one is."""
    options = [(*path, "ray_actor_options") for path in deployments(tree)]
    selectors = [found for path in options if (found := tree.at(*path, "label_selector")) and found.entries]
    if not selectors:
        return
    expected = region or next((given.value for selector in selectors if (given := selector.at(REGION))), None)
    for path in options:
        if tree.at(*path):  # what is missing as a whole, `completeness` tells
            yield from _fallback(tree, path)
            for selector in _selectors(tree, path):
                yield from _selector(tree, selector, expected, (GPU,) if _takes_gpu(tree, path) else (GATEWAY, GPU))


def _selectors(tree: Item, options: Path) -> Iterator[Path]:
    yield (*options, "label_selector")
    strategy = tree.at(*options, "fallback_strategy")
    for number in range(len(strategy.elements) if strategy else 0):
        yield (*options, "fallback_strategy", number, "label_selector")


def _selector(tree: Item, path: Path, region: object, groups: tuple[str, ...]) -> Iterator[Problem]:
    selector = tree.at(*path)
    if selector is None or not selector.entries:
        yield problem_at(tree, path, f"it is missing: say which nodes, {GROUP} and {REGION}")
        return
    if (given := selector.at(REGION)) is None or not isinstance(given.value, str):
        yield problem_at(tree, (*path, REGION), "say the region's name, or it runs in any")
    elif given.value != region:
        yield problem_at(tree, (*path, REGION), f"say {region}: this config is that region's")
    if (given := selector.at(GROUP)) is None or given.value not in groups:
        reason = "it takes a share of a GPU" if groups == (GPU,) else "no nodes of ours are in another group"
        yield problem_at(tree, (*path, GROUP), f"say {' or '.join(groups)}: {reason}")
    if (given := selector.at(MARKET)) and given.value not in (SPOT, ON_DEMAND):
        yield problem_at(tree, (*path, MARKET), f"say {SPOT} or {ON_DEMAND}, or take it out for either")


def _fallback(tree: Item, options: Path) -> Iterator[Problem]:
    """Of those that ask for spot nodes, which may all be taken away at once."""
    markets = [tree.at(*selector, MARKET) for selector in _selectors(tree, options)]
    if all(market and market.value == SPOT for market in markets):
        message = f"spot nodes may all be taken away: say which others will do, {MARKET}: {ON_DEMAND} or none"
        yield problem_at(tree, (*options, "fallback_strategy"), message)


def _takes_gpu(tree: Item, options: Path) -> bool:
    gpus = tree.at(*options, "num_gpus")
    return gpus is not None and isinstance(gpus.value, int | float) and gpus.value > 0
