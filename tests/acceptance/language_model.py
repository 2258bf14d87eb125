"""What the language model of the acceptance tests answers, by what was said last."""

from typing import Any

from tests.fakes.groq_server import Answer, Call

LONG = (
    "Esta é uma resposta bem longa, para que haja tempo de interromper. Ela fala de muitas coisas, uma depois da "
    "outra, sem nenhuma pressa. Fala do tempo, da cidade, das ruas e das pessoas. E ainda não acabou de falar."
)
BY_KEYWORD: dict[str, Answer] = {
    "horas": [Call("get_time", {"zone": "UTC"})],
    "tudo": [Call("get_time", {"zone": "UTC"}), Call("show_page", {"page": "home"}, chunks=3)],
    "pedido": ["Vou verificar. ", Call("find_order", {"number": "42/7"})],
    "recepção": [Call("transfer_to_agent", {"agent_number": 0})],
    "momento": [Call("skip_turn", {"reason": "asked to wait"})],
    "tchau": ["Até logo, obrigado!", Call("end_call", {"reason": "goodbye"})],
    "longa": LONG,
}


def answer(messages: list[dict[str, Any]]) -> Answer:
    last = messages[-1]
    if last["role"] == "tool":
        return f"Resultado: {', '.join(m['content'] for m in messages if m['role'] == 'tool')}."
    if last["role"] == "system":
        return "Você ainda está aí?"
    said = last["content"].lower()
    found = [answer for keyword, answer in BY_KEYWORD.items() if keyword in said]
    if not found and "consulte" in said:
        return [Call("find_order", {"number": said})]
    return found[0] if found else f"Você disse {said}."
