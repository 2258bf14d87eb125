"""The last words of what was said so far, and what they tell of whether more must come.

A line is a tail: words, each with its alternatives. `^` is the beginning of the sentence. The longest tail that is
listed decides: "posso" goes on, "não posso" may be all.
"""

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

LONGEST = 5
"""Of all tails, in words, `^` among them."""


class Tails(NamedTuple):
    """Of one language."""

    bound: frozenset[str]
    """Words that end nothing, not even a question."""
    unfinished: frozenset[str]
    complete: frozenset[str]
    unclear: frozenset[str]
    stranded: frozenset[str] = frozenset()
    """Last words that may end a sentence after all, where one of `strands` comes before: "who should I speak to"."""
    strands: frozenset[str] = frozenset()


def _expand(lines: str) -> frozenset[str]:
    return frozenset(
        " ".join(choice)
        for line in lines.strip().splitlines()
        for choice in product(*(word.split("|") for word in line.split()))
    )


_BOUND_PT = _expand(
    """
    o|a|os|as|um|uma|uns|umas|cada|qualquer
    de|do|da|dos|das|em|no|na|nos|nas|num|numa|por|pelo|pela|pelos|pelas|para|pra|pro|pras|pros|com|sem|sobre|entre
    até|desde|contra|durante|ao|aos|à|às|neste|nesta|nesse|nessa
    e|ou|mas|nem|porém|embora|enquanto|cujo|cuja
    """
)
_PT = Tails(
    bound=_BOUND_PT,
    unfinished=_BOUND_PT
    | _expand(
        """
        que|se|porque|quando|como|quem|onde|quanto|qual|caso|pois|conforme|apesar|há|quase|tão
        meu|minha|meus|minhas|seu|sua|seus|suas|nosso|nossa|nossos|nossas
        eu|me|te|lhe|só
        que|se|quando|porque|mas|enquanto|onde|como|e|caso ele|ela|eles|elas|você|vocês|alguém|ninguém
        que|se|quando|porque|mas|enquanto|onde|como|e|caso a gente
        é|são|era|eram|está|estão|estava|estavam|tá|estou|tô|foi|foram|fui|seria|ser|estar
        posso|pode|podem|podia|poderia|poderiam|consigo|consegue|conseguem|vou|vai|vão|vamos|ia|iria
        tenho|tem|têm|tinha|temos|teria|devo|deve|deveria|costumo
        quero|queria|queremos|quer|gostaria|preciso|precisa|precisava|precisaria|prefiro|preferia|desejo
        eu perdi|recebi|comprei|pedi|fiz|tentei|comecei|acabei|acabo|moro|tive|esqueci|trabalho
        quero|queria|preciso|para|vou saber|fazer|ver|ter
        gostaria|preciso|precisava de saber|fazer|ver|ter
        é|está|tá|foi|são|estou|tô|estava|ficou muito|bem
        eu|que|mas|ele|ela|você|e já|ainda|também|nunca|sempre
        que|mas|porque|e|se|ele|ela não
        mas|que|porque|se|quando|e eu não
        hum|hmm|hm|ahn|ãhn|ãh|hã|eh|uhm|tipo|digamos
        ^ você|vocês|ele|ela|eles|elas
        ^ a gente
        ^ qual é
        ^ quais são
        ^ estou|tô ligando
        moro na rua|avenida
        quero|queria|preciso falar|confirmar
        vou precisar|querer
        queria marcar|agendar|pedir|verificar|entender|comprar|transferir|atualizar|trocar|cancelar|remarcar
        gostaria de falar|confirmar|marcar|agendar|pedir|verificar|entender|comprar|transferir|atualizar|trocar
        ^ então|olha|olhe|escuta|veja|assim|bem
        e|mas|bom|é então
        ^ é é
        deixa eu
        deixa eu ver|pensar|lembrar
        quer dizer
        ou seja
        """
    ),
    complete=_expand(
        """
        ^ sim|não|isso|ok|okay|certo|tá|beleza|perfeito|claro|exato|exatamente|correto|combinado|confirmo|nada|nenhum
        ^ nenhuma|ninguém|uhum|aham|ahã|nunca|tchau
        isso mesmo|aí
        é isso
        tá|está bom|certo|ok|ótimo|ótima
        ^ pode ser
        ^ sim|então|claro pode ser
        ^ sim|claro quero|posso|tenho|consigo|preciso
        ^ pode sim
        ^ tudo bem|certo
        com certeza
        obrigado|obrigada|valeu
        por favor
        só isso
        era|é só isso
        acho|claro|espero que sim|não
        mais nada
        tanto faz
        agora|ainda|também não
        sou eu
        até logo|mais|amanhã
        """
    ),
    unclear=_expand(
        """
        ^ um|uma|para|entre|pois|quem|onde|quando|como|quanto|que|só|por
        ^ por favor
        só|mais|cada|nem um|uma
        ou sem
        sei|lembro|lembra quando|quanto|onde|como|quem|qual
        sei|entendi por que
        de|com|para|pra quem
        até|desde|para quando|onde
        e|que|mas|porque agora|ainda|também não
        não|pois|ah|que|qual|quais|quanto|quantos|como|onde|quem|já|aqui|ainda|horas|assim é|são|era|eram|está|estão|tá
        não|pois|ah|que|qual|quais|quanto|quantos|como|onde|quem|já|aqui|ainda foi|foram|estou|tô|estava|seria
        não|já|também|ainda|quem posso|pode|podem|consigo|consegue|vou|vai|vão|tenho|tem|têm|tinha|quero|quer|queria
        não|já|também|ainda|quem preciso|precisa|devo|deve|deveria|temos|vamos
        como vai|vão
        quanto|quantos|quantas|que tem|têm
        ^ é|são|era|está|foi|estou|tô|posso|pode|podem|consigo|vou|vai|vamos
        ^ tenho|tem|têm|quero|queria|preciso|prefiro
        que eu quero|preciso|tenho|perdi|recebi|comprei|pedi|fiz|tentei|tive
        é|são|era|foi|não meu|minha|meus|minhas|seu|sua|seus|suas|nosso|nossa
        nem|era eu
        do|mais|menos que eu|ele|ela|eles|elas|você|vocês
        era|é só
        que|qual|outro|esse|desse|do|algum|um|mesmo tipo
        """
    ),
)

_BOUND_EN = _expand(
    """
    the|a|an|my|your|our|their|its|every|very|and|but|or|if|because|although|whereas|than|unless|into|during|between
    i'm|i'll|i've|i'd|it's|he's|she's|we're|you're|they're|we've|we'll|we'd|they've|they'll|you'll|you've|he'll|she'll
    there's|that's|what's|where's|who's|how's|let's|gonna|wanna|gotta|whose|mr|mrs|ms|dr
    """
)
_STRANDED_EN = _expand(
    """
    to|for|from|with|at|about|of|by|without|through|in|on|under|like
    is|are|was|were|am|be|been|has|have|had|do|does|did|will|would|can|could|should|might|must
    want|wanted|wants|need|needed|needs|prefer|when|where|how|why|which|who|what
    don't|doesn't|didn't|won't|can't|couldn't|wouldn't|haven't|hasn't|isn't|aren't|wasn't|weren't|shouldn't
    """
)
_EN = Tails(
    bound=_BOUND_EN,
    unfinished=_BOUND_EN
    | _STRANDED_EN - {"like"}
    | _expand(
        """
        i|he|she|we|they|which|while|whether|until|till|since|as|per|near|against|being|after|before|such|his
        can|could|would|will|do|did|are|have|should|does|is you|it
        and|but|if|because|that|when|so|which|while you|it|there
        would|i'd|we'd|he'd|just|was like
        ^ like|so|well|actually
        i'd|would rather
        let|give|send|tell|show me
        let me see|think
        i|i've|already|have|can|just|i'm|it's|and just|only|also|already|never|really|still
        it|they|she|he|is|was|i'm still|just|also|already
        been|is|was|i'm really|quite|so
        ^ how much|many|long|often|far|soon|about
        ^ what time|kind|day
        supposed|i'm going
        want|need|wanted|like|love|have to know|make|get|understand|update|check|confirm|book|schedule|change|speak
        ^ i bought|made|got|lost|received|ordered|placed|missed|started|sent|took
        for|until|since next|last
        is|was|said|says|me|think|so|sure|mean|means|noticed|saying|say that
        i'm|was|i|been calling|wondering
        with no
        and|is|was|under|on|in|at|with her
        ^ i think|guess|believe|mean
        and|but i think|guess|believe|mean
        ^ you know
        and you know
        and so
        can|could|would|will you please
        um|uh|er|erm|uhm|umm|uhh|hmm|hm
        """
    ),
    complete=_expand(
        """
        ^ yes|no|yeah|yep|yup|nope|sure|ok|okay|right|correct|exactly|absolutely|definitely|alright|fine|great|perfect
        ^ nothing|neither|none|goodbye|bye|uh-huh|mm-hmm|mhm|never
        ^ all right
        thank you
        thanks|please
        thank you so|very much
        that's all|it|right|fine|correct|good|okay|ok|great|perfect
        go ahead
        sounds good|great|fine|perfect
        of course
        think|guess|hope|believe so
        hope|guess not
        not yet|really|anymore
        nothing else
        i'm good
        that works
        ^ no problem
        all set
        """
    ),
    unclear=_expand(
        """
        ^ please
        i|you|and|just please
        so|neither|than do|am|can i
        how|where|who|what are you
        how is it
        ever since
        day|week|month|year|time|night|morning|ever|never|as|long|shortly before|after
        look|looked looking|after
        come|comes|came|stop|drop|pass|go by
        go|gone|went|get|got|come|came|me|it|them through
        log|logged|logging|come|came|coming|check|checked|sign|signed|plug|plugged|get|got|go|went|let|back|call in
        called|it|them|me|walk|moved|drop|stay|am|i'm|is|be|type|fill|filled in
        hold|hang|go|going|went|come|turn|turned|it|that|put|keep|move|get|from|later|back|is on
        a while
        it's|is|was|of his
        i|you|will|please|to|can|we|they|could do
        ^ yes|yeah|no i|you|he|she|it|we|they|that am|is|are|do|did|does|will|can|have|has|had|was|were|would|could
        ^ i|you|he|she|it|we|they|that am|is|are|do|did|does|will|can|have|has|had|was|were|would|could|should
        ^ i|you|he|she|it|we|they don't|doesn't|didn't|won't|can't|couldn't|wouldn't|haven't|hasn't|isn't|wasn't
        """
    ),
    stranded=_STRANDED_EN,
    strands=_expand(
        """
        what|who|which|where|when|how|why|whom|not|never|think|hope|guess|wish|as|so|than|one|ones|if
        anything|everything|something|nothing|whatever|all|don't|doesn't|didn't|won't|can't|couldn't|wouldn't
        haven't|hasn't|isn't|wasn't|what's|where's|who's|how's|person
        """
    ),
)

TAILS: Mapping[str, Tails] = {"pt": _PT, "en": _EN}
