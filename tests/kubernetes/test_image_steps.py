"""What carries out the Dockerfile's steps without Docker: all but RUN, which takes root and is tried by itself."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.kubernetes.dockerfile import stages
from tests.kubernetes.image import Image
from tests.kubernetes.image_steps import Builder, build_context

TWO_STAGES = """
FROM debian AS build
WORKDIR /build
ENV PATH=/opt/bin:$PATH WHO=build
COPY one.txt folder ./
FROM debian AS final
COPY --from=build /build/deep /opt/deep
USER 1000:1000
"""


def test_stages_are_carried_out_from_the_base_and_from_each_other(tmp_path):
    base, context = tmp_path / "base", tmp_path / "context"
    (base / "opt").mkdir(parents=True)
    (context / "folder" / "deep").mkdir(parents=True)
    (context / "one.txt").write_text("1")
    (context / "folder" / "deep" / "two.txt").write_text("2")
    builder = Builder(tmp_path / "stages", base, context)
    (tmp_path / "stages").mkdir()
    built = {name: builder.build(stage) for name, stage in stages(TWO_STAGES).items()}

    assert built["build"].environment["PATH"].startswith("/opt/bin:/usr/local/bin")
    assert (built["build"].root / "build" / "one.txt").read_text() == "1"
    assert (built["final"].root / "opt" / "deep" / "two.txt").read_text() == "2"
    assert not (built["final"].root / "build").exists(), "only what is copied"
    assert (built["final"].user, "WHO" in built["final"].environment) == ("1000:1000", False)
    assert [*base.rglob("*")] == [base / "opt"], "the base stays as it was"


def test_a_command_runs_as_the_images_user_in_its_own_processes_and_environment(capfd):
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"]).returncode:
        pytest.skip("namespaces and chroot take root")
    image = Image(Path("/"), {"PATH": os.environ["PATH"]}, workdir="/tmp", user="1234:1234")
    image.run("pwd; id -u; echo $WHO /proc/[0-9]*", WHO="me")
    assert capfd.readouterr().out.split() == ["/tmp", "1234", "me", "/proc/1"]


def test_the_build_context_is_what_git_knows_of_what_is_not_ignored(tmp_path):
    context = build_context(tmp_path / "context")
    assert (context / "serve_app" / "app.py").exists()
    assert (context / "configs" / "agents" / "default.yaml").exists()
    assert not (context / "tests").exists()
    assert not [*context.rglob("__pycache__")]
