"""What countries, languages and cities are called in Dutch, German and English, as far as news has them.

Names of countries are CLDR's (by Babel); what is called after them, and cities, stands here.
"""

from __future__ import annotations

import re
from functools import cache

from babel import Locale

from rag.terms import fold

# A group a line; what is indented goes on.
_SAME_WORDS = """
ai ki intelligence intelligenz intelligentie
uk vk gb
us usa vs
un vn uno
nato navo
ecb ezb
who wgo
gp hausarzt huisarts
germany german germans deutschland deutsch deutsche deutschen deutscher deutsches duitsland duits duitse duitser
netherlands dutch niederlande niederländisch niederländische niederländischen nederland nederlands nederlandse
  nederlander holland holländisch hollands
britain british uk united kingdom großbritannien britisch britische britischen groot-brittannië brits britse england
  english englisch engels engelse england
france french frankreich französisch französische französischen frankrijk frans franse
america american americans us usa united states amerika amerikanisch amerikanische amerikanischen amerikaans
  amerikaanse vereinigte vereinigten staaten verenigde staten vs
belgium belgian belgien belgisch belgische belgischen belgië
switzerland swiss schweiz schweizer zwitserland zwitsers zwitserse
austria austrian österreich österreichisch österreichische österreichischen oostenrijk oostenrijks oostenrijkse
europe european europeans eu union europa europäisch europäische europäischen europees europese unie
spain spanish spanien spanisch spanische spanischen spanje spaans spaanse
italy italian italien italienisch italienische italienischen italië italiaans italiaanse
poland polish polen polnisch polnische polnischen pools poolse
china chinese chinesisch chinesische chinesischen chinees
russia russian russland russisch russische russischen rusland
japan japanese japanisch japanische japanischen japans japanse
sweden swedish schweden schwedisch schwedische schwedischen zweden zweeds zweedse
denmark danish dänemark dänisch dänische dänischen denemarken deens deense
norway norwegian norwegen norwegisch norwegische norwegischen noorwegen noors noorse
ireland irish irland irisch irische irischen ierland iers ierse
turkey turkish türkei türkisch türkische türkischen turkije turks turkse
finland finnish finns finnland finnisch finnische finnen fins finse finnen
syria syrian syrians syrien syrer syrern syrisch syrische syrischen syrië syriër syriërs
iraq iraqi iraqis irak iraker irakern irakisch irakees irakezen
greece greek greeks griechenland griechisch griechische griekenland grieks griekse
hungary hungarian ungarn ungarisch hongarije hongaars hongaarse
czech tschechien tschechisch tschechische tsjechië tsjechisch
morocco moroccan marokko marokkanisch marokkaans
egypt egyptian ägypten ägyptisch egypte egyptisch
croatia croatian kroatien kroatisch kroatië kroatisch
ukraine ukrainian ukrainisch ukrainische ukrainischen oekraïne oekraïens oekraïense
scotland scottish schottland schottisch schottische schottischen schotland schots schotse
cologne köln keulen kölner
munich münchen münchner
vienna wien wenen wiener
hague haag
rome rom roma
brussels brüssel brussel brüsseler brusselse
geneva genf genève genfer
milan mailand milaan
prague prag praag
warsaw warschau
liège lüttich luik
antwerp antwerpen antwerpse
ghent gent gentse
rhine rhein rijn
moscow moskau moskou
berlin berliner berlijn berlijnse
hamburg hamburger
frankfurt frankfurter
london londoner londen londense
paris pariser parijs parijse
amsterdam amsterdamer amsterdams amsterdamse
rotterdam rotterdamer rotterdams rotterdamse
lisbon lissabon lisboa
copenhagen kopenhagen kopenhagener kopenhaags
athens athen athene
zurich zürich züricher zürcher
nuremberg nürnberg neurenberg
hanover hannover
aachen aken
flanders flandern vlaanderen flemish flämisch vlaams vlaamse
bavaria bayern beieren bavarian bayerisch bayerische bayerischen beiers
saxony sachsen saksen saxon sächsisch
hessen hesse
danube donau
meuse maas
moselle mosel moezel
baltic ostsee oostzee
north nordsee noordzee
washington
bern berne
basel basle bazel
tokyo tokio
beijing peking
kyiv kiew kiev
strasbourg straßburg straatsburg
"""


@cache
def same_place() -> dict[str, frozenset[str]]:
    """For each folded word of a country, a language or a city: the words that it has in our languages."""
    found: dict[str, frozenset[str]] = {}
    for line in re.split(r"\n(?! )", _SAME_WORDS.strip()):
        group = frozenset(fold(word) for word in line.split())
        for word in group:
            found[word] = found.get(word, frozenset()) | group
    return found


@cache
def _stems() -> dict[str, frozenset[str]]:
    """The first four letters of countries' names in our languages, and which countries (ISO 3166) they begin.

    They begin what is called after them too: Syrians, Syrer, Syriërs.
    """
    found: dict[str, frozenset[str]] = {}
    for code in ("en", "nl", "de"):
        for territory, name in Locale(code).territories.items():
            stem = fold(re.split(r"[\s-]", str(name))[0])[:4]
            if len(territory) == 2 and len(stem) == 4 and stem not in _NO_STEMS:
                found[stem] = found.get(stem, frozenset()) | {str(territory)}
    return found


_NO_STEMS = frozenset(
    "sint verm saud sout sud zuid nord noor west repu kong isla eila heil sain new neus niue braz domi amer brit cent "
    "zent unit fran oost ooste oste mali chad coco kiri guin domin oman peru cost came mona".split()
) - {"fran", "braz"}


def countries(form: str) -> frozenset[str]:
    return _stems().get(form[:4], frozenset()) if len(form) <= 14 else frozenset()
