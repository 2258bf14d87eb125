"""The bucket, as who holds its key finds it, and who does not."""

import httpx
import obstore
import pytest
from obstore.store import S3Store

from tests.fakes.s3_server import BUCKET, KEY_ID, PAGE, REGION, SECRET, FakeS3


def client_of(s3: FakeS3, secret: str = SECRET) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=s3.environment["AWS_ENDPOINT_URL"],
        access_key_id=KEY_ID,
        secret_access_key=secret,
        region=REGION,
        client_options={"allow_http": True},
    )


def test_objects_are_kept_listed_by_pages_and_deleted() -> None:
    keys = [f"a b/ü{number}+&.flac" for number in range(2 * PAGE + 1)]
    with FakeS3() as s3:
        store = client_of(s3)
        for key in [*keys, "other"]:
            obstore.put(store, key, key.encode())
        assert sorted(each["path"] for page in obstore.list(store, "a b") for each in page) == keys
        assert bytes(obstore.get(store, keys[0]).bytes()) == keys[0].encode()
        obstore.delete(store, keys)
        assert list(s3.objects) == ["other"]
        with pytest.raises(FileNotFoundError):
            obstore.get(store, keys[0])


def test_nobody_comes_in_without_its_key() -> None:
    with FakeS3() as s3:
        url = f"{s3.environment['AWS_ENDPOINT_URL']}/{BUCKET}/object"
        assert httpx.put(url, content=b"one").status_code == 403
        with pytest.raises(obstore.exceptions.BaseError, match="403"):
            obstore.put(client_of(s3, "another"), "object", b"one")
        assert s3.objects == {}


def test_while_it_is_away_it_says_so() -> None:
    with FakeS3() as s3:
        s3.away = True
        assert httpx.get(f"{s3.environment['AWS_ENDPOINT_URL']}/{BUCKET}").status_code == 503
