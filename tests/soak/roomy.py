"""A server that turns nobody away for their number: what it can bear is measured, not what it is configured to bear."""

from pathlib import Path

import yaml

SHIPPED = Path(__file__).parents[2] / "configs" / "local.yaml"
PLACES = 1000


def roomy_config(folder: Path) -> Path:
    """The shipped configuration with more places for conversations, in a file of that folder."""
    config = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    deployments = {each["name"]: each for each in config["applications"][0]["deployments"]}
    gateway = deployments["Gateway"]
    gateway["max_ongoing_requests"] = 2 * PLACES
    gateway["autoscaling_config"]["target_ongoing_requests"] = 2 * PLACES
    gateway["user_config"]["max_conversations"] = PLACES
    path = folder / "roomy.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path
