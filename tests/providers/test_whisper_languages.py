import pytest

from serve_app.providers.whisper_languages import language_code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("English", "en"),
        ("portuguese", "pt"),
        ("Haitian Creole", "ht"),
        ("pt", "pt"),
        ("pt-BR", "pt"),
        ("yue", "yue"),
        ("Klingon", None),
        ("tlh-KL", None),
        ("", None),
    ],
)
def test_names_and_tags_become_codes(name: str, code: str | None) -> None:
    assert language_code(name) == code
