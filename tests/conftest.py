from tests.store.postgres import absent_url, database_url, postgres, server_folder

__all__ = ["absent_url", "database_url", "postgres", "server_folder"]
