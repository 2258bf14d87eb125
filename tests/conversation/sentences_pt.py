"""What callers say, in Portuguese: one turn a line, whole, as a recogniser writes it."""

SENTENCES = """\
Eu queria marcar uma consulta com a doutora Helena para a semana que vem.
Qual é o horário de funcionamento da agência aos sábados?
Meu cartão foi bloqueado e eu não consigo fazer compras.
Bom dia, eu gostaria de saber se o meu pedido já saiu para entrega.
Não, obrigado.
Quero cancelar a assinatura.
Vocês têm dipirona em gotas?
Pode ser na quinta de manhã.
Eu paguei o boleto ontem, mas ainda aparece em aberto.
Sim, pode confirmar.
Minha internet está muito lenta desde domingo.
Prefiro o período da tarde.
Quanto custa o frete para Belo Horizonte?
Eu preciso falar com alguém do setor financeiro.
É para mim mesmo.
O remédio que vocês mandaram veio errado.
Acho que anotei a senha em algum lugar, mas não lembro onde.
Tudo bem, eu espero.
Gostaria de remarcar a minha consulta de sexta-feira.
A encomenda chegou com a caixa amassada e faltando um item.
Vocês aceitam convênio?
Eu moro na rua das Flores, perto da padaria.
Não recebi o código por mensagem.
Quero duas pizzas grandes, uma de calabresa e uma de mussarela.
Isso mesmo.
Preciso da segunda via da conta de luz.
O valor da fatura está diferente do que eu combinei com o atendente.
Pode repetir, por favor?
Eu vou precisar de um atestado também.
Ele tem febre desde ontem à noite e não quer comer.
Só um minuto que eu vou pegar o papel.
Queria saber quanto falta para quitar o empréstimo.
Me falaram que o técnico vinha hoje entre oito e meio-dia.
Não era isso que eu tinha pedido.
Troca por um refrigerante sem açúcar, por favor.
Vou viajar no mês que vem e queria liberar o cartão para uso no exterior.
É a primeira vez que eu ligo.
A minha mãe é cliente de vocês há vinte anos.
Tem vaga para hoje?
Eu já falei com três pessoas e ninguém resolveu o meu problema.
Pode deixar na portaria.
Como eu faço para trocar o endereço de entrega?
Não sei se o meu plano cobre esse exame.
O aplicativo trava toda vez que eu tento fazer um pix.
Amanhã eu não posso, só na segunda.
Eu queria um orçamento para pintar a sala e dois quartos.
Acho que sim.
O meu nome é Carlos Eduardo.
Está no nome do meu marido.
Quero falar com um atendente.
Vocês fazem entrega no bairro Santa Luzia?
Comprei um tênis pelo site e ele ficou apertado.
Ainda não chegou nada.
Tem como parcelar em até seis vezes sem juros?
Fiz o pagamento por transferência na terça-feira.
Eu só quero saber se está tudo certo com a minha reserva.
A farmácia da avenida Brasil abre no feriado?
Não quero mais.
Estou ligando porque recebi uma cobrança que eu não reconheço.
O entregador disse que ninguém atendeu, mas eu estava em casa.
Pode mandar o comprovante no meu e-mail?
É que eu perdi o prazo e agora não sei o que fazer.
Preciso tomar antes ou depois da refeição?
Meu filho caiu da bicicleta e está com o braço inchado.
Eu prefiro pagar em dinheiro quando chegar.
Deixa eu ver aqui na agenda.
O último exame eu fiz em março com o doutor Paulo.
Obrigada, era só isso.
Qual o prazo para a devolução do dinheiro?
Se não tiver genérico, pode ser o de marca mesmo.
Não, ainda não tenho cadastro.
Eu pedi o cancelamento há um mês e continuam me cobrando.
A luz do modem fica piscando vermelho.
Então eu volto a ligar amanhã cedo.
Queria transferir a consulta dela para outro médico.
Com certeza.
O pacote aparece como entregue, só que eu não recebi.
Posso ir sem marcar hora?
Quero um lanche natural e um suco de laranja sem gelo.
Não precisa, eu mesmo busco.
Eu trabalho até as seis, então tem que ser depois disso.
Liguei mais cedo e a ligação caiu.
Me manda o link pelo WhatsApp.
Vocês podem vir buscar o aparelho na minha casa?
Eu estou sem sinal no celular desde as dez da manhã.
A conta é conjunta com a minha esposa.
Tô com uma dor de cabeça muito forte há três dias.
Quando vence a minha fatura?
Não lembro a senha do aplicativo.
Quero aumentar o limite do cartão.
O boleto que vocês mandaram não tem código de barras.
Pode ser.
Eu preferia a mesma médica da outra vez.
O apartamento fica no quinto andar e não tem elevador.
Se chover, vocês entregam do mesmo jeito?
Eu comprei duas passagens, mas só recebi uma.
Qual é a diferença entre os dois planos?
Não, é o outro.
Vou confirmar com a minha esposa e ligo de volta.
A receita é de controle especial.
Preciso atualizar o meu telefone no cadastro.
Já tentei reiniciar o modem e não adiantou nada.
Ela está grávida de cinco meses.
Gostei muito do atendimento de vocês.
Fui assaltado e levaram o meu celular com o aplicativo do banco.
De quanto em quanto tempo eu tenho que tomar?
Me disseram para procurar o setor de cobrança.
Pode colocar troco para cem.
Estava tudo errado no relatório que eu recebi.
Eu não fiz essa compra.
Tem estacionamento na clínica?
Quero adiantar as parcelas do financiamento do carro.
Acho melhor deixar para outro dia.
O exame precisa de jejum de quantas horas?
É uma emergência.
Eu esqueci de pedir a nota fiscal com o meu nome.
O porteiro não deixou o entregador subir.
Não tenho preferência.
Preciso cancelar o voo de domingo e pegar um na segunda à noite.
O desconto que me prometeram não apareceu na fatura.
Boa tarde, é da clínica São Lucas?
A gente mora na zona rural, o carteiro não chega lá.
Quanto tempo demora para o cartão novo chegar?
Comecei a tomar o antibiótico ontem e estou com enjoo.
Agora não dá, estou dirigindo.
Consigo pagar isso no caixa eletrônico?
Vou querer o mesmo da semana passada.
O rapaz que veio instalar deixou um fio solto na parede.
Ok, muito obrigado pela ajuda.
Eu achei o preço muito alto.
Tem algum horário mais tarde?
Pedi sem cebola e veio com cebola.
Quero saber por que o meu pedido de crédito foi negado.
Me passaram para cá agora há pouco.
Na verdade eu queria só confirmar o endereço de vocês.
A consulta dele é com qual médico?
Não estou conseguindo entrar na minha conta.
Pode chamar o gerente?
Eu acabei de mandar os documentos que faltavam.
São quatro pessoas, duas crianças.
Fecharam a minha conta sem me avisar.
Queria entender essa tarifa de quinze reais.
Eu vou aí buscar depois do almoço.
O médico pediu um raio-x do tórax e um exame de sangue.
Não foi o que me falaram na loja.
A promoção vale até quando?
Desculpa, eu não entendi.
Já passou o prazo e ninguém me ligou.
O técnico ficou de vir entre duas e quatro da tarde.
Se eu pagar hoje, o serviço volta em quanto tempo?
Quero a de frango com catupiry.
Não consigo, está dando erro.
Ela se chama Maria das Dores e tem oitenta e dois anos.
Pra hoje à noite ainda tem mesa?
Minha chave pix é o meu telefone.
Eu tenho alergia a amendoim e a camarão.
Você pode verificar se o depósito caiu na minha conta?
Isso, na rua de trás do mercado.
O que eu preciso levar no dia do exame?
Prefiro que seja por telefone mesmo.
Eu queria pedir um táxi para o aeroporto às cinco da manhã.
"""
