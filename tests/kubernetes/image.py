"""A root file system to run things in, as a container would, by the kernel's own means: namespaces and chroot."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Image:
    """A root file system, and what the instructions so far have set for those to come."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/sbin"})
    workdir: str = "/"
    user: str = "0:0"

    def run(self, command: str, **environment: str) -> None:
        """As RUN does."""
        subprocess.run(self.inside(command, environment), check=True)

    def inside(self, command: str, environment: Mapping[str, str], layer: Path | None = None) -> list[str]:
        """The words of a process that runs `command` in here: process 1 of its namespace, like a container's, and all
        that it starts ends with it. With `layer`, an empty folder, all that is written goes there."""
        root = layer / "root" if layer else self.root
        settings = {**self.environment, **environment}
        entering = [
            "mount --make-rprivate /",
            *(_overlay(self.root, layer) if layer else []),
            f"mount -t proc proc {root}/proc",
            f"mount -t tmpfs -o mode=1777 tmpfs {root}/dev/shm",
            f"exec chroot --userspec={self.user} {root} /usr/bin/env -i "
            + " ".join(shlex.quote(f"{key}={value}") for key, value in settings.items())
            + f" /bin/bash -c {shlex.quote(f'cd {self.workdir} && {command}')}",
        ]
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", " && ".join(entering)]

    def place(self, path: str) -> Path:
        """Where `path`, as an instruction names it, is on this machine."""
        return self.root / os.path.normpath(Path(self.workdir) / path).lstrip("/")


def _overlay(lower: Path, layer: Path) -> list[str]:
    """The commands that put `layer` over `lower`: what is seen is in its folder root."""
    for name in ("root", "changes", "work"):
        (layer / name).mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={layer}/changes,workdir={layer}/work"
    return [f"mount -t overlay overlay -o {options} {layer}/root"]
