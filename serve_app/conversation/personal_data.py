"""The kinds of personal data, as agents' files name them: ours, and ElevenLabs' where they mean what we find."""

from collections.abc import Iterable

KINDS = ("CPF", "CNPJ", "CARD", "PHONE", "EMAIL", "PIX", "IBAN", "CEP", "RG")
"""What the redactor finds. Each is replaced by its name in brackets."""

ENTITIES = {kind.lower(): (kind,) for kind in KINDS} | {
    "email_address": ("EMAIL",),
    "contact_number": ("PHONE",),
    "financial_id.payment_card.payment_card_number": ("CARD",),
    "financial_id.bank_account.bank_account_number": ("IBAN",),
    "financial_id.financial_id_other": ("PIX",),
    "location.location_postal_code": ("CEP",),
    "unique_id.government_issued_id": ("CPF", "CNPJ", "RG"),
}


def kinds(entities: Iterable[str]) -> list[str]:
    """Those of `entities`, all if there are none. Raises KeyError with the first name that means nothing here."""
    wanted = {kind for entity in entities for kind in ENTITIES[entity]} or set(KINDS)
    return [kind for kind in KINDS if kind in wanted]
