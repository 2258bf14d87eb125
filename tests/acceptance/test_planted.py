"""That what is planted would be found."""

from pathlib import Path

import pytest

from tests.acceptance.planted import found, people


@pytest.mark.parametrize("trace", [0, 1, 2, 3, 4, 5])
def test_whatever_is_written_of_anybody_is_found(tmp_path: Path, trace: int) -> None:
    nobody, somebody = people(2)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "serve.log").write_bytes(b"\xff caller " + somebody.traces[trace] + b"\n")
    assert [*found([nobody], tmp_path)] == []
    assert len([*found([nobody, somebody], tmp_path)]) == 1
    assert len([*found([nobody, somebody], tmp_path / "logs" / "serve.log")]) == 1


def test_everybody_has_data_of_their_own() -> None:
    everybody = people(50)
    assert len({trace for person in everybody for trace in person.traces}) == 50 * 6
