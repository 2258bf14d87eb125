import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loadbalancer.certificates import Authority


@pytest.fixture(scope="package")
def authority() -> Iterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="hello-authority-") as folder:
        yield Authority(Path(folder))
