"""The scripts that nodes run at their start; AWS and systemd are the fakes of bin/."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.template import REPOSITORY, environment_of, start_commands

REGION = "sa-east-1"
KEYS = {
    "RAY_AUTH_TOKEN": "token-of-ray",
    "DATABASE_URL": "postgresql://hello:it's@10.0.1.9/hello",
    "SIGNING_SECRET": "s" * 32,
    "GROQ_API_KEY": 'key of "Groq" $(false)\n',
}


@pytest.fixture
def node(tmp_path: Path) -> Iterator["NodeDisk"]:
    node = NodeDisk(tmp_path)
    yield node
    node.stop()


class NodeDisk:
    """What a node has on its disk when setup-node is done, and a secret store and systemd to talk to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hello = folder / "home" / "hello"
        shutil.copytree(REPOSITORY / "configs", self.hello / "configs")
        (self.hello / ".venv").symlink_to(REPOSITORY / ".venv")
        (folder / "aws" / "target-groups").mkdir(parents=True)
        self.keep(KEYS)

    def keep(self, secret: object) -> None:
        path = self.folder / "aws" / "secrets" / "hello" / REGION
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secret if isinstance(secret, str) else json.dumps(secret), encoding="utf-8")

    def kept(self) -> object:
        return json.loads((self.folder / "aws" / "secrets" / "hello" / REGION).read_text(encoding="utf-8"))

    def run(self, script: str, *arguments: str, read: str = "", **told: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.hello / "configs" / "aws" / script), *arguments],
            env={
                "PATH": f"{Path(__file__).with_name('bin')}:{os.environ['PATH']}",
                "HOME": str(self.folder / "home"),
                "FAKE_AWS": str(self.folder / "aws"),
                "FAKE_SYSTEMD": str(self.folder),
                "FAKE_KEEPS": "FAKE_AWS PATH",
                "REGION": REGION,
                "CLUSTER": "hello-sa-east-1",
                **told,
            },
            input=read,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(self, *arguments: str, **told: str) -> str:
        """The service; what its unit file says."""
        with socket.create_server(("127.0.0.1", 0)) as raylet:  # as-service waits until the node manager answers
            script = self.hello / "configs" / "aws" / "as-service"
            port = raylet.getsockname()[1]
            script.write_text(script.read_text(encoding="utf-8").replace("PORT=6380", f"PORT={port}"), encoding="utf-8")
            done = self.run("as-service", *arguments, **told)
        assert done.returncode == 0, done.stderr
        return self.unit.read_text(encoding="utf-8")

    @property
    def unit(self) -> Path:
        return self.folder / "ray.service"

    def stop(self) -> None:
        if self.unit.exists():
            os.killpg(int(_when_written(self.folder / "pid")), signal.SIGKILL)


def environment(output: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in output.split("\0") if line)


def test_ray_starts_with_its_flags_the_regions_settings_and_the_keys(node: NodeDisk) -> None:
    found = environment(node.run("with-environment", "env", "-0").stdout)
    for path in (REPOSITORY / "configs" / "ray.env", REPOSITORY / "configs" / "aws" / "node.env"):
        settings = environment_of(path)
        assert settings
        assert settings.items() <= found.items()
    assert found["REGION"] == REGION
    assert found["AGENTS_DIR"] == str(node.hello / "configs" / "agents")
    assert {name: found[name] for name in KEYS if name != "RAY_AUTH_TOKEN"} == {
        name: value for name, value in KEYS.items() if name != "RAY_AUTH_TOKEN"
    }


def test_rays_token_is_in_its_file_for_its_owner_alone(node: NodeDisk) -> None:
    found = environment(node.run("with-environment", "env", "-0").stdout)
    token = node.folder / "home" / ".ray" / "auth_token"
    assert token.read_text(encoding="utf-8") == KEYS["RAY_AUTH_TOKEN"]
    assert token.stat().st_mode & 0o077 == 0
    assert "RAY_AUTH_TOKEN" not in found


def test_the_head_alone_gets_the_password_of_redis_as_ray_wants_it(node: NodeDisk) -> None:
    node.keep({**KEYS, "RAY_REDIS_ADDRESS": "rediss://redis:6379", "RAY_REDIS_PASSWORD": "of redis"})
    assert node.run("with-environment", "echo", "--head").stdout == "--head --redis-password=of redis\n"
    assert node.run("with-environment", "echo", "--address=x").stdout == "--address=x\n"


@pytest.mark.parametrize("name", ["RAY_AUTH_TOKEN", "DATABASE_URL", "SIGNING_SECRET"])
def test_a_node_does_not_start_without_what_it_needs(node: NodeDisk, name: str) -> None:
    node.keep({key: value for key, value in KEYS.items() if key != name})
    done = node.run("with-environment", "true")
    assert done.returncode != 0
    assert f"the secret hello/sa-east-1 has no {name}" in done.stderr


def test_a_head_does_not_start_without_its_memory(node: NodeDisk) -> None:
    done = node.run("with-environment", "echo", "ray", "start", "--head", "--port=6379")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the secret hello/sa-east-1 has no RAY_REDIS_ADDRESS" in done.stderr


def test_a_key_is_set_beside_the_others(node: NodeDisk) -> None:
    for name, value in {"RAY_REDIS_ADDRESS": "rediss://redis:6379", "GROQ_API_KEY": 'it\'s "new" $(false)'}.items():
        done = node.run("set-key", name, read=f"{value}\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    changed = {"RAY_REDIS_ADDRESS": "rediss://redis:6379", "GROQ_API_KEY": 'it\'s "new" $(false)'}
    assert node.kept() == KEYS | changed


@pytest.mark.parametrize(("arguments", "read"), [([], "x"), (["A B"], "x"), (["GROQ_API_KEY"], "\n")])
def test_a_key_without_a_name_or_a_value_changes_nothing(node: NodeDisk, arguments: list[str], read: str) -> None:
    done = node.run("set-key", *arguments, read=read)
    assert done.returncode != 0
    assert "say the name of a variable" in done.stderr
    assert node.kept() == KEYS


def test_a_secret_that_cannot_be_read_is_not_written(node: NodeDisk) -> None:
    done = node.run("set-key", "GROQ_API_KEY", read="x", REGION="us-east-1")
    assert done.returncode != 0
    assert not (node.folder / "aws" / "secrets" / "hello" / "us-east-1").exists()


@pytest.mark.parametrize(
    ("secret", "complaint"),
    [
        ({**KEYS, "A B": "x"}, "'A B' in the secret is no variable with a text"),
        ({**KEYS, "PORT": 8000}, "'PORT' in the secret is no variable with a text"),
        ("not JSON", "JSONDecodeError"),
    ],
)
def test_a_secret_that_is_no_list_of_variables_is_refused(node: NodeDisk, secret: object, complaint: str) -> None:
    node.keep(secret)
    done = node.run("with-environment", "true")
    assert done.returncode != 0
    assert complaint in done.stderr


def test_a_region_without_a_secret_says_so(node: NodeDisk) -> None:
    done = node.run("with-environment", "true", REGION="us-east-1")
    assert done.returncode != 0
    assert "can't find the specified secret" in done.stderr


def test_the_service_gets_what_the_launcher_tells_of_the_node(node: NodeDisk) -> None:
    labels = '{"ray.io/node-group": "gateway", "of": "100 %h $HOME"}'
    seen = node.folder / "seen"
    told = {"RAY_OVERRIDE_LABELS": labels, "RAY_HEAD_IP": "10.0.1.10", "UNRELATED": "x"}
    # The command is Ray's own place: it writes down what it would see.
    node.start("no", "bash", "-c", f'HEAD="$RAY_HEAD_IP 100 %h" env -0 >{seen}.part; mv {seen}.part {seen}', **told)
    found = environment(_when_written(seen))
    assert found["HEAD"] == "10.0.1.10 100 %h"
    assert found["RAY_OVERRIDE_LABELS"] == labels
    assert found["RAY_HEAD_IP"] == "10.0.1.10"
    assert found["GROQ_API_KEY"] == KEYS["GROQ_API_KEY"]
    assert "UNRELATED" not in found


@pytest.mark.parametrize(("restart", "enabled"), [("always", True), ("no", False)])
def test_the_head_alone_is_back_after_its_machine_was_started_anew(node: NodeDisk, restart: str, enabled: bool) -> None:
    unit = node.start(restart, "true", GROQ_API_KEY="key of groq")
    assert re.findall(r"^(?:Restart|WantedBy)=(.*)$", unit, re.MULTILINE) == [restart, "multi-user.target"]
    assert (node.folder / "enabled").exists() is enabled
    assert not any(value in unit for value in (*KEYS.values(), "key of groq"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here to ask")
@pytest.mark.parametrize("kind", ["head", "worker"])
def test_systemd_reads_the_services_file(node: NodeDisk, kind: str) -> None:
    node.keep({})  # Ray is not to start
    node.start(*start_commands()[kind].partition("as-service ")[2].split(), RAY_OVERRIDE_LABELS='{"a": "100 %h \\\\"}')
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(node.unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def _when_written(path: Path) -> str:
    waits = subprocess.run(["timeout", "20", "bash", "-c", f"until [ -e {path} ]; do sleep 0.05; done"], check=True)
    assert waits.returncode == 0
    return path.read_text(encoding="utf-8")


def test_a_gateway_registers_with_the_group_that_is_called_like_the_cluster(node: NodeDisk) -> None:
    group = node.folder / "aws" / "target-groups" / "hello-sa-east-1"
    group.touch()
    done = node.run("take-calls", RAY_NODE_TYPE_NAME="gateway", RAY_CLOUD_INSTANCE_ID="i-0123")
    assert done.returncode == 0, done.stderr
    assert group.read_text(encoding="utf-8") == "Id=i-0123\n"


def test_a_gateway_without_a_group_says_so(node: NodeDisk) -> None:
    done = node.run("take-calls", RAY_NODE_TYPE_NAME="gateway", RAY_CLOUD_INSTANCE_ID="i-0123")
    assert done.returncode != 0
    assert "target groups not found" in done.stderr


def test_other_nodes_take_no_calls(node: NodeDisk) -> None:
    done = node.run("take-calls", RAY_NODE_TYPE_NAME="gpu-spot", RAY_CLOUD_INSTANCE_ID="i-0123")
    assert (done.returncode, done.stderr) == (0, "")
