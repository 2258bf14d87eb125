import pytest

import serve_app.store.log


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs look every 50 ms for what is to be done."""
    monkeypatch.setattr(serve_app.store.log, "SWEEP_SECONDS", 0.05)
