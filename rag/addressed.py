"""Whether a text gives orders to a language model, as planted in articles: "Ignore all previous instructions ...".

A sentence that does so is quoted to readers like any other, since it stands in the article; but no model is shown it,
and nothing that a model writes can rest on it. Small word patterns in Dutch, German and English, no judgement: an
innocent sentence that looks like an order costs a written answer, and nothing else.
"""

from __future__ import annotations

import re

from rag.sentences import sentences

# Where an order begins: a sentence, a clause, or after a word that leads up to one.
_ORDER = (
    r"(?:^|[.!?:;,\-–—\"“„»(\[]\s*|\b(?:please|must|should|then|and|to|bitte|und|dann|muss|musst|sollst|alstublieft|"
    r"graag|en|dan|maar|sondern|moet)\s+)"
)
_MACHINE = (
    r"(?:(?:ai|ki)[- ](?:assistants?|assistent(?:en)?|models?|modelle?n?|modellen)|(?:large )?language models?|llms?|"
    r"chatbots?|taalmodel(?:len)?|sprachmodelle?n?)"
)
_REPLY = r"(?:answer|reply|response|summary|output|sentence|antwoord|samenvatting|zin|antwort|zusammenfassung|satz)"
_YOUR = r"(?:your|every|each|je|jouw|uw|elke?|ieder|iedere|deine?[mnr]?|ihre?[mnr]?|jede[mnrs]?)"
_NAMED = r"(?:words?|phrase|string|code|sentence|woord|woorden|zin|tekst|wort|wörter|worten?|satz|text)"
_PATTERNS = (
    # forget what you were told
    r"\b(ignore|disregard|forget|override|bypass)\b.{0,20}\b(previous|prior|above|earlier|preceding|all|any|every|these|"
    r"your|system|everything)\b.{0,30}\b(instructions?|prompts?|rules?|guidelines?|directions?|commands?|context|"
    r"were told)\b",
    r"\b(ignore|disregard|forget)\b.{0,12}\b(the above|everything (above|before)|(instructions?|rules) (above|before))",
    r"\b(negeer|vergeet|sla)\b.{0,20}\b(alle|vorige|voorgaande|bovenstaande|eerdere|deze|je|uw|wat)\b.{0,30}\b(instructie|"
    r"opdracht|prompt|regel|aanwijzing|gezegd)",
    r"\b(ignoriere?|ignorieren sie|vergiss|vergesst|vergessen sie|missachte|missachten sie|überspringe?)\b.{0,40}"
    r"(anweisung|instruktion|prompt|regel|vorgabe|befehl|gesagt)",
    r"\b(new|updated|nieuwe|neue) (instructions?|instructies?|opdracht(en)?|anweisung(en)?)\s*:",
    # what you are, and how you are set up
    r"\b(system ?prompt|systeemprompt|system ?message|jailbreak|developer mode|prompt injection)\b",
    r"\b(you are|act|behave|je bent|u bent|gedraag je|du bist|sie sind|verhalte dich)\b.{0,20}\b(now|nu|jetzt|als|as) "
    r"(an?|een|eine?)\b.{0,30}\b(assistant|ai|model|bot|pirate|assistent|piraat|modell|pirat|ki)\b",
    # a turn of a conversation, or a mark of one
    r"(^|[\n\"“„(\[<#*]|[.!?]\s)\s*(system|assistant|user|human|instructions?|systeem|assistent|instructies?|anweisung(en)?|"
    r"note to (the )?(ai|assistant|model|llm))\s?(?:\]|>|\*\*)?\s?:",
    r"<\|.{0,30}\|>|\[/?inst\]|<</?sys>>|</?(system|assistant|user|instructions?)>|###\s*(instruction|system|response)",
    # say this
    _ORDER
    + r"(reply|respond|answer|output|print|repeat|say|write|return)\b.{0,40}\b(only|exactly|verbatim|nothing else|"
    r"single word|the following)\b",
    _ORDER
    + r"(antwoord|zeg|schrijf|herhaal|druk)\b.{0,30}\b((alleen|uitsluitend|enkel)( maar)? (met|in|het|de|dit)|niets "
    r"anders)\b",
    _ORDER + r"(antworte|antworten sie|sage|sag(?!-)|sagen sie|schreibe?|schreiben sie|wiederhole)\b.{0,30}\b((nur|"
    r"ausschließlich) (mit|in|das|den|die|dies)|nichts anderes)\b",
    # "… with the word BANANA", in capitals or in quotation marks
    _ORDER + r"\w+\b.{0,40}\b" + _NAMED + r"\s+[\"“„'‘»]?(?-i:[A-Z]{3,})",
    _ORDER
    + r"(reply|respond|output|print|say|zeg|antwoord|schrijf|noem|vermeld|sage|sag(?!-)|antworte|schreibe?|erwähne|"
    r"write|mention)\b.{0,20}[\"“„'‘»]?(?-i:\b[A-Z]{5,}\b)",
    # what the answer must have in it
    _ORDER
    + r"(include|append|insert|add|mention|begin|start|end|finish|cite|voeg|noem|vermeld|begin|eindig|beëindig|sluit|"
    r"füge?|fügen sie|nenne|erwähne|beginne|beende|ende)\b.{0,60}\b" + _YOUR + " " + _REPLY + r"\b",
    _ORDER
    + r"(include|append|insert|add|show|voeg|toon|füge?|zeige?)\b.{0,20}\b(this|deze|diesen|dieses|diese) (link|image|"
    r"url|picture|afbeelding|bild)\b",
    r"\b(your|je|jouw|uw|deine|ihre) " + _REPLY + r"\b.{0,15}\b(must|should|has to|needs to|moet|muss|soll)\b",
    r"\b(do not|don['’]t) answer the (question|user)|\bbeantwoord de vraag niet|\bbeantworte\w*( sie)? die frage nicht",
    # you who read this, and are a machine
    _MACHINE + r"\b.{0,30}\b(reading|who read|die dit lezen|die dies lesen)\b",
    _MACHINE + r"\b.{0,12}\b(must|should|moeten?|müssen|sollen)\b.{0,60}\b(in|with|met|mit) " + _YOUR + " " + _REPLY,
    r"\b(if|when) you( are|['’]re) (an? |the )?(ai|a\.i\.|" + _MACHINE + r"|assistant|bot)\b",
    r"\b(als|wanneer) (je|u) (een|het) (ai|" + _MACHINE + r"|assistent|bot)\b.{0,12}\bbent\b",
    r"\b(wenn|falls) (du|sie) (eine?|das) (ki|" + _MACHINE + r"|assistent|bot)\b.{0,12}\b(bist|sind)\b",
    r"\b(if|when) you summari[sz]e\b|\b(je|u|du|sie) (dit|deze|dies|das|diesen)\b.{0,20}\b(samenvat|zusammenfass)",
    r"\b(dear|beste|liebe[rs]?|hello|hallo|attention|achtung|let op|note to),? (the |the reading |het |de |das |die |"
    r"alle |all )?(" + _MACHINE + r"\b|(ai|ki)\s?[,:!])",
)
_ADDRESSED = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE | re.DOTALL)


def addresses_a_model(text: str) -> bool:
    """Whether a text gives orders to a language model that reads it."""
    return _ADDRESSED.search(text) is not None


def without_orders(text: str, language: str | None) -> str:
    """A text without its sentences that give orders; nothing of one whose orders go on over several sentences."""
    if not addresses_a_model(text):
        return text
    cut = (text[sentence.start : sentence.end] for sentence in sentences(text, language))
    left = " ".join(sentence for sentence in cut if not addresses_a_model(sentence))
    return "" if addresses_a_model(left) else left
