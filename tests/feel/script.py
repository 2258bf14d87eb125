"""What the agent says in every score: an answer long enough to be spoken over, or a short one."""

from tests.feel.score import Voice

VOICES = {"pt": Voice("pt-br+Henrique", 165), "en": Voice("en-us+Gene", 165)}

ANSWERS = {
    "pt": "Claro, eu explico passo a passo. Primeiro você entra na página do seu cadastro e confere os seus dados. "
    "Depois escolhe a opção de serviços, que fica no alto da tela, do lado direito. Nessa parte aparecem todas as "
    "condições, com os prazos e os valores de cada uma, e você pode comparar com calma antes de decidir.",
    "en": "Of course, let me go through it step by step. First you open the page with your profile and check that your "
    "details are right. Then you choose the services tab, which is at the top of the screen on the right hand side. "
    "There you will find all the conditions, with the dates and the price of each of them, so you can compare them.",
}
GREETINGS = {
    "pt": "Olá, bem-vindo à nossa central de atendimento. Aqui você pode consultar a sua fatura, pedir a segunda via "
    "de uma conta, mudar a data de vencimento ou atualizar o seu endereço. Também posso informar os horários das "
    "nossas lojas e ajudar com qualquer dúvida sobre os nossos serviços.",
    "en": "Hello and welcome to our service line. Here you can check your bill, ask for a copy of an invoice, change "
    "the date on which you pay, or update your address. I can also tell you the opening hours of our shops and help "
    "you with any question about our services.",
}
SHORT_ANSWERS = {"pt": "Entendi, já vou verificar isso.", "en": "All right, let me check that."}
