"""A report of an evaluation for people: a table on the terminal, and a picture of how right and how sure answers are.

Matplotlib is imported by `plot` only: nothing else needs it. The figures come from `figures.py` as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import SettingsError
from rag.figures import REFUSED, WRONG, Figures, Report
from rag.terminal import Page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PICTURES = (".png", ".svg")
_INK, _QUIET, _RULE, _PAPER = "#1b1b1a", "#6b6862", "#dedad2", "#fbfaf7"  # as in the chat
_FIRST, _THREE = "#1f4e79", "#9fbdd8"

# What the columns mean: each line fits beside its name in 100 columns.
_LEGEND = (
    ("passage in 1, 5, 10", "a passage that holds the answer is among the first 1, 5 or 10 that were found"),
    ("first right", "the first quotation holds the answer (a refusal counts as wrong)"),
    ("of three", "one of the first three quotations holds it"),
    ("answered", "not refused"),
    ("AUROC", "chance that a question with an answer gets more confidence than one without"),
    ("cost", f"a wrong answer costs {WRONG}, a refusal {REFUSED}, a right answer nothing (mean)"),
    ("chars, first and all", "length of the first quotation, and of all of an answer's, in characters (mean)"),
    ("ms", "milliseconds that an answer takes (median)"),
)


def show(report: Report, page: Page) -> None:
    """Print the report: what was measured, a row a pair of languages, refusals, confidence, cost and time."""
    everything, answerable = report.everything, report.everything.answerable
    page.line(_heading(report), style="1")
    if answerable:
        page.line()
        page.table(
            [
                ("question", "", "passage", "in", "in", "first", "of", "", "", "", "chars,", "chars,", ""),
                (
                    "→ article",
                    "n",
                    "in 1",
                    "5",
                    "10",
                    "right",
                    "three",
                    "answered",
                    "AUROC",
                    "cost",
                    "first",
                    "all",
                    "ms",
                ),
                *(_row(f"{pair.question} → {pair.article}", pair.figures) for pair in report.pairs),
                _row("all pairs", report.total),
            ],
            heads=2,
        )
        page.line()
        width = max(len(name) for name, _ in _LEGEND)
        for name, meaning in _LEGEND:
            page.line(f"{name.ljust(width)}  {meaning}", style="2")
    if report.kinds:
        page.line()
        page.table(
            [
                ("without an answer", "n", "refused", "AUROC"),
                *(
                    (kind.kind or "no kind given", str(kind.questions), _share(kind.refused), _number(kind.auroc))
                    for kind in report.kinds
                ),
                ("all", str(everything.questions - answerable), _share(everything.refused), _number(everything.auroc)),
            ]
        )
    page.line()
    page.table(
        [
            ("question in", "n", "with an answer", "refused of the others", "AUROC", "calibration error"),
            *(
                (
                    group.language or "all",
                    str(group.questions),
                    str(group.answerable),
                    _share(group.refused),
                    _number(group.auroc),
                    _number(group.calibration_error, 3),
                )
                for group in (*report.languages, everything)
            ),
        ]
    )
    page.line()
    page.line("Calibration error: by how much the confidence is off the share that is right, on average", style="2")
    page.line()
    page.line(f"Cost {report.cost:.2f} a question; refusing every question would cost {report.cost_of_silence:.2f}.")
    page.line(f"An answer takes {report.ms:.0f} ms (median), and at most {report.ms_90:.0f} ms for nine in ten.")


def _heading(report: Report) -> str:
    everything = report.everything
    return (
        f"{report.archive[0].upper()}{report.archive[1:]}: {_count(report.articles, 'article')}, "
        f"{_count(everything.questions, 'question')} ({everything.answerable} with an answer, "
        f"{everything.questions - everything.answerable} without), cross-encoder {report.cross_encoder}"
    )


def _row(name: str, figures: Figures) -> tuple[str, ...]:
    return (
        name,
        str(figures.questions),
        *map(_share, (figures.recall_1, figures.recall_5, figures.recall_10)),
        *map(_share, (figures.first, figures.three, figures.answered)),
        _number(figures.auroc),
        _number(figures.cost),
        *(_number(value, 0) for value in (figures.characters, figures.characters_all, figures.ms)),
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# The picture


def check_picture(path: Path) -> None:
    """Refuse a picture of another format, before anything is asked.

    Raises:
        SettingsError: the name ends in neither .png nor .svg.
    """
    if path.suffix.lower() not in _PICTURES:
        raise SettingsError(f"{path} ends in {path.suffix or 'nothing'!r}, expected .png or .svg; name it so")


def plot(report: Report, path: Path) -> None:
    """Draw how many answers are right per pair of languages, and how right the confidence is, into `path`.

    Raises:
        SettingsError: the file cannot be written, or its name ends in neither .png nor .svg.
    """
    check_picture(path)
    import matplotlib
    from matplotlib.figure import Figure

    look: dict[Any, Any] = {
        "axes.edgecolor": _QUIET,
        "axes.facecolor": _PAPER,
        "axes.labelcolor": _INK,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "font.size": 10,
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "on-record",  # the same report makes the same file
        "text.color": _INK,
        "xtick.color": _QUIET,
        "ytick.color": _QUIET,
        "xtick.labelcolor": _INK,
        "ytick.labelcolor": _INK,
    }
    with matplotlib.rc_context(look):
        width = max(4, 0.8 * (len(report.pairs) + 1))  # inches for the bars
        # A Figure of its own draws with Agg and leaves pyplot's state, and any window system, alone.
        figure = Figure(figsize=(5 + width, 5.6), dpi=150, facecolor=_PAPER, layout="constrained")
        figure.suptitle(_heading(report), fontweight="bold")
        grid = figure.add_gridspec(2, 2, width_ratios=(width, 5), height_ratios=(4, 1))
        _bars(report, figure.add_subplot(grid[:, 0]))
        upper = figure.add_subplot(grid[0, 1])
        _diagram(report, upper, figure.add_subplot(grid[1, 1], sharex=upper))
        try:
            figure.savefig(path.expanduser(), metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
        except OSError as error:
            raise SettingsError(f"{path} cannot be written ({error.strerror or error}); name another file") from None


def _bars(report: Report, axes: Axes) -> None:
    """A pair of bars for each pair of languages: the first quotation, and one of the first three."""
    rows = [*((f"{pair.question} → {pair.article}", pair.figures) for pair in report.pairs), ("all", report.total)]
    places = range(len(rows))
    for shift, colour, label, shares in (
        (-0.2, _FIRST, "the first quotation is right", [figures.first for _, figures in rows]),
        (0.2, _THREE, "one of the first three is right", [figures.three for _, figures in rows]),
    ):
        bars = axes.bar(
            [at + shift for at in places], [100 * (share or 0) for share in shares], 0.38, color=colour, label=label
        )
        axes.bar_label(bars, fmt="%.0f", padding=2, fontsize=8)
    axes.set_xticks(places, [f"{name}\n{figures.questions}" for name, figures in rows])
    axes.set_title("Questions with an answer: is it quoted?", loc="left", fontsize=11)
    axes.set_xlabel("language of the question → of the article, and number of questions")
    axes.set_ylabel("% of these questions")
    axes.margins(x=0.01)
    axes.set_ylim(0, 119)  # room for the legend above the bars
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y", color=_RULE)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", ncols=2, frameon=False)


def _diagram(report: Report, axes: Axes, counts: Axes) -> None:
    """The reliability diagram: confidence against the share that came true, and how many questions each bin holds."""
    points = [
        (100 * item.confidence, 100 * item.right)
        for item in report.bins
        if item.confidence is not None and item.right is not None
    ]
    axes.plot([0, 100], [0, 100], color=_QUIET, linestyle="--", linewidth=1, label="perfectly calibrated")
    axes.plot(*zip(*points, strict=True), color=_FIRST, marker="o", label="measured")
    axes.set_title("All questions: is the confidence right?", loc="left", fontsize=11)
    error = f"calibration error {report.everything.calibration_error:.3f}"
    axes.text(98, 2, error, ha="right", color=_QUIET)
    axes.set_ylabel("% with a right first quotation")
    axes.set_xlim(0, 100)
    axes.set_ylim(-3, 103)
    axes.grid(color=_RULE)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", frameon=False)
    axes.tick_params(labelbottom=False)
    bars = counts.bar(
        [50 * (item.low + item.high) for item in report.bins], [item.questions for item in report.bins], 9, color=_THREE
    )
    counts.bar_label(bars, padding=2, fontsize=8)
    counts.margins(y=0.3)
    counts.set_yticks([])
    counts.set_xticks(range(0, 101, 10))
    counts.set_xlabel("confidence in %")
    counts.set_ylabel("questions")
