"""What every page of a run loads: the module that draws, its style, and its words. No widget library is needed here.

The widget of a notebook (`curves.py`) and the page of `firstlight watch --web` (`page.py`) take all three from here.
"""

from pathlib import Path

from firstlight.locale import _

MODULE = Path(__file__).with_name("curves.js")  # an ES module in anywidget's form
STYLE = Path(__file__).with_name("curves.css")


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
    }
