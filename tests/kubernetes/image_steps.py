"""`make image-steps`: the Dockerfile's steps in a root file system of Debian's, without Docker; then a server from it.

It takes root, Debian's packages, `ip`, and some minutes. What differs from a build by Docker: Debian's own Python 3.11
stands in for that of the base image, and packages come from a folder that this machine's pip fills, checked by their
hashes there and again inside. The image for GPUs is not built: its one step more fetches 0.6 GB.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.kubernetes import dockerfile, pods
from tests.kubernetes.image import Image

REPOSITORY = Path(__file__).parents[2]
TARGET = "hello"
LOCKS = ("requirements.lock", "smart-turn.lock")
PYTHON = ("python3.11-venv", "python3-distutils", "python3-lib2to3", "ca-certificates")
"""What the base image has beyond a minimal Debian. Debian's venv needs the two in the middle; debootstrap resolves
no virtual packages."""
BUILD_PACKAGES = ("setuptools", "wheel")  # docopt is a source package, here as in `make setup`
PACKAGES = "/packages"  # where the folder of wheels is inside
PIP = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": PACKAGES, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}


class Builder:
    """Carries out stages, one after another. `folder` holds their roots, and is left for whoever wants to look."""

    def __init__(self, folder: Path, base: Path, context: Path) -> None:
        self._folder, self._base, self._context = folder, base, context
        self.built: dict[str, Image] = {}

    def build(self, stage: dockerfile.Stage) -> Image:
        print(f"\nFROM {stage.base} AS {stage.name}", flush=True)
        root = self._folder / stage.name
        shutil.rmtree(root, ignore_errors=True)
        parent = self.built.get(stage.base)
        subprocess.run(["cp", "-a", "--reflink=auto", str(parent.root if parent else self._base), root], check=True)
        image = replace(parent, root=root) if parent else Image(root)
        for name, argument in stage.instructions:
            started = time.monotonic()
            image = self._carry_out(image, name, argument)
            print(f"{time.monotonic() - started:6.1f} s  {name} {argument[:100]}", flush=True)
        self.built[stage.name] = image
        return image

    def _carry_out(self, image: Image, name: str, argument: str) -> Image:
        match name:
            case "ENV":
                added = dockerfile.assignments(argument, image.environment)
                return replace(image, environment={**image.environment, **added})
            case "WORKDIR":
                image.place(argument).mkdir(parents=True, exist_ok=True)
                return replace(image, workdir=argument)
            case "USER":
                return replace(image, user=argument)
            case "COPY":
                self._copy(image, dockerfile.copy(argument))
            case "RUN":
                image.run(argument, **PIP)
        return image

    def _copy(self, image: Image, copying: dockerfile.Copy) -> None:
        """A folder's contents go into the target, a file into the target that ends with a slash."""
        for source in copying.sources:
            found = self.built[copying.stage].place(source) if copying.stage else self._context / source
            target = image.place(copying.target)
            if found.is_dir():
                shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy2(found, target / found.name if copying.target.endswith("/") else target)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes.image_steps", description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder for what is built; 5 GB")
    folder = parser.parse_args().folder.resolve()
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit("This takes root on a Debian.")
    folder.mkdir(parents=True, exist_ok=True)
    base = base_image(folder)
    fetch_packages(base / PACKAGES.strip("/"))
    builder = Builder(folder, base, build_context(folder / "context"))
    started = time.monotonic()
    for stage in dockerfile.stages((REPOSITORY / "Dockerfile").read_text(encoding="utf-8")).values():
        builder.build(stage)
        if stage.name == TARGET:
            break
    print(f"\nThe steps took {time.monotonic() - started:.0f} s", flush=True)
    image = builder.built[TARGET]
    pods.main(image, folder / "pods")
    print(f"Size: {megabytes(image.root)} MB, {megabytes(base)} of them the base's")


def base_image(folder: Path) -> Path:
    """A minimal Debian 12 with Python 3.11, pip and venv, called as in the base image."""
    base, tool = folder / "base", folder / "debootstrap"
    started = time.monotonic()
    tool.mkdir()
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "debootstrap"], cwd=tool, check=True)
    subprocess.run(["dpkg", "-x", next(tool.glob("*.deb")), tool], check=True)
    subprocess.run(
        [tool / "usr/sbin/debootstrap", "--variant=minbase", f"--include={','.join(PYTHON)}", "bookworm", base],
        env={**os.environ, "DEBOOTSTRAP_DIR": str(tool / "usr/share/debootstrap")},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    shutil.rmtree(base / "var/cache/apt")
    shutil.rmtree(base / "var/lib/apt")
    Image(base).run("python3.11 -m venv /usr/local")
    (base / "etc/hosts").write_text("127.0.0.1 localhost\n")  # as every container has it
    print(f"{time.monotonic() - started:6.1f} s  a Debian with Python 3.11")
    return base


def fetch_packages(folder: Path) -> None:
    """All that the locks name, by this machine's pip."""
    started = time.monotonic()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    locks = [word for lock in LOCKS for word in ("--requirement", str(REPOSITORY / lock))]
    subprocess.run([*pip, "--no-deps", "--require-hashes", *locks], check=True)
    subprocess.run([*pip, *BUILD_PACKAGES], check=True)
    print(f"{time.monotonic() - started:6.1f} s  the packages of {' and '.join(LOCKS)}")


def build_context(folder: Path) -> Path:
    """What Docker would see of the repository: what git knows or would add, less what .dockerignore names."""
    ignored = dockerfile.patterns((REPOSITORY / ".dockerignore").read_text(encoding="utf-8"))
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    shutil.rmtree(folder, ignore_errors=True)
    for path in filter(None, listed.split("\0")):
        if dockerfile.in_context(path, ignored) and (REPOSITORY / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / path, folder / path)
    return folder


def megabytes(folder: Path) -> int:
    """Less the wheels, which a base image does not have."""
    measured = ["du", "--summarize", "--block-size=1M", f"--exclude=.{PACKAGES}", "."]
    return int(subprocess.run(measured, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[0])


if __name__ == "__main__":
    main()
