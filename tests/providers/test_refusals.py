import pytest

from serve_app.errors import LanguageModelError
from serve_app.providers.refusals import Hiccup, RequestRefused, kind_of, refusal


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


@pytest.mark.parametrize(
    ("status", "retry_after", "kind"),
    [
        (400, "", RequestRefused),
        (413, "", RequestRefused),
        (422, "", RequestRefused),
        (401, "", LanguageModelError),
        (404, "", LanguageModelError),
        (429, "", Hiccup),
        (429, "0", Hiccup),
        (429, "0.4", Hiccup),
        (429, "7", LanguageModelError),
        (429, "nan", LanguageModelError),
        (429, "Fri, 31 Dec 1999 23:59:59 GMT", LanguageModelError),
        (500, "", Hiccup),
        (503, "7", Hiccup),
    ],
)
def test_what_a_status_says_of_asking_again(status: int, retry_after: str, kind: type[LanguageModelError]) -> None:
    assert kind_of(status, retry_after) is kind
