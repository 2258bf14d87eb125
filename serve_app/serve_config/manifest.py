"""A region's Kubernetes manifest: configs/kubernetes/template.yaml, with name, Serve config and Ray's flags put in."""

import re
from pathlib import Path

from serve_app.serve_config import files

TEMPLATE = "template.yaml"
ORIGIN = files.MADE + "{template}, ../ray.env and ../{region}.yaml: change those, not this.\n"


def manifests() -> dict[Path, str]:
    """What `make configs` writes, by where; the regions' configs, which are part of it, must have been made before.

    Raises ConfigurationError.
    """
    folder = files.CONFIGS / "kubernetes"
    template = files.text_of(folder / TEMPLATE)
    flags = files.text_of(files.CONFIGS / "ray.env")
    regions = {name: files.text_of(files.config_of(name)) for name in files.regions()}
    return {folder / f"{region}.yaml": manifest(template, region, config, flags) for region, config in regions.items()}


def manifest(template: str, region: str, serve_config: str, flags: str) -> str:
    """`template` with every @region@ replaced, and the lines @serve_config@ and @ray_flags@, each as deep as it stands.

    `flags` is in the form of ray.env. Texts are put in as they are, comments too: KubeRay hands the config to Serve.
    """
    filled = template.replace("@region@", region)
    filled = _put_in(filled, "ray_flags", re.sub(r'(?m)^(\w+)="?(.*?)"?$', r'\1: "\2"', flags))
    return ORIGIN.format(template=TEMPLATE, region=region) + _put_in(filled, "serve_config", serve_config)


def _put_in(template: str, name: str, text: str) -> str:
    def as_deep(marker: re.Match[str]) -> str:
        return "".join(f"{marker[1]}{line}" if line.strip() else line for line in text.splitlines(keepends=True))

    return re.sub(rf"(?m)^( *)@{name}@\n", as_deep, template)
