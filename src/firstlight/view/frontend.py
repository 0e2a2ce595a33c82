"""What every page of a run loads: the module that draws, its style, and its words. No widget library is needed here.

The widget of a notebook (`curves.py`) and the page of `firstlight watch --web` (`page.py`) take all three from here.
A page speaks with `Tabs` (tabs.py) about everything beside the curves; what is said stands at the top of `curves.js`.
"""

from pathlib import Path

from firstlight.locale import _

_HERE = Path(__file__).parent
_MODULES = ("parts.js", "strips.js", "bars.js", "graphs.js", "tabs.js", "curves.js")  # one ES module, in this order
_STYLES = ("curves.css", "tabs.css")
TABS = ("curves", "graph", "gradients", "activations", "memory", "time")  # in the order in which they stand there


def module() -> str:
    """The ES module in anywidget's form: `initialize({model})` makes the moving view."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _MODULES)


def style() -> str:
    """Its style sheet."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _STYLES)


def words() -> dict[str, str]:
    """The fixed words of the view in the learner's language.

    Example:
        >>> words()["stop"] != ""
        True
    """
    return {
        "region": _("Training, live"),
        "progress": _("Progress"),
        "stop": _("Stop"),
        "stop_title": _("Stop the training after this step; the model keeps what it has learned"),
        "stopping": _("Stopping after this step"),
        "toolbar": _("To stop, press ■ in the toolbar"),
        "pause": _("Pause"),
        "pause_title": _("Pause after this step; nothing is lost, and the training goes on when you say so"),
        "pausing": _("Pausing after this step"),
        "go_on": _("Go on"),
        "go_on_title": _("Go on with the training from here"),
        "tabs": _("Views of this training"),
        **{f"tab_{tab}": title for tab, title in tab_titles().items()},
        # The graph.
        "step_slider": _("Step"),
        "follow": _("Newest"),
        "follow_title": _("Follow the newest look"),
        "earlier": _("Earlier look"),
        "later": _("Later look"),
        "search": _("Search the graph"),
        "search_hint": _("conv, 2 × 10, line of code …"),
        "hits": _("{at} of {count}"),
        "no_hits": _("not found"),
        "next_hit": _("Next hit"),
        "zoom_in": _("Larger"),
        "zoom_out": _("Smaller"),
        "zoom_fit": _("Fit"),
        "finer": _("Unfold modules"),
        "coarser": _("Fold modules"),
        "unfold_all": _("Unfold all"),
        "fold_all": _("Fold all"),
        "whole": _("The whole graph"),
        "fetching": _("Fetching the graph of step {step}"),
        "no_answer": _("The kernel is busy and answers when the cell has ended."),
        "hover": _("Move over a box, or go to it with the Tab key, to read about it."),
        "enter_inside": _("Enter: look inside"),
        # Strips.
        "step_value": _("step {step}: {value}"),
        "nothing": _("none"),
        "not_finite": _("not finite"),
        "strip_keys": _("Arrow keys go through the steps and rows."),
    }


def tab_titles() -> dict[str, str]:
    """The name of each tab."""
    return {
        "curves": _("Curves"),
        "graph": _("Graph"),
        "gradients": _("Gradients"),
        "activations": _("Activations"),
        "memory": _("Memory"),
        "time": _("Time"),
    }
