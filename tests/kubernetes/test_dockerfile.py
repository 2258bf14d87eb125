"""The Dockerfile: well made by a linter's word, of known instructions, and with all in its context that it copies."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kubernetes.dockerfile import Copy, UnknownInstruction, assignments, copy, in_context, patterns, stages

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
IGNORED = patterns((REPOSITORY / ".dockerignore").read_text(encoding="utf-8"))


def test_the_linter_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([hadolint, "--no-color", "Dockerfile"], cwd=REPOSITORY, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, ""), found.stdout


def test_the_linter_would_find_something(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN pip install ray\n")
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([hadolint, "--no-color", tmp_path / "Dockerfile"], capture_output=True, text=True)
    assert "DL3006" in found.stdout
    assert "DL3013" in found.stdout


def test_its_stages():
    built = stages(DOCKERFILE)
    assert [*built] == ["build", "hello", "hello-cuda"]
    assert built["hello"].base == built["build"].base == "python:3.11-slim-bookworm"
    assert built["hello-cuda"].base == "hello"


@pytest.mark.parametrize("stage", ["hello", "hello-cuda"])
def test_it_runs_as_somebody_whom_kubernetes_knows_not_to_be_root(stage):
    assert [argument for name, argument in stages(DOCKERFILE)[stage].instructions if name == "USER"][-1] == "1000:1000"


def test_all_that_it_copies_is_in_the_context():
    for stage in stages(DOCKERFILE).values():
        for copying in (copy(argument) for name, argument in stage.instructions if name == "COPY"):
            for source in () if copying.stage else copying.sources:
                assert (REPOSITORY / source).exists(), source
                assert in_context(source, IGNORED), source


@pytest.mark.parametrize("path", [".git/config", ".venv/bin/ray", "tests/caller.py", ".data/postgres/PG_VERSION"])
def test_nothing_else_is_in_the_context(path):
    assert not in_context(path, IGNORED)


def test_a_folder_within_one_that_is_in_the_context_may_be_left_out():
    assert in_context("serve_app/app.py", IGNORED)
    assert not in_context("serve_app/api/__pycache__/cors.cpython-311.pyc", IGNORED)


def test_a_pattern_without_a_slash_is_for_the_top_alone():
    assert not in_context("a.log", ["*.log"])
    assert in_context("folder/a.log", ["*.log"])


def test_instructions_are_joined_and_comments_left_out():
    (only,) = stages("FROM debian AS one\n# why\nRUN a \\\n    # why\n    && b\nENV A=1\n").values()
    assert only.instructions == [("RUN", "a && b"), ("ENV", "A=1")]


@pytest.mark.parametrize("text", ["FROM a AS b\nADD x y\n", "FROM a AS b\nONBUILD RUN x\n"])
def test_an_instruction_that_nobody_could_carry_out_is_refused(text):
    with pytest.raises(UnknownInstruction):
        stages(text)


def test_copy_and_env():
    assert copy("--from=build /a /b") == Copy(("/a",), "/b", "build")
    assert copy("a b ./") == Copy(("a", "b"), "./", None)
    with pytest.raises(UnknownInstruction):
        copy("--chmod=755 a b")
    assert assignments("PATH=/x:$PATH B='c d'", {"PATH": "/bin"}) == {"PATH": "/x:/bin", "B": "c d"}
