"""What the agent says when it has no answer: never silence."""

_LINES = {
    "pt": {
        "not_heard": "Desculpe, não entendi. Pode repetir, por favor?",
        "trouble": "Desculpe, tive um problema para responder. Pode repetir, por favor?",
        "transfer": "Desculpe, tive um problema. Vou transferir você.",
        "no_service": "Desculpe, estamos com um problema técnico. Por favor, ligue de novo mais tarde.",
        "one_moment": "Só um momento.",
        "still_busy": "Ainda estou verificando, só mais um momento.",
        "deflected": "Desculpe, com isso não posso ajudar. Posso ajudar em mais alguma coisa?",
        "refused": "Desculpe, não posso continuar com este atendimento. Até logo.",
        "goodbye": "Obrigado pela ligação. Até logo!",
        "time_up": "Chegamos ao tempo máximo desta ligação. Obrigado, e até logo!",
    },
    "en": {
        "not_heard": "Sorry, I didn't catch that. Could you say it again, please?",
        "trouble": "Sorry, I had a problem answering. Could you say that again, please?",
        "transfer": "Sorry, I have run into a problem. I will put you through to somebody else.",
        "no_service": "Sorry, we have a technical problem. Please call again later.",
        "one_moment": "One moment, please.",
        "still_busy": "I am still checking, one more moment.",
        "deflected": "Sorry, I can't help with that. Is there anything else I can do for you?",
        "refused": "Sorry, I can't go on with this call. Goodbye.",
        "goodbye": "Thank you for calling. Goodbye!",
        "time_up": "We have reached the time limit of this call. Thank you, and goodbye!",
    },
}


def line(name: str, language: str) -> str:
    """`name`: one of the above. English for languages we have no line in."""
    return _of(language)[name]


def all_lines(language: str) -> list[str]:
    """Everything that `line` may give in this language."""
    return list(_of(language).values())


def _of(language: str) -> dict[str, str]:
    return _LINES.get(language[:2], _LINES["en"])
