"""Personal data in what is said and typed, found and replaced by their kinds: "meu CPF é [CPF]".

Brazilian and other numbers with check digits or a plan, e-mail addresses, bank accounts; in digits or in the words that
callers say, Portuguese, English or both. Nothing here does I/O.
"""

from serve_app.conversation.personal_data import KINDS
from serve_app.observability.redaction.hook import WITHHELD
from serve_app.observability.redaction.redactor import Redactor, redact, redacted

__all__ = ["KINDS", "WITHHELD", "Redactor", "redact", "redacted"]
