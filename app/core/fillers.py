"""Words that people say around a question and that say nothing about it: "um", "okay so", "thanks".

A search for them finds nothing, so that the question seems not to be in the documents.
"""

import re

from app.core.words import content_terms

_SOUNDS = "um|umm|uh|uhm|erm|hmm|mhm|äh|ähm|öhm|euh"
# These are words too ("well depth", "right angle"): left out only before what can begin a question.
_OPENERS = (
    "okay|ok|hey|hi|hello|yeah|yes|alright|all right|right|well|so|now|anyway|actually|basically|listen|look"
    "|you know|i mean|let me see|let's see|one more question|quick question|just wondering"
    "|hallo|na ja|naja|na|ja|also|gut|sag mal|du|genau"
    "|bon|alors|bonjour|salut|dis|voyons|bueno|pues|hola|oye|a ver"
)
_CLOSERS = (
    "please|thanks|thank you(?: very much)?|thanks a lot|you know|or something|if you can|if you know"
    "|if you don['’]t mind|for me|real quick|again|i think|i guess"
    "|bitte|danke|vielen dank|s['’]il (?:te|vous) plaît|merci|por favor|gracias"
)
_BEGINNINGS = (
    "what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|has|have|had|can|could|will|would"
    "|shall|should|may|might|tell|give|show|explain|describe|list|name|summari[sz]e|find|and|but|or|about|i|i['’]\\w+"
    "|in|on|at|for|from|to|by|of|the|please|according"
    "|was|wer|wen|wem|wann|wo|warum|wieso|wie|welche\\w*|ist|sind|hat|haben|kann|können|und|aber|bitte|erklär\\w*|nenn\\w*"
    "|que|quoi|qui|quel\\w*|quand|où|pourquoi|comment|combien|est|sont|et|mais|explique\\w*"
    "|qué|quién\\w*|cuál\\w*|cuándo|dónde|cómo|cuánt\\w*|y|pero|explica"
)
_GERMAN = re.compile(
    r"(?<!\w)(?:der|das|eine?|zu|und|ist|wie|wird|werden|wurden?)(?!\w)"
)  # "um" is a word there
# Nothing but such words before a question word says nothing, in whatever order.
_SMALL = (
    "a|again|all|alright|anyway|ask|assistant|basically|bother|can|check|computer|could|curious|do|evening"
    "|excuse|find|for (?:me|you)|forgot|friend|get|give|good|guess|have|hear|hello|help|hey|hi|i|i['’](?:d|m)"
    "|i['’]ve|if|just|kind of|know|let|let['’]s|like|listen|look|may|me|mean|mind|more|morning|my|need|now|ok"
    "|okay|one|out|please|question|quick|quickly|really|remember|remind|right|right then|say|see|so|sorry"
    "|sort of|suppose|tell|thank|thanks|(?:hi|hey|hello) there|think"
    "|to (?:ask|bother|check|find|hear|know|see)|uh|um|want|wanted"
    "|was wondering|well|wonder|wondering|would|yeah|yep|yes|you"
)
_ASKING = "what|which|who|whom|whose|when|where|why|how"
_LAST = 200  # characters in which a question ends
_GAP = r"[\s,.…!;:–—-]+"
_WHOLE_GAP = rf"(?<![\s,.…!;:–—-]){_GAP}"  # from its beginning, or long runs of spaces would take for ever
_SOUND = re.compile(rf"(?<![\w'’-])(?:{_SOUNDS})(?![\w'’-])[,.…]*\s*")
_FIRST_SOUND = re.compile(rf"^\W*(?:(?!(?-i:U[MH]))(?:{_SOUNDS}){_GAP})+", re.IGNORECASE)
_OPENER = re.compile(
    rf"^\W*(?:{_OPENERS}){_GAP}(?=(?:(?:{_OPENERS}|{_SOUNDS}){_GAP})*[¿¡]?(?:{_BEGINNINGS})(?!\w))",
    re.IGNORECASE,
)
_SMALL_RUN = re.compile(rf"^\W*(?:(?:{_SMALL}){_GAP})+(?=(?:{_ASKING})(?!\w))", re.IGNORECASE)
_CLOSER = re.compile(rf"(?:{_WHOLE_GAP}(?:{_CLOSERS}))+(?P<end>[\s.!?]*)$", re.IGNORECASE)


def without_fillers(question: str) -> str:
    """Leave out what says nothing; the question itself where nothing else remains."""
    text = question if _GERMAN.search(question) else _SOUND.sub("", question)
    text = _FIRST_SOUND.sub("", text)
    text = _SMALL_RUN.sub("", text)
    while text != (text := _OPENER.sub("", text, count=1)):
        pass
    head, tail = text[:-_LAST], text[-_LAST:]
    shorter = head + _CLOSER.sub(lambda match: match["end"], tail)
    text = (shorter if content_terms(shorter) else text).strip()
    return text if re.search(r"\w", text) else question
