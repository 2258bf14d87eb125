import pytest
from starlette.datastructures import Headers

from serve_app.api_keys import ApiKeys, sent_key


def test_a_key_is_one_of_them_or_is_not() -> None:
    keys = ApiKeys(["key_1", "key_2"])
    assert keys
    assert "key_1" in keys
    assert "key_2" in keys
    for other in ("key_", "key_11", "KEY_1", "", "chave_é", None):
        assert other not in keys


def test_without_keys_none_is_right() -> None:
    assert not ApiKeys()
    assert "" not in ApiKeys()
    assert None not in ApiKeys()


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"xi-api-key": "key_1"}, "key_1"),
        ({"Authorization": "Bearer key_1"}, "key_1"),
        ({"Authorization": "bearer key_1"}, "key_1"),
        ({"XI-API-Key": "key_1", "Authorization": "Bearer key_2"}, "key_1"),
        ({"Authorization": "Basic key_1"}, None),
        ({"Authorization": "Bearer"}, ""),
        ({}, None),
    ],
)
def test_where_a_request_brings_its_key(headers: dict[str, str], key: str | None) -> None:
    assert sent_key(Headers(headers)) == key
