import pytest

from serve_app.providers.refusals import refusal


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "HTTP 401: check the API key"),
        (404, "HTTP 404: check the base URL and the model's name"),
        (418, "HTTP 418: the provider refuses the request"),
        (503, "HTTP 503: the provider is in trouble"),
    ],
)
def test_every_status_comes_with_advice(status: int, advice: str) -> None:
    assert refusal(status) == advice
