"""A base and what differs from it, as one tree.

Mappings are merged key by key, lists whose elements have a `name` by that name, and everything else is replaced, by
null or an empty mapping too. A layer's `every_deployment` holds what all deployments share: each gets it, and what the
layer says of that one deployment comes over it. An empty one shares nothing. A comment beside a value goes with the
value: it says why it is this one. One above a key says what the key means, and stays until an overlay has another.
"""

from collections.abc import Sequence
from dataclasses import replace

from serve_app.serve_config.tree import Item

EVERY = "every_deployment"


def layered(layers: Sequence[Item]) -> Item:
    """All of them, each over those before it."""
    tree = _without_shared(layers[0])
    for layer in layers:
        if (shared := layer.entries.get(EVERY)) and shared.value:
            tree = _shared_by_all(tree, replace(shared, above=()))
        if (own := _without_shared(layer)).entries:
            tree = merged(tree, own)
    return tree


def merged(below: Item, above: Item) -> Item:
    """`above` over `below`; see the module."""
    comments = above.above if any(above.above) else below.above
    if below.entries and above.entries:
        value, flow = _entries(below.entries, above.entries), below.flow and above.flow
        return replace(above, value=value, flow=flow, above=comments, beside=above.beside or below.beside)
    if _by_name(below) and (named := _by_name(above)):
        entries = _entries(_by_name(below), named)
        return replace(
            above, value=[*entries.values()], flow=False, above=comments, beside=above.beside or below.beside
        )
    return replace(above, above=comments)


def _entries(below: dict[str, Item], above: dict[str, Item]) -> dict[str, Item]:
    both = {key: merged(below[key], item) if key in below else item for key, item in above.items()}
    return below | both


def _by_name(item: Item) -> dict[str, Item]:
    """The elements of a list, if each has a name of its own."""
    named = {str(name.value): each for each in item.elements if (name := each.at("name"))}
    return named if len(named) == len(item.elements) else {}


def _without_shared(layer: Item) -> Item:
    return replace(layer, value={key: item for key, item in layer.entries.items() if key != EVERY})


def _shared_by_all(tree: Item, shared: Item) -> Item:
    """Its comments are not said again with every deployment: the first has them."""
    applications = tree.at("applications")
    if applications is None:
        return tree
    value = []
    for application in applications.elements:
        deployments = application.at("deployments")
        if deployments is None:
            value.append(application)
            continue
        each = [merged(one, _bare(shared) if number else shared) for number, one in enumerate(deployments.elements)]
        value.append(replace(application, value=application.value | {"deployments": replace(deployments, value=each)}))
    return replace(tree, value=tree.value | {"applications": replace(applications, value=value)})


def _bare(item: Item) -> Item:
    value = item.value
    if isinstance(value, dict):
        value = {key: _bare(each) for key, each in value.items()}
    return replace(item, value=value, above=(), beside="")
