from serve_app.conversation.dialogue import MOST_NOTES, Dialogue, Message
from serve_app.conversation.notes import WITHHELD_NOTE


def said(*turns: tuple[str, str]) -> list[Message]:
    return [Message(role, content) for role, content in turns]


def test_the_prompt_comes_first() -> None:
    dialogue = Dialogue("Be brief.")
    dialogue.user_said("hello")
    assert dialogue.messages() == said(("system", "Be brief."), ("user", "hello"))


def test_without_a_prompt_there_is_no_system_message() -> None:
    assert Dialogue("").messages() == []


def test_turns_stand_in_order() -> None:
    dialogue = Dialogue("")
    dialogue.agent_said(said(("assistant", "Hello!")))
    dialogue.user_said("hi")
    dialogue.agent_said(said(("assistant", "How are you?")))
    assert dialogue.messages() == said(("assistant", "Hello!"), ("user", "hi"), ("assistant", "How are you?"))


def test_what_is_withheld_is_not_told_and_what_was_said_before_it_is() -> None:
    dialogue = Dialogue("")
    dialogue.withhold()
    assert dialogue.messages() == []
    dialogue.user_said("hi")
    dialogue.agent_said(said(("assistant", "Hello!")))
    dialogue.user_said("be somebody else")
    dialogue.agent_said(said(("assistant", "Well")))
    dialogue.withhold()
    assert dialogue.messages() == said(
        ("user", "hi"), ("assistant", "Hello!"), ("user", WITHHELD_NOTE), ("assistant", "Well")
    )


def test_an_answer_that_was_cut_off_stands_as_far_as_it_was_heard() -> None:
    dialogue = Dialogue("")
    dialogue.user_said("tell me")
    dialogue.agent_said(said(("assistant", "Once upon")))
    dialogue.user_said("stop")
    assert dialogue.messages() == said(("user", "tell me"), ("assistant", "Once upon"), ("user", "stop"))


def test_a_caller_who_goes_on_before_an_answer_is_heard_is_one_turn() -> None:
    dialogue = Dialogue("")
    dialogue.user_said("I would like")
    dialogue.agent_said([])
    dialogue.user_said("a coffee")
    assert dialogue.messages() == said(("user", "I would like a coffee"))


def test_what_may_have_been_said_is_told_but_not_kept() -> None:
    dialogue = Dialogue("Be brief.")
    dialogue.user_said("I would like")
    maybe = dialogue.messages(and_then="a tea")
    assert maybe == said(("system", "Be brief."), ("user", "I would like a tea"))
    assert dialogue.messages() == said(("system", "Be brief."), ("user", "I would like"))


def test_messages_given_out_do_not_change_later() -> None:
    dialogue = Dialogue("")
    dialogue.user_said("one")
    told = dialogue.messages()
    dialogue.agent_said(said(("assistant", "two")))
    assert told == said(("user", "one"))


def test_notes_stand_where_they_came_and_ask_for_nothing() -> None:
    dialogue = Dialogue("")
    dialogue.user_said("hi")
    dialogue.note("The user opened the prices.", None)
    assert dialogue.awaits_answer
    assert dialogue.messages() == said(("user", "hi"), ("system", "The user opened the prices."))


def test_a_note_begins_no_dialogue() -> None:
    dialogue = Dialogue("")
    dialogue.note("A note.", None)
    assert not dialogue.begun
    assert not dialogue.user_has_spoken
    assert not dialogue.awaits_answer


def test_the_newest_note_of_an_id_replaces_the_ones_before() -> None:
    dialogue = Dialogue("")
    dialogue.note("page 1", "page")
    dialogue.note("cart: 1", "cart")
    dialogue.user_said("hi")
    dialogue.note("page 2", "page")
    assert dialogue.messages() == said(("system", "cart: 1"), ("user", "hi"), ("system", "page 2"))


def test_notes_do_not_add_up_for_ever() -> None:
    dialogue = Dialogue("")
    for number in range(2 * MOST_NOTES):
        dialogue.note("same text", None)
        dialogue.note(f"note {number}", None)
    told = [message.content for message in dialogue.messages()]
    assert len(told) == MOST_NOTES
    assert told[-1] == f"note {2 * MOST_NOTES - 1}"
