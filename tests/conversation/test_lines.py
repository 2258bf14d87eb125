import pytest

from serve_app.conversation.lines import _LINES, all_lines, line


@pytest.mark.parametrize("name", ["not_heard", "trouble"])
def test_lines_follow_the_language(name: str) -> None:
    assert line(name, "pt") == line(name, "pt-BR")
    assert line(name, "en") == line(name, "en-US")
    assert line(name, "pt").startswith("Desculpe")
    assert line(name, "en").startswith("Sorry")


def test_a_language_without_lines_gets_english() -> None:
    assert line("trouble", "ja") == line("trouble", "en")


def test_every_language_has_every_line() -> None:
    names = {frozenset(lines) for lines in _LINES.values()}
    assert len(names) == 1


def test_all_lines_of_a_language() -> None:
    assert all_lines("pt-BR") == list(_LINES["pt"].values())
    assert all_lines("ja") == all_lines("en")
    assert line("trouble", "pt") in all_lines("pt")
