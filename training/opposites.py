"""The opposite of a sentence by one word: "rose" for "fell", a "not" more or less. Clumsy, and for training only."""

from __future__ import annotations

import random
import re

# Pairs that stand for each other, with a slash between; a word of a pair may be two.
_OPPOSITES = {
    "en": """
    rose/fell, risen/fallen, rising/falling, rise/fall, rises/falls, increase/decrease, increased/decreased,
    increases/decreases, increasing/decreasing, grew/shrank, grow/shrink, higher/lower, more/fewer, more/less,
    most/least, before/after, first/last, all/none, opened/closed, open/closed, opens/closes, opening/closing,
    won/lost, win/lose, wins/loses, winning/losing, for/against, supports/opposes, supported/opposed,
    support/oppose, allowed/banned, allows/bans, allow/ban, permitted/forbidden, accepted/rejected,
    accepts/rejects, accept/reject, approved/rejected, approve/reject, agreed/refused, agrees/refuses,
    began/ended, begin/end, begins/ends, started/stopped, start/stop, starts/stops, kept/dropped, keep/drop,
    hired/fired, bought/sold, buy/sell, buys/sells, gained/lost, gain/lose, early/late, earlier/later,
    longer/shorter, larger/smaller, bigger/smaller, better/worse, best/worst, always/never, often/rarely,
    everybody/nobody, everyone/nobody, with/without, inside/outside, public/private, possible/impossible,
    legal/illegal, confirmed/denied, confirms/denies, confirm/deny, welcomed/criticised, welcomes/criticises,
    praised/criticised, succeeded/failed, succeed/fail, includes/excludes, included/excluded, increase/cut,
    raised/lowered, raise/lower, raises/lowers, strengthened/weakened, improved/worsened, expanded/reduced,
    expand/reduce, cheaper/dearer, free/paid, new/old, many/few, majority/minority, men/women, young/old,
    guilty/innocent, safe/dangerous, because of/despite, can/cannot, only/not only, at least/at most, more
    than/less than, remain/leave, remains/leaves, stay/leave,
    stays/leaves, stayed/left, joined/left, join/leave, present/absent, win/defeat, victory/defeat, profit/loss,
    profits/losses, surplus/deficit, success/failure, morning/evening, summer/winter, north/south, east/west,
    richer/poorer, warmer/colder, faster/slower, stronger/weaker, easier/harder, positive/negative,
    voluntary/compulsory, temporary/permanent, permanently/temporarily
    """,
    "nl": """
    steeg/daalde, stegen/daalden, gestegen/gedaald, stijgt/daalt, stijgen/dalen, stijging/daling, groeide/kromp,
    groeit/krimpt, meer/minder, hoger/lager, meeste/minste, eerste/laatste, alle/geen, opende/sloot,
    geopend/gesloten, open/dicht, openen/sluiten, won/verloor, wint/verliest, winnen/verliezen,
    gewonnen/verloren, toegestaan/verboden, mag/mag niet, mogen/mogen niet, kan/kan niet, kunnen/kunnen niet,
    wil/wil niet, willen/willen niet, zal/zal niet, moet/hoeft niet, moeten/hoeven niet, begon/eindigde,
    begint/eindigt, beginnen/eindigen, begonnen/gestopt, kocht/verkocht, koopt/verkoopt, kopen/verkopen,
    gekocht/verkocht, aangenomen/verworpen, aanvaard/afgewezen, goedgekeurd/afgekeurd, steunt/bestrijdt,
    steunde/bestreed, bevestigde/ontkende, bevestigt/ontkent, prees/bekritiseerde, verwelkomde/bekritiseerde,
    slaagde/mislukte, vroeger/later, eerder/later, langer/korter, groter/kleiner, beter/slechter,
    beste/slechtste, altijd/nooit, vaak/zelden, iedereen/niemand, met/zonder, binnen/buiten, verhoogd/verlaagd,
    verhoogt/verlaagt, verhogen/verlagen, verhoging/verlaging, uitgebreid/ingekrompen, uitbreiden/inkrimpen,
    goedkoper/duurder, nieuwe/oude, jonge/oude, veel/weinig, meerderheid/minderheid, vrouwen/mannen,
    schuldig/onschuldig, veilig/gevaarlijk, dankzij/ondanks, wegens/ondanks, omdat/hoewel, minstens/hoogstens,
    winst/verlies, overschot/tekort, succes/mislukking, ochtend/avond, zomer/winter, noorden/zuiden,
    sneller/trager, sterker/zwakker, makkelijker/moeilijker, positief/negatief, vrijwillig/verplicht,
    tijdelijk/blijvend, blijft/verdwijnt, blijven/verdwijnen, behoudt/verliest, kreeg/verloor, vertrok/bleef,
    een/geen, niet/wel, meer dan/minder dan, wel/niet
    """,
    "de": """
    stieg/sank, stiegen/sanken, gestiegen/gesunken, steigt/sinkt, steigen/sinken, Anstieg/Rückgang,
    wuchs/schrumpfte, wächst/schrumpft, mehr/weniger, höher/niedriger, höhere/niedrigere, meisten/wenigsten,
    ersten/letzten, erste/letzte, alle/keine, öffnete/schloss, geöffnet/geschlossen, öffnet/schließt,
    öffnen/schließen, gewann/verlor, gewinnt/verliert, gewinnen/verlieren, gewonnen/verloren, erlaubt/verboten,
    darf/darf nicht, dürfen/dürfen nicht, kann/kann nicht, können/können nicht, will/will nicht, wollen/wollen
    nicht, wird/wird nicht, werden/werden nicht, muss/muss nicht, müssen/müssen nicht, ist/ist nicht, sind/sind
    nicht, hat/hat nicht, begann/endete, beginnt/endet, beginnen/enden, begonnen/beendet, kaufte/verkaufte,
    kauft/verkauft, kaufen/verkaufen, angenommen/abgelehnt, gebilligt/abgelehnt, genehmigt/untersagt,
    unterstützt/bekämpft, unterstützte/bekämpfte, bestätigte/bestritt, bestätigt/bestreitet, lobte/kritisierte,
    begrüßte/kritisierte, gelang/misslang, früher/später, länger/kürzer, größer/kleiner, größere/kleinere,
    besser/schlechter, beste/schlechteste, immer/nie, oft/selten, jeder/niemand, alle/niemand, mit/ohne,
    innerhalb/außerhalb, erhöht/gesenkt, erhöhen/senken, Erhöhung/Senkung, ausgebaut/abgebaut, ausbauen/abbauen,
    billiger/teurer, neue/alte, neuen/alten, junge/alte, viele/wenige, Mehrheit/Minderheit, Frauen/Männer,
    schuldig/unschuldig, sicher/gefährlich, dank/trotz, wegen/trotz, weil/obwohl, mindestens/höchstens,
    Gewinn/Verlust, Überschuss/Defizit, Erfolg/Misserfolg, Morgen/Abend, Sommer/Winter, Norden/Süden,
    schneller/langsamer, stärker/schwächer, leichter/schwerer, positiv/negativ, freiwillig/verpflichtend,
    vorübergehend/dauerhaft, bleibt/verschwindet, bleiben/verschwinden, behält/verliert, ein/kein, eine/keine,
    einen/keinen, einer/keiner, nicht/sehr wohl
    """,
}
_AUXILIARY = re.compile(r"\b(is|are|was|were|will|would|has|have|had|could|may|should|must)\b(?! not| no)")
_NOT = re.compile(r" (not|never|niet|nooit|nicht|nie)\b")


def flipped(text: str, language: str, rng: random.Random) -> str | None:
    """A text that says the opposite in one place; None where nothing in it can be turned."""
    found = [text[: match.start()] + text[match.end() :] for match in _NOT.finditer(text)]
    if language == "en":
        found += [text[: match.end()] + " not" + text[match.end() :] for match in _AUXILIARY.finditer(text)]
    for pair in _OPPOSITES[language].split(","):
        one, other = pair.strip().split("/")
        for old, new in ((one, other), (other, one)):
            for match in re.finditer(rf"(?<![\w-]){re.escape(old)}(?![\w-])", text):
                found.append(text[: match.start()] + new + text[match.end() :])
            if text.startswith(f"{old[0].upper()}{old[1:]} "):
                found.append(f"{new[0].upper()}{new[1:]}{text[len(old) :]}")
    return rng.choice(found) if found else None
