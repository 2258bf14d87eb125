import os

from hypothesis import settings

from tests.store.postgres import absent_url, database_url, postgres, server_folder

__all__ = ["absent_url", "database_url", "postgres", "server_folder"]

# What a developer has set must not decide how tests end. The hub's library reads its own when it is imported: later.
for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_TOKEN", "WHISPER_MODEL"):
    os.environ.pop(name, None)

# The same examples in every run: a change is to blame for what fails. `--hypothesis-profile=default` looks further.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")
