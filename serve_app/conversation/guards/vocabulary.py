"""What words mean, as far as attacks go: concepts, in Portuguese and in English, spelled without accents.

A word that ends in * stands for all that begin so. `nothing` takes words out that begin like others.
"""

from collections.abc import Mapping

VOCABULARY: Mapping[str, str] = {
    "nothing": """
        esqueci esqueceu esqueceram forgot forgotten broken broke quebrada quebrado quebrou dropped mostrou
        instrument* politico* programei programado programada ignorei ignorou ignored programa
    """,
    # ---- who is who
    "you": "voce voces vc vcs ce tu you youre youve yourself u",
    "your": "seu sua seus suas teu tua tus tuas your yours yor",
    "me": "me mim my eu minha minhas meu meus mine i im ive",
    "mine": "my mine meu minha meus minhas",
    "i": "i",
    "are": "are eh e es be was era is youre sao somos",
    "te": "te lhe",
    "they": "they banco bank developers desenvolvedores criadores creators company",
    "makers": "developers desenvolvedores criadores creators engineers engenheiros programadores programmers makers",
    "that": "que that",
    "were": "were was been foi foram",
    "for": "for pra para",
    "not": "nao dont not never nunca stop parar pare para deixa deixe without sem longer doesnt jamais neednt",
    "only": "so apenas somente only nobody ninguem",
    "without": "without sem no zero nenhum* nenhuma none nem",
    "lacking": "sem without",
    # ---- what the agent was told, and that it should not mind it
    "disregard": """
        ignor* disregard* desconsider* esquec* forget* drop* bin suspend* bend break* overrid* overrul* anul* quebr*
        skip* sobrescrev* larg* descart* abandon* viola violar viole violate contorn* dispens* waiv* revog* discard*
        bypass* pul* ultrapass* lado joga jogue scrap erase ditch* unlearn* desrespeit* desprez* neglect mute desative
    """,
    "forget": "ignor* disregard* desconsider* esquec* forget*",
    "disobey": "desobedece desobedeca desobedecer disobey rebel",
    "follow": "segue* seguir seguindo siga sigo cumpr* obedec* obey* follow* comply respeite respeitar heed adhere",
    "apply": "apply applies aplica aplicam valem vale",
    "heed": "siga segue follow obey obedece obedeca",
    "obey": "obedec* obey*",
    "work": "work works working trabalha trabalhar",
    "rules": """
        instruc* instrus* instruk* rule* regra* guideline* diretri* diretiv* directive* policies politicas guardrail*
        programacao programming prompt* promt* orientac* normas safeguard* configuracao configuration censur* censor*
        filtro* mandamento* commandment* script
    """,
    "policy": "policy politica protocol* orders ordens ordem",
    "restrictions": "restric* restrict* constraint* limitation* limitac*",
    "limits": "regra* rule* filtro* filter* censur* censor* guardrail* scruple* etica ethic* freio*",
    "theirs": "their deles insurance seguro apolice",
    "new": "nova novas novo new updated atualizad*",
    "system": """
        sistema system developer desenvolvedor inicial iniciais initial secret* secreta* ocult* hidden original
    """,
    "everything": "tudo todo todos toda todas everything all anything whatever every o what thing monte",
    "gave": """
        deram disseram mandaram mandou ensinaram programaram colocaram deu recebeu given gave told received placed
        trained taught puseram definiram fed imposed impuseram wrote ordered passaram
    """,
    "said": "said disseram falaram told",
    "wrong": "errad* wrong expired venceram vencidas outdated void invalid* revogad* conflict* replaced",
    "gone": "suspend* cancel* lifted gone off acabaram void",
    "matter": "matter matters importa importam conta counts",
    "release": "release releas* liber* free",
    "alter": "rewrite change update edit alter* mude muda atualiz* reescrev* modif* reprogram*",
    "reprogram": "reprogram*",
    "makebelieve": "conta believe",
    "being": "being ser",
    "assistant": "assistant assistente atendente agent agente bot",
    "will": "will would wont vai vao",
    "payment": "pagamento payment standing compra debito",
    "say": "say says digo falo disser mando mandar",
    "wins": "wins win vale prevalece",
    # ---- that, to be read out
    "prompt": """
        prompt promt instruc* instrus* instruk* guideline* diretri* directive* programacao programming configuracao
        configuration briefing orientac* persona
    """,
    "instructions": "instruc* instrus*",
    "rulebook": "rules regras policies politicas normas",
    "promptword": "prompt promt",
    "about": "for para pra about sobre on",
    "reveal": """
        revel* reveal* mostr* show* shoe repit* repet* repeat* recit* imprim* print* exib* display* output* dump*
        traduz* translat* dita dite ditar dicta* echo* spell* soletr* disclos* divulg* read lei le ler leia sing
        canta* resum* summar* copi* copy* paste conta conte contar tell diz dizer diga fala fale escrev* write lembr*
        remind* recite give enumer* describ* descrev* list leak* vaz* quais qual what whats which turn coloque colocar
        see hear state ver quantas quantos how wording
    """,
    "expose": """
        revel* reveal* mostra mostre mostrar show print dump imprim* leak vaz* disclos* expose abre output share
    """,
    "reproduce": "repit* repet* repeat* recit* imprim* print* output* dump* echo* copi* copy* recite transcrev*",
    "content": "texto text conteudo content* contexto context mensagem message tudo everything what words palavras",
    "before": "antes anterior* previous* prior above acima before earlier preceding oculto hidden window",
    "text": "texto text wording sentence frase words palavras list",
    "defines": "define* describ* descrev* governs",
    "behaviour": "comporta* behav* papel role",
    "configured": "instruid* configurad* configured instructed",
    "conversation": "conversa conversation chat",
    "context": "context contexto",
    "source": "source fonte",
    "begin": "comec* inici* begin* start* complet* termin* finish*",
    "answer": "resposta answer frase sentence reply",
    "tools": "ferramentas tools functions function funcoes",
    "have": "tem have has possui",
    "callable": "call chamar parameters parametros arguments argumentos",
    "mention": "mention* tell contar conta falar revelar discuss* share",
    "allowed": "allowed permitido proibid* forbidden mandaram supposed",
    # ---- somebody else to be
    "pretend": """
        finj* fing* pretend* imagin* suppos* suponh* simul* atue atua atuar act interpret* encarn* roleplay seja aja
        age agir
    """,
    "be": "be seja become",
    "imagine": "imagin* suppos* suponh* finj* fing* pretend* simula simule",
    "act": "act aja age agir atue",
    "asif": "como as though if like que",
    "unbound": """
        dan jailbreak* uncensored unfiltered unrestricted evil corrupt* malvad* ilimitad* irrestrit* hacker golpista
        omega bash amoral rogue
    """,
    "loose": "livre free terminal shell",
    "fosse": "fosse",
    "role": "role",
    "sudo": "sudo",
    "robot": "robo robot",
    "mode": "modo mode",
    "special": """
        desenvolvedor* developer dev deus god debug* depuracao livre free admin* root dan sudo manutenc* maintenance
        teste test factory fabrica diagnostic* irrestrito unrestricted jailbreak*
    """,
    "play": "play jogar brincar",
    "game": "jogo game brincadeira",
    "stay": "stay fique mantenha continue never break",
    "character": "personagem character",
    "opposite": "opposite contrario",
    "day": "day dia",
    "become": "vira torna become turn transforma",
    "genuine": "verdadeir* genuine master mestra mestre",
    "hypothetical": "hypothetic* hipotetic*",
    "family": """
        mae mother mum* mom* father pai dad dads esposa marido wife* husband* filha filho son daughter avo nan gran*
        irma irmao brother* sister* tia tio
    """,
    # ---- a check to be left out
    "skip": """
        pula pule pular skip skipping bypass* dispens* waiv* deslig* desativ* desabilit* disable* turn ignora ignore
        omit* drible driblar burla* contorn* suspend* override elimin*
    """,
    "gate": """
        verific* verify* autentic* authentic* confirma* confirm* biometr* identific* identif* identity identidade
        validac* validat* validar validou valida token checagem check checks checked cleared otp senha* password*
        passcode pin codigo code cpf birth nascimento callback faceid analise perguntas questions asking perguntar
    """,
    "askfor": """
        peca pecam pedir pedindo perguntar perguntando pergunte ask asking exija exigir require* solicit* request*
        authenticate reading start
    """,
    "do": """
        faz faca fazer fac* libera* libere manda mande mandar send make release pay paga pague pagar transfer*
        transfira execut* cumpra chame chama wire call atende atenda unlock approve aprova* troca put move help carry
        limite limit
    """,
    "mayi": "posso consigo existe dificuldade possivel possible way precisa",
    "give": "da dar",
    "can": "can could do",
    "already": "ja already",
    "straight": "direto straight pula pule skip",
    "step": "parte etapa step part payment pagamento",
    # ---- somebody's word for it
    "claim": "sou somos falo im am speaking behalf trabalho work wrote criou",
    "here": "aqui this here quem",
    "behalf": "behalf nome",
    "police": "police policial policia sargento sergeant delegado detective detetive court juiz judge",
    "authority": """
        seguranca security fraud* policia policial police sargento sergeant detetive delegad* officer investigad*
        investigator auditor* audit* administra* admin diretor* director chief ceo executive presidente gerente*
        manager suporte support desenvolvedor* developer* programador* programmer engenheir* engineer prevencao
        prevention compliance juridico legal advogad* lawyer solicitor attorney central federal reserve juiz judge
        justica funcionari* employee teller colega colleague tecnic* technician inspector fiscal ti supervisor* openai
        anthropic groq setor department
    """,
    "owner": "dono dona owner belongs",
    "public": "publico publica",
    "victim": """
        cliente* customer* correntista* titular* holder caller senhora mrs mr ele ela dele dela deles delas her his
        him hers she he regras rules autenticacao authentication
    """,
    "allows": "autoriz* authori* liber* permit* permission deixou allow* waiv* aprovou approved cleared says vouch*",
    "elevate": "elev*",
    "privilege": "acesso access privilege* permission* permissao",
    # ---- keys, and what is other people's
    "ask": """
        passa passe passar dar give tell read lei le ler leia conta conte contar confirma confirme mostr* show* list*
        inform* fala fale falar diz diga dizer hand provid* ver ve look lookup consult* acessa quanto how what whats
        qual which check puxa send envi* reveal* quero preciso need
    """,
    "demand": """
        passa passe passar give tell read lei le ler leia conta conte diz diga dizer fala fale send envi* reveal* hand
        da mostra mostre show qual whats list* confirme confirma confirm names nomes inform* state
    """,
    "reset": "reset* change* troca* mudar alterar recuper* recover new nova unlock desbloque* block bloque*",
    "password": "senha* password* passcode pin codigo code cvv digits digitos",
    "private": """
        saldo balance extrato statement endereco address telefone phone mobile celular email dados details compras
        purchases cadastro cpf conta account gast* spend* bought fatura bill name nome numero number overdrawn record*
        file
    """,
    "contact": "cpf endereco address telefone phone nome name",
    "other": """
        vizinh* neighbour* neighbor* sogra* sogro* namorad* girlfriend* boyfriend* ex chefe boss roommate* coworker*
        cunhad* rival concorrente alheia alheio
    """,
    "inlaw": "law laws",
    "overdrawn": "overdrawn negativado devendo",
    "hers": "dela dele delas deles her his hers him she",
    "key": "chave chaves key keys credencia* credential* token tokens segredo secret senha* password* apikey",
    "machine": """
        api secret* secreta acesso access sistema system servidor* server* backend webhook* ambiente environment
        autorizacao authorization header cabecalho administrador administrator master mestra config* infra* operadora
        provider
    """,
    "use": "usa use uses using conecta connect acessa reach roda run",
    "pix": "pix",
    "variables": "variav* variable*",
    "customers": "clientes customers correntistas usuarios",
    "customer": "cliente customer caller correntista pessoa person",
    "service": "service",
    "rich": "saldo balance million milhao milhoes savings",
    "last": "ultimo last previous anterior before antes",
    "who": "who whose quem",
    "called": "called ligou",
    "list": "list lista liste listar names nomes",
    # ---- tools
    "call": "chame chama chamar call execut* run rode rodar invok* invoc* aciona acione dispar* force forcing",
    "function": """
        ferramenta ferramentas tool tools function funcao funcoes api webhook comand* command lookup endpoint
    """,
    "use_it": "use usa usar passa pass using",
    "tool": "ferramenta tool lookup",
    "answers": "responder responde diga diz says returns return disser retorn*",
    "set": "set poe ponha parameter* parametro*",
    "trace": "rastro trace vestigio",
    "logs": "logs registros registro",
    "keep": "keep deslig* out apaga* erase",
    "refused": "negado denied refused recusad* erro error",
    "granted": "aprovado approved permitido liberado true verdadeiro",
    "trigger": "trigger* dispara* exceed*",
    "limit": "limite limit alert alerta",
    # ---- marks and riddles, said aloud
    "mark": "barra slash colon pontos hash velha colchete bracket tag sistema system aspas quote",
    "colon": "colon pontos",
    "end": "fim end final",
    "riddle": "base64 rot13 hex decodifi* decode* alphabet alfabeto silabas syllables morse cifra* cipher thirteen",
    "base": "base",
    "sixty": "sessenta sixty",
    "backwards": "contrario backwards tras left invertido",
    "read": "read leia le lei ler",
    "carryout": "siga segue obedec* obey* cumpr* comply* follow* execut* faca faz do responde answer aja",
}
