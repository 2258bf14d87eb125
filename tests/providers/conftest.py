from tests.fakes.groq_fixtures import fake, groq_server

__all__ = ["fake", "groq_server"]
