"""The archive as a chart: how many articles by month and language, drawn by the Plotly that Gradio's page brings along.

The figure is written down as plain data. Plotly's Python package would write the same, but gives no way to set what
Gradio takes as the figure's `config`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from babel.dates import format_date
from gradio.components.plot import PlotData

from rag.answer import language_name
from rag.records import Overview
from rag.web.texts import Texts, count_of

MONTHS = 60  # bars up to which a chart stays readable; beyond that quarters, then years
_TICKS = 8  # labels under the bars, which leaves each room on a phone

# At least 3:1 against the paper, light and dark. The first three, those of the interface's languages, differ by more
# than 30 (CIE 1976) also for readers who see no red, no green or no blue. Patterns would tell them apart as well, but
# Plotly finds them by the address of the page, which changes with the filters.
_PALETTE = ("#1599a9", "#c9641f", "#8a4fd0", "#8a8f2a", "#b04565")
_COLOURS = dict(zip(("en", "nl", "de"), _PALETTE, strict=False))
_REST = "#8a857c"
_OTHER, _UNKNOWN = _MIXED = ("*", "?")  # traces of more than one language and of none; neither can be a code

_PERIOD = re.compile(r"(\d{4})(?:-(\d{2})|-Q([1-4]))?")


def period(key: str) -> tuple[dt.date, dt.date]:
    """First and last day of a month ("2025-10"), a quarter ("2025-Q4") or a year ("2025").

    Raises:
        ValueError: it is none of these.
    """
    found = _PERIOD.fullmatch(key) if key.isascii() else None
    if not found:
        raise ValueError(key)
    year, month, quarter = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    first = month or 3 * quarter - 2 if month or quarter else 1
    last = month or 3 * quarter or 12
    if found[2] and not month:
        raise ValueError(key)
    end = dt.date(year, 12, 31) if last == 12 else dt.date(year, last + 1, 1) - dt.timedelta(days=1)
    return dt.date(year, first, 1), end


def period_name(key: str, language: str) -> str:
    """A period as people call it: October 2025, Q4 2025, 2025."""
    style = "MMMM y" if "-Q" not in key and "-" in key else "QQQ y" if "-Q" in key else "y"
    return str(format_date(period(key)[0], style, locale=language))


def _key(month: str, grain: str) -> str:
    """The period of that grain in which the month lies."""
    if grain == "month":
        return month
    return month[:4] if grain == "year" else f"{month[:4]}-Q{(int(month[5:]) + 2) // 3}"


def _months(first: str, last: str) -> Iterator[str]:
    at, end = (12 * int(month[:4]) + int(month[5:]) - 1 for month in (first, last))
    for number in range(at, end + 1):
        yield f"{number // 12:04}-{number % 12 + 1:02}"


def periods(overview: Overview) -> list[str]:
    """The bars of the chart, in order and without a hole: months, or quarters or years where there are too many."""
    known = [month for month, _ in overview.months]
    if not known:
        return []
    months = list(_months(min(known), max(known)))
    grain = "month" if len(months) <= MONTHS else "quarter" if len(months) <= 3 * MONTHS else "year"
    return list(dict.fromkeys(_key(month, grain) for month in months))


def _counts(overview: Overview, keys: list[str]) -> dict[str, dict[str, int]]:
    """How many articles by language and period, the most frequent language first, the rest and the unknown last."""
    grain = "quarter" if "-Q" in keys[0] else "month" if "-" in keys[0] else "year"
    totals: dict[str, int] = {}
    for (_, language), count in overview.months.items():
        if language:
            totals[language] = totals.get(language, 0) + count
    named = sorted(totals, key=lambda language: (-totals[language], language))
    named = named[: len(_PALETTE)]
    counts: dict[str, dict[str, int]] = {language: {} for language in (*named, _OTHER, _UNKNOWN)}
    for (month, language), count in overview.months.items():
        bars = counts[language if language in named and language else _OTHER if language else _UNKNOWN]
        bars[_key(month, grain)] = bars.get(_key(month, grain), 0) + count
    return {language: bars for language, bars in counts.items() if bars}


def _trace(language: str, bars: Mapping[str, int], colour: str, texts: Texts) -> dict[str, Any]:
    names = {_OTHER: texts.archive_other, _UNKNOWN: texts.archive_unknown}
    name = names.get(language) or language_name(language, texts.language)
    keys = sorted(bars)
    hover = [f"{period_name(key, texts.language)}<br>{name}: {count_of(bars[key], texts)}" for key in keys]
    return {
        "type": "bar",
        "name": name,
        "x": keys,
        "y": [bars[key] for key in keys],
        # What choosing the bar filters by. A bar of several languages filters by its period alone.
        "customdata": [[key, "" if language in names else language] for key in keys],
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "textposition": "none",
        "marker": {"color": colour, "line": {"width": 0}},
        "unselected": {"marker": {"opacity": 0.35}},
    }


def _tick(key: str, language: str, *, with_year: bool) -> str:
    """The label under a bar; the year stands once, in a line of its own."""
    if "-" not in key:
        return key
    short = str(format_date(period(key)[0], "QQQ" if "-Q" in key else "LLL", locale=language)).rstrip(".")
    return f"{short}<br>{key[:4]}" if with_year else short


def _ticks(keys: list[str], language: str) -> tuple[list[str], list[str]]:
    step = -(-len(keys) // _TICKS)
    values = keys[::step]
    years = ["", *(key[:4] for key in values)]
    return values, [_tick(key, language, with_year=key[:4] != years[i]) for i, key in enumerate(values)]


def chart(overview: Overview, texts: Texts) -> PlotData | None:
    """The chart as a value for `gr.Plot`: stacked bars by period and language. None where no article has a date."""
    keys = periods(overview)
    if not keys:
        return None
    counts = _counts(overview, keys)
    fixed = {language: _COLOURS[language] for language in counts if language in _COLOURS}
    spare = (colour for colour in _PALETTE if colour not in fixed.values())
    colours = {language: fixed.get(language) or next(spare) for language in counts if language not in _MIXED}
    traces = [_trace(language, bars, colours.get(language, _REST), texts) for language, bars in counts.items()]
    highest = max(sum(bars.get(key, 0) for bars in counts.values()) for key in keys)
    values, labels = _ticks(keys, texts.language)
    font = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
    quiet = {"fixedrange": True, "zeroline": False, "showline": False, "ticks": "", "automargin": True}
    layout = {
        "barmode": "stack",
        "bargap": 0.25,
        "height": 230,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8, "pad": 4},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": font, "size": 12, "color": "#6b6862"},
        "separators": ".\N{NO-BREAK SPACE}",
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": "#1b1b1a",
            "bordercolor": "#6b6862",
            "font": {"family": font, "size": 13, "color": "#fbfaf7"},
            "align": "left",
        },
        "dragmode": False,
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        "xaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": keys,
            "range": [-0.5, len(keys) - 0.5],  # or the axis would end at the last bar and leave out what has none
            "tickmode": "array",
            "tickvals": values,
            "ticktext": labels,
            "tickangle": 0,
            "showgrid": False,
            **quiet,
        },
        "yaxis": {
            "rangemode": "tozero",
            "tickformat": ",d",
            "gridcolor": "#dedad2",
            **({"dtick": 1} if highest <= 5 else {"nticks": 5}),
            **quiet,
        },
    }
    figure = {"data": traces, "layout": layout, "config": {"displayModeBar": False, "responsive": True}}
    return PlotData(type="plotly", plot=json.dumps(figure, ensure_ascii=False))
