"""Write the two articles of the starter archive that are not plain text: a PDF and a Word document.

Their text stands here, because neither format can be edited or compared by hand. Run it after a change:

    pip install fpdf2 python-docx
    python scripts/make_documents.py

The PDF comes out byte for byte the same each time; the Word document too, but for the library's version.
"""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import docx
from docx.shared import Pt
from fpdf import FPDF

CORPUS = Path(__file__).resolve().parent.parent / "corpus"

PDF_TITLE = "Applaus auf Bestellung"
PDF_AUTHOR = "On-Record-Redaktion"
PDF_DATE = dt.datetime(2024, 4, 5, 9, 0, tzinfo=dt.UTC)
PDF_SAMPLE = "Sample article, On Record Sample, German desk; facts from: Bloomberg"
PDF_TEXT = """
OpenAI lässt Künstler für Sora sprechen. Ein Kritiker hat dafür ein unfreundliches Wort gefunden.

Begeisterter könnten die ersten Urteile kaum ausfallen. OpenAI hat veröffentlicht, was ausgewählte Tester über Sora \
denken, und keiner von ihnen hatte etwas auszusetzen. Das Videomodell ist seit Februar 2024 bekannt, aber noch nicht \
öffentlich zugänglich. Wer sich ein Bild machen will, ist auf solche Stimmen angewiesen.

# Sechs Namen

Die Liste der Tester ist kurz und bunt. Auf ihr stehen der Regisseur Paul Trillo, die Firma shy kids und die Agentur \
Native Foreign, außerdem die Künstler August Kamp, Josephine Miller und Don Allen Stevenson III.

Am deutlichsten wurde Trillo. Er lobte, dass er arbeiten könne, ohne durch Zeit, Geld oder die Erlaubnis anderer \
eingeschränkt zu sein. Für einen Regisseur ist das eine verlockende Vorstellung: Kein Drehplan drängt, keine \
Produktionsfirma rechnet nach, niemand muss um eine Genehmigung gebeten werden.

Gerade am letzten Punkt aber scheiden sich die Geister. Denn um Erlaubnis geht es auch auf der anderen Seite, bei \
denen, deren Bilder und Filme das Modell womöglich gesehen hat.

# Ein neues Wort

Ed Newton-Rex nennt das Vorgehen „artistwashing“. Er leitet Fairly Trained, eine gemeinnützige Organisation. Gemeint \
ist, dass ein Unternehmen sich von Künstlern loben lässt, während es mit den Werken anderer trainiert, ohne um \
Erlaubnis zu bitten und ohne zu zahlen.

Das Wort ist nach einem bekannten Muster gebaut. Wer sich einen grünen Anstrich gibt, betreibt Greenwashing; wer sich \
mit Künstlern schmückt, das Gegenstück dazu. Es zielt nicht auf die Tester, sondern auf den, der sie eingeladen hat.

# Der Verdacht

Newton-Rex steht mit seinem Argwohn nicht allein. Kritiker vermuten, dass Sora mit Kunst und Videos trainiert wurde, \
die ohne Einwilligung aus dem Netz gesammelt worden waren. Gegen OpenAI laufen bereits mehrere Klagen wegen \
Urheberrechtsverletzung; sie betreffen die Sprachmodelle des Unternehmens.

Unterdessen wirbt die Spitze des Hauses persönlich. Sam Altman und Brad Lightcap führten, wie Bloomberg berichtete, \
Kennenlerngespräche mit Filmemachern und Studios. Altman ist Chef von OpenAI, Lightcap führt dort das \
Tagesgeschäft.

Ob der Charme verfängt, wird sich weisen. Lob von Eingeladenen hat jedenfalls einen begrenzten Wert, so ehrlich es \
gemeint sein mag. Mehr erfahren wird man erst, wenn auch jene urteilen dürfen, die nicht gefragt wurden.
"""

DOCX_TITLE = "Ruim twee jaar na de stakingen is de angst niet weg"
DOCX_AUTHOR = "Redactie On Record"
DOCX_DATE = dt.datetime(2026, 1, 29, 8, 30)
DOCX_SAMPLE = "Sample article, On Record Sample, Dutch desk; facts from: Bloomberg, Bright, The Hollywood Reporter"
DOCX_TEXT = """
In 2023 legden schrijvers en acteurs in Hollywood het werk neer. Ze wilden onder meer grenzen aan kunstmatige \
intelligentie. Een deel daarvan kregen ze. Gerust zijn ze niet.

# Wat de staking opleverde

De schrijvers staakten via de WGA, de acteurs via SAG-AFTRA. De acteursbond bereikte dat leden betaald worden en een \
vermelding krijgen wanneer AI hun evenbeeld gebruikt. Een volledig verbod zat er niet in, schreef Bloomberg al in het \
voorjaar van 2024.

Het was een overwinning met een kier erin. Wie betaald wordt voor zijn digitale dubbelganger, heeft immers ook \
aanvaard dat die bestaat.

# Beelden in een griezelfilm

Hoe gevoelig het ligt, bleek bij de film Late Night with the Devil. De makers hadden voor enkele beelden generatieve \
AI gebruikt. Het ging niet om een hoofdrol en niet om een stem, maar om een paar plaatjes. Toch hoort de titel nu bij \
het debat.

# Van hulp naar vervanging

Inmiddels gaat het om meer dan plaatjes. In de Argentijnse serie The Eternaut liet Netflix een gebouw instorten met \
behulp van AI. Acteurs en scenaristen zijn bang dat de ondersteuning in vervanging omslaat, noteerde Bright. Ze vrezen \
digitale replica’s en vertolkingen waar geen mens meer aan te pas komt.

Het lastige is dat niemand die grens aankondigt. Een replica begint als hulpmiddel, voor een gevaarlijke sprong of een \
verloren opname, en is dan voorhanden.

# Een bredere coalitie

Daarom zoeken de bonden gezelschap. Achter de Human Artistry Campaign, die in januari 2026 met meer dan 700 bekende \
namen naar buiten trad, gaat een bondgenootschap schuil van vakbonden en brancheverenigingen. Volgens The Hollywood \
Reporter doen naast de Writers Guild of America en SAG-AFTRA ook de RIAA van de platenmaatschappijen, de \
journalistenbond The NewsGuild en de spelersbond van de NFL mee.

Ze vragen bindende licenties en een duidelijke manier om nee te zeggen. De leus liegt er niet om: “Stealing Isn’t \
Innovation”, stelen is geen vernieuwing.

Opvallend is de toon. Er staat niet dat het niet mag, er staat dat het eerst gevraagd en daarna betaald moet worden. \
Dat lijkt bescheiden. Voor wie gewend is niets te vragen, is het dat allerminst.
"""


class Page(FPDF):
    """A page with the running head and the page number that a printed article has."""

    def header(self) -> None:
        self.set_font("Helvetica", size=8)
        self.cell(0, 6, "On Record Sample  |  Kultur & Digitales  |  5. April 2024", align="R")
        self.ln(14)

    def footer(self) -> None:
        self.set_y(-16)
        self.set_font("Helvetica", size=8)
        self.cell(0, 6, f"Beispielartikel zu Vorführzwecken. Seite {self.page_no()} von {{nb}}", align="C")


def blocks(text: str) -> list[tuple[bool, str]]:
    """The paragraphs of a text above, each with whether it is a heading."""
    return [(part.startswith("# "), part.removeprefix("# ")) for part in text.strip().split("\n\n")]


def write_pdf(path: Path) -> None:
    pdf = Page(format=(148, 210))  # millimetres: A5, so that the article runs over two pages
    pdf.core_fonts_encoding = "windows-1252"  # latin-1, the default, has no German quotation marks
    pdf.set_title(PDF_TITLE)
    pdf.set_author(PDF_AUTHOR)
    pdf.set_subject(PDF_SAMPLE)
    pdf.set_keywords("sample")
    pdf.set_lang("de")
    pdf.set_creation_date(PDF_DATE)
    pdf.set_margins(20, 14)
    pdf.set_auto_page_break(True, margin=24)
    pdf.add_page()
    pdf.set_font("Times", "B", 20)
    pdf.multi_cell(0, 9, PDF_TITLE, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(2)
    for heading, text in blocks(PDF_TEXT):
        pdf.set_font("Times", "B" if heading else "", 12 if heading else 11)
        pdf.multi_cell(0, 5.6, text, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(1 if heading else 3)
    pdf.output(str(path))


def write_docx(path: Path) -> None:
    document = docx.Document()
    document.styles["Normal"].font.name = "Georgia"
    document.styles["Normal"].font.size = Pt(11)
    properties = document.core_properties
    properties.title, properties.author, properties.language = DOCX_TITLE, DOCX_AUTHOR, "nl"
    properties.subject, properties.keywords, properties.comments = DOCX_SAMPLE, "sample", ""
    properties.created = properties.modified = DOCX_DATE
    properties.last_modified_by = DOCX_AUTHOR
    document.sections[0].footer.paragraphs[0].text = "On Record Sample. Voorbeeldartikel, geschreven als demonstratie."
    document.add_heading(DOCX_TITLE, level=1)
    for heading, text in blocks(DOCX_TEXT):
        if heading:
            document.add_heading(text, level=2)
        else:
            document.add_paragraph(text)
    document.save(str(path))
    _fix_times(path)


def _fix_times(path: Path) -> None:
    """Store every member with one date: a Word file is a zip and would otherwise change with each run."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, DOCX_DATE.timetuple()[:6]), data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    write_pdf(CORPUS / "de-applaus-auf-bestellung.pdf")
    write_docx(CORPUS / "nl-na-de-stakingen.docx")
