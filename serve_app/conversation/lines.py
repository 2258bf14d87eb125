"""What the agent says when it has no answer: never silence."""

_LINES = {
    "pt": {
        "not_heard": "Desculpe, não entendi. Pode repetir, por favor?",
        "trouble": "Desculpe, tive um problema para responder. Pode repetir, por favor?",
    },
    "en": {
        "not_heard": "Sorry, I didn't catch that. Could you say it again, please?",
        "trouble": "Sorry, I had a problem answering. Could you say that again, please?",
    },
}


def line(name: str, language: str) -> str:
    """`name`: not_heard or trouble. English for languages we have no line in."""
    return _LINES.get(language[:2], _LINES["en"])[name]
