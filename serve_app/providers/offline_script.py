"""What the offline agent says, in Portuguese and in English.

Many of the short answers are, word for word, phrases that the bundled recogniser knows: the agent can hear itself.
"""

from dataclasses import dataclass

Answers = tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True)
class Script:
    """One language's answers: phrases, and what is said to any of them. The first match counts.

    Phrases in `alone` must be all that was said; those in `within` may stand anywhere in it. What consists of
    `numbers` alone is echoed.
    An answer may use {introduction}, {limits}, {goodbye}, {heard} (the caller's last words), {said} (the agent's) and
    {results} (of the tools that were called). `silence` is said to a caller who says nothing, `unclear` to one who was
    hard to understand, `way_out` to one who was so again and again.
    """

    alone: Answers
    within: Answers
    numbers: str
    limits: str
    unknown: str
    nothing: str
    silence: str
    unclear: str
    way_out: str
    results: str
    done: str
    goodbye: str
    introduction: str


PORTUGUESE = Script(
    introduction="Sou o agente offline do Automagik Hello.",
    limits="Sou o agente offline: entendo o pedido, mas não tenho acesso a nenhum sistema para resolver isso.",
    unknown="Eu ouvi: {heard}. Com a chave de um modelo de linguagem, eu saberia responder.",
    nothing="Não entendi.",
    silence="Você ainda está aí?",
    unclear="Não entendi bem. Pode falar de novo, por favor?",
    way_out=(
        "A ligação está ruim, e eu não consegui entender você. Tente dizer de outro jeito, com poucas palavras, ou "
        "ligue de novo mais tarde."
    ),
    results="A resposta é: {results}.",
    done="Certo.",
    goodbye="Tchau!",
    numbers=(
        "zero um uma dois duas três quatro cinco seis meia sete oito nove dez onze doze treze quatorze catorze quinze "
        "dezesseis dezessete dezoito dezenove vinte"
    ),
    alone=(
        (("bom dia",), "Bom dia!"),
        (("boa tarde",), "Boa tarde!"),
        (("boa noite",), "Boa noite!"),
        (("olá", "oi"), "Olá!"),
        (("olá tudo bem", "oi tudo bem", "tudo bem", "como vai", "tudo bom"), "Tudo bem."),
        (("obrigado", "obrigada", "muito obrigado", "muito obrigada"), "Obrigado!"),
        (("não", "não obrigado", "não obrigada"), "Tudo bem."),
        (("tchau", "até logo"), "{goodbye}"),
        (("ok", "certo", "isso", "isso mesmo", "aham", "claro", "sim"), "Certo."),
        (("por favor",), "Claro."),
        (("espera", "espere", "um momento", "só um momento"), "Claro."),
        (("pare", "para"), "Ok."),
    ),
    within=(
        (
            ("atendente", "falar com uma pessoa", "falar com alguém"),
            "Você quer falar com um atendente. Eu sou um agente de demonstração e trabalho sem internet, então não "
            "posso transferir a ligação. Posso cumprimentar, repetir números, repetir o que eu disse e mostrar que "
            "ouvi o seu pedido. Para conversar de verdade, quem cuida deste servidor precisa configurar a chave de um "
            "modelo de linguagem. Enquanto isso, pode me interromper quando quiser: eu paro de falar na hora.",
        ),
        (
            ("ajuda", "me ajudar", "o que você faz", "o que você sabe fazer"),
            "Claro, eu explico. Sou o agente offline do Automagik Hello e respondo sem nenhum modelo de linguagem. "
            "Você pode me dar bom dia, dizer números ou fazer um pedido, como ver o saldo ou pagar a conta. "
            "Eu repito o que entendi, para você saber que a voz chegou até aqui e voltou. Eu não consulto contas, não "
            "faço pagamentos e não invento respostas. Pode me interromper quando quiser: eu paro de falar na hora.",
        ),
        (("quem é você", "quem está falando", "você é um robô", "qual é o seu nome"), "{introduction} {limits}"),
        (("repetir", "repete", "repita", "não entendi"), "{said}"),
        (("mais devagar", "fale devagar"), "Você quer que eu fale mais devagar. Ainda não sei mudar a velocidade."),
        (("saldo",), "Você quer ver o seu saldo. {limits}"),
        (("segunda via",), "Você quer a segunda via. {limits}"),
        (("pagar",), "Você quer pagar a sua conta. {limits}"),
        (("vence", "vencimento"), "Você quer saber quando vence a sua fatura. {limits}"),
        (("fatura", "boleto"), "Você quer falar da sua fatura. {limits}"),
        (("senha",), "Você precisa de uma nova senha. {limits}"),
        (("roubado", "roubaram", "bloquear"), "Você quer bloquear o seu cartão. {limits} Fale já com o seu banco."),
        (("assinatura",), "Você quer cancelar a assinatura. {limits}"),
        (("cancelar", "cancelamento"), "Você quer cancelar. {limits}"),
        (("problema",), "Sinto muito pelo problema. {limits}"),
        (("pedido", "encomenda"), "Você quer saber onde está o seu pedido. {limits}"),
        (("loja",), "Você quer saber onde fica a loja mais próxima. {limits}"),
        (("que horas",), "Você quer saber as horas. Sou o agente offline e não tenho relógio."),
        (("tchau", "até logo"), "{goodbye}"),
        (("obrigado", "obrigada"), "Obrigado!"),
        (("bom dia",), "Bom dia! {introduction}"),
        (("boa tarde",), "Boa tarde! {introduction}"),
        (("boa noite",), "Boa noite! {introduction}"),
        (("olá", "oi", "alô"), "Olá! {introduction}"),
    ),
)

ENGLISH = Script(
    introduction="I am the offline agent of Automagik Hello.",
    limits="I am the offline agent: I understand the request, but I have no access to any system that could do it.",
    unknown="I heard: {heard}. With a key for a language model, I would know what to answer.",
    nothing="Can you repeat that?",
    silence="Are you still there?",
    unclear="I did not hear you well. Could you say it once more, please?",
    way_out=(
        "The line is bad, and I could not make out what you said. Try to say it in other words, in a few, or call "
        "again later."
    ),
    results="The answer is: {results}.",
    done="Right.",
    goodbye="Goodbye.",
    numbers=(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty"
    ),
    alone=(
        (("good morning",), "Good morning!"),
        (("hi", "hello"), "Hi!"),
        (("how are you", "hello how are you", "hello how are you today", "hi how are you"), "Thank you! I am fine."),
        (("thank you", "thanks", "thank you very much"), "Thank you!"),
        (("no", "no thank you", "no thanks"), "Ok."),
        (("bye", "goodbye", "bye bye"), "{goodbye}"),
        (("ok", "okay", "right", "sure", "uh-huh"), "Right."),
        (("yes", "yes please", "please"), "Sure."),
        (("wait", "one moment", "just a moment"), "Sure."),
        (("stop",), "Ok."),
    ),
    within=(
        (
            ("speak with a person", "talk to a person", "speak to a person", "an agent", "a human"),
            "You want to speak with a person. I am a demonstration agent that works without the internet, so I cannot "
            "transfer this call. I can greet you, repeat numbers, repeat what I said, and show that I heard your "
            "request. To have a real conversation, whoever runs this server needs to set the key of a language model. "
            "Until then, feel free to interrupt me at any time: I stop speaking at once.",
        ),
        (
            ("help", "what can you do"),
            "Sure, let me explain. I am the offline agent of Automagik Hello, and I answer without any language model. "
            "You can say good morning, say numbers, or ask for something, such as paying a bill or cancelling a "
            "subscription. I repeat what I understood, so you know that your voice has come this far and back. "
            "I look up no accounts, I make no payments, and I invent no answers. Feel free to interrupt me at any "
            "time: I stop speaking at once.",
        ),
        (("who are you", "who is this", "are you a robot", "what is your name"), "{introduction} {limits}"),
        (("repeat",), "{said}"),
        (("speak slowly", "more slowly", "slower"), "You want me to speak slowly. I cannot change my speed yet."),
        (("how much", "price"), "You want to know the price. {limits}"),
        (("copy of my bill",), "You want a copy of your bill. {limits}"),
        (("pay",), "You want to pay your bill. {limits}"),
        (("bill", "invoice"), "You are asking about your bill. {limits}"),
        (("balance",), "You want to know your balance. {limits}"),
        (("password",), "You need a new password. {limits}"),
        (("subscription",), "You want to cancel your subscription. {limits}"),
        (("cancel",), "You want to cancel. {limits}"),
        (("problem",), "I am sorry about the problem. {limits}"),
        (("order",), "You are asking about your order. {limits}"),
        (("what time",), "You want to know the time. I am the offline agent, and I have no clock."),
        (("bye", "goodbye"), "{goodbye}"),
        (("thank you", "thanks"), "Thank you!"),
        (("good morning",), "Good morning! {introduction}"),
        (("hello", "hi", "good afternoon", "good evening"), "Hi! {introduction}"),
    ),
)
