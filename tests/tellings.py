"""Reports as several outlets print them, and reports that only look alike: made up, in three languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Report:
    """An agency's report in a language: its paragraphs, a dateline, a question with what the answer holds."""

    language: str
    dateline: str
    paragraphs: tuple[str, ...]
    question: str
    answer: str


FERRY = Report(
    "en",
    "LINDMOUTH (NWA) - ",
    (
        "The ferry Marigold ran aground off Lindmouth on Tuesday evening with 214 passengers on board. Nobody was "
        "hurt, the coastguard said.",
        "Two tugs from Harwell pulled the ship free at high tide after nearly six hours. “We had tea and waited,” said "
        "passenger Edith Crome, who was on her way to a wedding.",
        "Coastguard officer Tomas Reel said a sandbank had moved during the storms of January. The company Northline "
        "wants to send its ships around the bank until the channel has been dredged.",
        "The channel was last dredged in 2019, for 3.4 million crowns. A new contract is to be signed in May.",
    ),
    "How many passengers were on board the Marigold?",
    "214",
)
BRUG = Report(
    "nl",
    "OSTERVEEN (PNB) - ",
    (
        "De Koningsbrug in Osterveen is dinsdagmiddag afgesloten nadat een duwboot tegen een pijler was gevaren. "
        "Volgens de gemeente raakte niemand gewond.",
        "Ingenieurs vonden scheuren in twee van de negen pijlers. “De brug blijft zeker drie weken dicht”, zei "
        "wethouder Jolanda Smeets. Fietsers mogen er vanaf vrijdag weer over.",
        "De schipper van de duwboot, een man van 52 uit Delfzijl, verklaarde dat zijn roer was uitgevallen. De politie "
        "onderzoekt de zaak.",
        "De Koningsbrug werd in 1968 gebouwd en kostte toen 11 miljoen gulden. Per dag rijden er 17.500 auto's over.",
    ),
    "Hoe lang blijft de Koningsbrug dicht?",
    "drie weken",
)
ZOO = Report(
    "de",
    "Brackstedt (npd) - ",
    (
        "Im Zoo von Brackstedt ist am Dienstag ein Luchs aus seinem Gehege entkommen. Nach Angaben der Polizei wurde "
        "niemand verletzt.",
        "Das drei Jahre alte Männchen wurde nach elf Stunden in einer Kleingartenanlage gefunden und betäubt. „Es lag "
        "unter einem Kirschbaum und schlief“, sagte Zoodirektorin Almut Verhoff.",
        "Vermutlich war ein Ast auf den Zaun gefallen. Der Zoo will nun 40 Bäume fällen lassen, die näher als sechs "
        "Meter am Gehege stehen.",
        "Der Zoo von Brackstedt besteht seit 1911 und zählt im Jahr 380.000 Besucher. Luchse hält er seit 2004.",
    ),
    "Wo wurde der Luchs in Brackstedt gefunden?",
    "Kleingartenanlage",
)
REPORTS = (FERRY, BRUG, ZOO)

# Two reports from one template, as one outlet or two print them: what they say is not the same.
TEMPLATES: dict[str, tuple[str, str, str]] = {
    "a result": (
        "en",
        "Lindmouth beat Harwell 3-1 at Quayside Park on Saturday. Owen Pratt scored twice before half-time. The crowd "
        "of 4,120 saw Harwell finish with ten men. Lindmouth are now third in the Northern League.",
        "Lindmouth beat Dorum 2-0 at Quayside Park on Saturday. Owen Pratt scored twice before half-time. The crowd of "
        "3,870 saw Dorum finish with ten men. Lindmouth are now second in the Northern League.",
    ),
    "the return match, with the teams exchanged": (
        "en",
        "Lindmouth beat Harwell 2-1 in the Northern League on Saturday. Harwell had taken the lead through Owen Pratt. "
        "The return match of Harwell and Lindmouth is in March. The Northern League rests until then.",
        "Harwell beat Lindmouth 2-1 in the Northern League on Saturday. Lindmouth had taken the lead through Owen "
        "Pratt. The return match of Lindmouth and Harwell is in March. The Northern League rests until then.",
    ),
    "quarterly figures": (
        "en",
        "Brannock Valves said on Thursday that revenue rose 4 percent to 212 million pounds in the second quarter. Net "
        "profit came to 11 million pounds. Chief executive Marian Oduya confirmed the outlook for the full year. "
        "Shares in Brannock Valves were little changed in London.",
        "Brannock Valves said on Thursday that revenue rose 6 percent to 225 million pounds in the third quarter. Net "
        "profit came to 13 million pounds. Chief executive Marian Oduya confirmed the outlook for the full year. "
        "Shares in Brannock Valves were little changed in London.",
    ),
    "a verdict": (
        "en",
        "A court in Harwell sentenced Piers Lomax to two years in prison on Monday for fraud. The prosecution had "
        "asked for three years. Under the Fraud Act of 2006 the maximum is ten years. The defence may appeal within 28 "
        "days.",
        "A court in Harwell sentenced Dana Whitlock to two years in prison on Monday for fraud. The prosecution had "
        "asked for three years. Under the Fraud Act of 2006 the maximum is ten years. The defence may appeal within 28 "
        "days.",
    ),
    "a forecast for another day": (
        "en",
        "Monday begins with fog along the coast of Norland. In the afternoon the sun comes through in Lindmouth and "
        "Harwell. Temperatures reach 14 degrees. The wind blows weakly from the west.",
        "Tuesday begins with fog along the coast of Norland. In the afternoon the sun comes through in Lindmouth and "
        "Harwell. Temperatures reach 14 degrees. The wind blows weakly from the west.",
    ),
    "a result in Dutch": (
        "nl",
        "Osterveen heeft zaterdag met 2-1 gewonnen van Delfhaven. Spits Ruud Kamper maakte beide doelpunten. Trainer "
        "Henk Moor was tevreden over zijn ploeg. Osterveen staat nu vierde in de hoofdklasse.",
        "Osterveen heeft zaterdag met 4-0 gewonnen van Sluiswijk. Spits Ruud Kamper maakte twee doelpunten. Trainer "
        "Henk Moor was tevreden over zijn ploeg. Osterveen staat nu vierde in de hoofdklasse.",
    ),
    "quarterly figures in Dutch": (
        "nl",
        "De omzet van Terhorst Bakkerijen is in het eerste kwartaal gestegen tot 48 miljoen euro. De winst kwam uit op "
        "2,1 miljoen euro. Topman Joris Terhorst handhaaft de verwachting voor heel 2025. Het bedrijf uit Osterveen "
        "telt 900 werknemers.",
        "De omzet van Terhorst Bakkerijen is in het tweede kwartaal gestegen tot 51 miljoen euro. De winst kwam uit op "
        "2,6 miljoen euro. Topman Joris Terhorst handhaaft de verwachting voor heel 2025. Het bedrijf uit Osterveen "
        "telt 900 werknemers.",
    ),
    "a verdict in Dutch": (
        "nl",
        "De rechtbank in Osterveen heeft Wim Dekker dinsdag veroordeeld tot een taakstraf van 120 uur. Hij had een "
        "agent beledigd. De officier van justitie had 160 uur geëist. Tegen het vonnis kan binnen veertien dagen hoger "
        "beroep worden ingesteld.",
        "De rechtbank in Osterveen heeft Bas Mulder dinsdag veroordeeld tot een taakstraf van 120 uur. Hij had een "
        "agent beledigd. De officier van justitie had 160 uur geëist. Tegen het vonnis kan binnen veertien dagen hoger "
        "beroep worden ingesteld.",
    ),
    "a forecast for another day in Dutch": (
        "nl",
        "Op maandag is het in het noorden bewolkt met kans op motregen. In Osterveen en Delfhaven breekt later de zon "
        "door. De temperatuur loopt op tot 17 graden. De wind is zwak tot matig.",
        "Op woensdag is het in het noorden bewolkt met kans op motregen. In Osterveen en Delfhaven breekt later de zon "
        "door. De temperatuur loopt op tot 17 graden. De wind is zwak tot matig.",
    ),
    "a result in German": (
        "de",
        "Der FC Brackstedt hat am Samstag mit 3:2 gegen den SV Niedersand gewonnen. Stürmer Timo Ahlers traf doppelt. "
        "Trainer Uwe Kolb lobte danach den Kampfgeist der Mannschaft. In der Tabelle liegt Brackstedt auf Platz fünf.",
        "Der FC Brackstedt hat am Samstag mit 1:0 gegen den TSV Moorburg gewonnen. Stürmer Timo Ahlers traf spät. "
        "Trainer Uwe Kolb lobte danach den Kampfgeist der Mannschaft. In der Tabelle liegt Brackstedt auf Platz fünf.",
    ),
    "quarterly figures in German": (
        "de",
        "Die Verhoff AG hat im ersten Quartal 82 Millionen Euro umgesetzt. Das waren drei Prozent mehr als im Vorjahr. "
        "Der Gewinn blieb bei 6 Millionen Euro. Vorstandschefin Petra Lang bestätigte die Prognose für 2025.",
        "Die Verhoff AG hat im zweiten Quartal 88 Millionen Euro umgesetzt. Das waren drei Prozent mehr als im "
        "Vorjahr. Der Gewinn blieb bei 6 Millionen Euro. Vorstandschefin Petra Lang bestätigte die Prognose für 2025.",
    ),
    "a verdict in German": (
        "de",
        "Das Landgericht Brackstedt hat am Montag Jens Ortmann wegen Betrugs zu drei Jahren Haft verurteilt. Der "
        "Staatsanwalt hatte vier Jahre gefordert. Das Urteil ist noch nicht rechtskräftig. Die Verteidigung kann "
        "binnen einer Woche Revision einlegen.",
        "Das Landgericht Brackstedt hat am Montag Kerstin Lau wegen Betrugs zu drei Jahren Haft verurteilt. Der "
        "Staatsanwalt hatte vier Jahre gefordert. Das Urteil ist noch nicht rechtskräftig. Die Verteidigung kann "
        "binnen einer Woche Revision einlegen.",
    ),
    "an accident in another town": (
        "de",
        "MOORBURG (npd) - Ein Radfahrer ist am Dienstag bei einem Unfall verletzt worden. Ein Auto hatte ihn beim "
        "Abbiegen übersehen. Der 34 Jahre alte Mann kam in ein Krankenhaus. Die Polizei sucht nun Zeugen.",
        "BRACKSTEDT (npd) - Ein Radfahrer ist am Dienstag bei einem Unfall verletzt worden. Ein Auto hatte ihn beim "
        "Abbiegen übersehen. Der 34 Jahre alte Mann kam in ein Krankenhaus. Die Polizei sucht nun Zeugen.",
    ),
    "numbers in words": (
        "en",
        "Twelve people were rescued from the Harwell marshes on Sunday. Their boat had run out of fuel near Lindmouth. "
        "It was the third rescue of the Coastguard this month. The tide in the Harwell marshes rises fast.",
        "Fourteen people were rescued from the Harwell marshes on Sunday. Their boat had run out of fuel near "
        "Lindmouth. It was the third rescue of the Coastguard this month. The tide in the Harwell marshes rises fast.",
    ),
}


@dataclass(frozen=True, slots=True)
class Toll:
    """An article with a wrong number, the same with the right one, and the notice that says so."""

    language: str
    wrong: str
    right: str
    notice: str
    question: str


TOLL = tuple(
    Toll(language, text.format(wrong), text.format(right), notice, question)
    for language, text, wrong, right, notice, question in (
        (
            "en",
            "Skippers will pay {} crowns a night for a berth in Lindmouth from May. Harbour master Greta Olvers told "
            "the council of Lindmouth so on Monday. The toll had not changed since 2009.",
            "seven",
            "nine",
            "Correction: this article first gave another toll.",
            "How much will skippers pay a night in Lindmouth?",
        ),
        (
            "nl",
            "Het nieuwe zwembad van Osterveen krijgt {} banen van vijftig meter. Dat zei wethouder Jolanda Smeets "
            "dinsdag in de gemeenteraad. De bouw begint in 2026 aan de Havenweg.",
            "acht",
            "zes",
            "Rectificatie: in dit bericht stond eerst een ander aantal banen.",
            "Hoeveel banen krijgt het zwembad van Osterveen?",
        ),
        (
            "de",
            "Die Stadtbücherei von Brackstedt verleiht nun {} Lastenräder. Das teilte Leiterin Almut Verhoff am Montag "
            "mit. Die Räder stehen im Hof an der Mühlenstraße und kosten nichts.",
            "zwölf",
            "fünfzehn",
            "Korrektur: In einer früheren Fassung dieses Artikels stand eine andere Zahl.",
            "Wie viele Lastenräder verleiht die Stadtbücherei von Brackstedt?",
        ),
    )
)
