"""Talk to a server from a terminal, as any client of the protocol would: `python -m serve_app.talk hello.wav`."""


class TalkError(Exception):
    """Why the call could not be made or went wrong, in words for whoever sits at the terminal."""
