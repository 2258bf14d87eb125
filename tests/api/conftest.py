from tests.store.postgres import absent_url, database_url, postgres

__all__ = ["absent_url", "database_url", "postgres"]
