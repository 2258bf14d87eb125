from pathlib import Path

import pytest
from pydantic import ValidationError

from serve_app.errors import ConfigurationError
from serve_app.settings import GROQ_BACKUP_MODEL, GROQ_CHAT_MODEL, GROQ_URL, ModelAddress, Settings

DATABASE = {"DATABASE_URL": "postgresql://localhost/hello"}


def test_only_the_database_is_needed() -> None:
    settings = Settings.from_environment(DATABASE)
    assert settings.database_url == DATABASE["DATABASE_URL"]
    assert (settings.groq_api_key, settings.llm_api_key, settings.llm_base_url) == (None, None, None)
    assert (settings.groq_base_url, settings.llm_model) == (GROQ_URL, GROQ_CHAT_MODEL)


def test_each_setting_is_its_variable() -> None:
    environ = DATABASE | {
        "GROQ_API_KEY": "gsk_1",
        "GROQ_BASE_URL": "http://127.0.0.1:9",
        "LLM_BASE_URL": "http://127.0.0.1:8/v1",
        "LLM_API_KEY": "key_2",
        "LLM_MODEL": "small",
    }
    settings = Settings.from_environment(environ)
    assert settings.groq_api_key is not None
    assert settings.groq_api_key.get_secret_value() == "gsk_1"
    assert settings.llm_api_key is not None
    assert settings.llm_api_key.get_secret_value() == "key_2"
    assert settings.groq_base_url == "http://127.0.0.1:9"
    assert settings.llm_base_url == "http://127.0.0.1:8/v1"
    assert settings.llm_model == "small"


def test_empty_means_not_set() -> None:
    settings = Settings.from_environment(DATABASE | {"GROQ_API_KEY": "", "LLM_MODEL": ""})
    assert settings.groq_api_key is None
    assert settings.llm_model == GROQ_CHAT_MODEL


def test_variables_of_others_are_theirs() -> None:
    assert Settings.from_environment(DATABASE | {"PATH": "/bin", "database_url": "lower case is another name"})


@pytest.mark.parametrize("environ", [{}, {"DATABASE_URL": ""}])
def test_what_is_missing_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        Settings.from_environment(environ)


def test_keys_are_not_shown() -> None:
    names = ("GROQ_API_KEY", "LLM_API_KEY", "LLM_BACKUP_API_KEY", "API_KEYS", "SIGNING_SECRET")
    settings = Settings.from_environment(DATABASE | dict.fromkeys(names, "hush,hush" * 4))
    assert "hush" not in f"{settings!r} {settings} {settings.language_model} {settings.backup_model}"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.from_environment(DATABASE).llm_model = "other"


GROQ = {"GROQ_API_KEY": "gsk_1"}
GROQ_V1 = f"{GROQ_URL}/openai/v1"
OWN = {"LLM_BASE_URL": "http://llm:8/v1", "LLM_MODEL": "m"}
ELSEWHERE = {"LLM_BACKUP_BASE_URL": "http://backup:9/v1", "LLM_BACKUP_MODEL": "b"}


def revealed(address: ModelAddress | None) -> tuple[str, str | None, str] | None:
    if address is None:
        return None
    return address.base_url, address.api_key and address.api_key.get_secret_value(), address.model


@pytest.mark.parametrize(
    ("environ", "model", "backup"),
    [
        ({}, None, None),
        (GROQ, (GROQ_V1, "gsk_1", GROQ_CHAT_MODEL), (GROQ_V1, "gsk_1", GROQ_BACKUP_MODEL)),
        (
            GROQ | {"GROQ_BASE_URL": "http://groq:1/"},
            ("http://groq:1/openai/v1", "gsk_1", GROQ_CHAT_MODEL),
            ("http://groq:1/openai/v1", "gsk_1", GROQ_BACKUP_MODEL),
        ),
        (
            GROQ | {"LLM_API_KEY": "gsk_2", "LLM_MODEL": "m", "LLM_BACKUP_MODEL": "b", "LLM_BACKUP_API_KEY": "gsk_3"},
            (GROQ_V1, "gsk_2", "m"),
            (GROQ_V1, "gsk_3", "b"),
        ),
        (OWN, ("http://llm:8/v1", None, "m"), None),
        (GROQ | OWN, ("http://llm:8/v1", None, "m"), None),
        (
            GROQ | OWN | {"LLM_API_KEY": "k", "LLM_BACKUP_MODEL": "b"},
            ("http://llm:8/v1", "k", "m"),
            ("http://llm:8/v1", "k", "b"),
        ),
        (GROQ | ELSEWHERE, (GROQ_V1, "gsk_1", GROQ_CHAT_MODEL), ("http://backup:9/v1", None, "b")),
        (
            OWN | ELSEWHERE | {"LLM_API_KEY": "k", "LLM_BACKUP_API_KEY": "l"},
            ("http://llm:8/v1", "k", "m"),
            ("http://backup:9/v1", "l", "b"),
        ),
    ],
)
def test_each_model_has_its_endpoint_and_the_key_of_that_alone(
    environ: dict[str, str], model: tuple[str, str | None, str] | None, backup: tuple[str, str | None, str] | None
) -> None:
    settings = Settings.from_environment(DATABASE | environ)
    assert revealed(settings.language_model) == model
    assert revealed(settings.backup_model) == backup


def test_an_endpoint_without_a_model_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"^environment variable LLM_BACKUP_BASE_URL: .*LLM_BACKUP_MODEL"):
        Settings.from_environment(DATABASE | GROQ | {"LLM_BACKUP_BASE_URL": "http://backup:9/v1"})


SECRET = "0123456789abcdef0123456789abcdef"


def test_who_may_come_in_is_set_by_lists_and_a_secret() -> None:
    environ = {
        "API_KEYS": "key_1, key_2,",
        "SIGNING_SECRET": SECRET,
        "PUBLIC_URL": "https://voice.example.com/hello",
        "CORS_ORIGINS": "https://app.example.com, http://localhost:3000",
    }
    settings = Settings.from_environment(DATABASE | environ)
    assert [key.get_secret_value() for key in settings.api_keys] == ["key_1", "key_2"]
    assert settings.signing_secret
    assert settings.signing_secret.get_secret_value() == SECRET
    assert settings.public_url == "https://voice.example.com/hello"
    assert settings.cors_origins == ("https://app.example.com", "http://localhost:3000")


def test_without_them_all_that_is_public_is_open() -> None:
    settings = Settings.from_environment(DATABASE)
    assert (settings.api_keys, settings.signing_secret, settings.public_url) == ((), None, None)
    assert settings.cors_origins == ("*",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEYS", ","),
        ("API_KEYS", " "),
        ("SIGNING_SECRET", SECRET[1:]),
        ("PUBLIC_URL", "voice.example.com"),
        ("PUBLIC_URL", "https://voice.example.com/?a=b"),
        ("CORS_ORIGINS", "app.example.com"),
        ("CORS_ORIGINS", "https://a.example,https://b.example/"),
    ],
)
def test_a_mistake_in_them_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^environment variable {name}: ") as mistake:
        Settings.from_environment(DATABASE | {name: value})
    assert SECRET[1:] not in mistake.value.message


@pytest.mark.parametrize("name", ["GROQ_API_KEY", "LLM_API_KEY", "LLM_BACKUP_API_KEY"])
@pytest.mark.parametrize("value", ["gsk_1…", "gsk_1\n", "gsk_1 gsk_2", " "])
def test_a_key_that_no_header_takes_is_a_mistake(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^environment variable {name}: ") as mistake:
        Settings.from_environment(DATABASE | {name: value})
    assert "gsk_1" not in mistake.value.message


@pytest.mark.parametrize("name", ["GROQ_BASE_URL", "LLM_BASE_URL", "LLM_BACKUP_BASE_URL"])
@pytest.mark.parametrize("value", ["groq", "ws://groq", "http://", "http://groq/v1 "])
def test_an_address_that_is_none_is_a_mistake(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^environment variable {name}: "):
        Settings.from_environment(DATABASE | {"LLM_BACKUP_MODEL": "b", name: value})


def test_agents_are_the_shipped_ones_unless_their_folder_is_named(tmp_path: Path) -> None:
    assert (Settings.from_environment(DATABASE).agents_dir / "default.yaml").is_file()
    assert Settings.from_environment(DATABASE | {"AGENTS_DIR": str(tmp_path)}).agents_dir == tmp_path


def test_the_journal_is_in_the_data_folder_unless_its_folder_is_named(tmp_path: Path) -> None:
    assert Settings.from_environment(DATABASE).journal_dir.parts[-2:] == (".data", "journal")
    assert Settings.from_environment(DATABASE | {"JOURNAL_DIR": str(tmp_path)}).journal_dir == tmp_path


def test_a_backup_backs_something_up() -> None:
    with pytest.raises(ConfigurationError, match="LLM_BACKUP_MODEL backs nothing up"):
        Settings.from_environment({"DATABASE_URL": "postgresql://", "LLM_BACKUP_MODEL": "small"})


def test_recordings_stay_in_their_folder_unless_there_is_an_object_store() -> None:
    folder = Settings.from_environment(DATABASE | {"RECORDINGS_DIR": "/data/my recordings"})
    assert folder.recordings_archive == "file:///data/my%20recordings/archive"
    bucket = Settings.from_environment(DATABASE | {"RECORDINGS_URL": "s3://bucket/calls"})
    assert bucket.recordings_archive == "s3://bucket/calls"


@pytest.mark.parametrize("url", ["/data/recordings", "ftp://host/calls", "s3://", "s3://bucket?key=hush"])
def test_an_object_store_is_one_that_there_is(url: str) -> None:
    with pytest.raises(ConfigurationError, match="RECORDINGS_URL"):
        Settings.from_environment(DATABASE | {"RECORDINGS_URL": url})


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({"GUARD_MODEL": "g"}, "GUARD_MODEL has no endpoint"),
        ({"GUARD_BASE_URL": "http://guard:9/v1"}, "GUARD_MODEL must name"),
        ({"GUARD_API_KEY": "k"}, "GUARD_MODEL must name"),
    ],
)
def test_a_guard_needs_a_model_and_an_endpoint(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Settings.from_environment(DATABASE | environ)


REGIONS = {"REGION": "sa-east-1", "REGIONS": "sa-east-1=https://sa.example.com, us-east-1=https://us.example.com"}


def test_regions_are_named_with_their_addresses_in_order() -> None:
    settings = Settings.from_environment(DATABASE | REGIONS)
    assert settings.region == "sa-east-1"
    assert list(settings.regions.items()) == [
        ("sa-east-1", "https://sa.example.com"),
        ("us-east-1", "https://us.example.com"),
    ]
    assert Settings.from_environment(DATABASE).regions == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"REGION": "eu-west-1"}, r"the own one, eu-west-1 \(REGION\), must be among them"),
        ({"REGION": ""}, r"the own one, local \(REGION\)"),
        ({"PUBLIC_URL": "https://voice.example.com"}, "leave PUBLIC_URL out"),
        ({"REGIONS": "sa-east-1"}, "not name=value"),
        ({"REGIONS": "sa-east-1=https://a,sa-east-1=https://b"}, "twice"),
        ({"REGIONS": "sa-east-1=sa.example.com"}, "should match pattern"),
        ({"REGIONS": "sa-east-1=https://a,sa-east-1 =https://b"}, "twice"),
        ({"REGIONS": "sa-east-1=https://a,us-east-1=https://A:443/"}, "the same address"),
        ({"REGIONS": "sa-east-1=https:///a"}, "no host"),
        ({"REGIONS": "sa-east-1=https://a:0"}, "port 0"),
        ({"REGIONS": "sa-east-1=https://a:99999"}, "cannot be one"),
        ({"REGIONS": "sa-east-1=https://[1"}, "cannot be one"),
        ({"REGIONS": "sa-east-1=https://ana:hush@a"}, "has a user"),
    ],
)
def test_regions_that_cannot_be_are_a_mistake(changed: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^environment variable REGIONS: .*{said}") as mistake:
        Settings.from_environment(DATABASE | REGIONS | changed)
    assert "hush" not in mistake.value.message


def test_budgets_of_hops_are_set_by_their_names() -> None:
    assert Settings.from_environment(DATABASE | {"HOP_BUDGETS_MS": "stt=150, database=2.5"}).hop_budgets_ms == {
        "stt": 150,
        "database": 2.5,
    }


@pytest.mark.parametrize(
    "value", ["150", "stt=", "stt=slow", "stt=-1", "stt=0", "sst=150", "stt=inf", "stt=nan", "stt=1e999"]
)
def test_a_budget_that_is_none_is_a_mistake(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^environment variable HOP_BUDGETS_MS: "):
        Settings.from_environment(DATABASE | {"HOP_BUDGETS_MS": value})
