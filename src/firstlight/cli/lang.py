"""`firstlight lang`: the sentences in the code and the texts of the lessons, held to their translations."""

from firstlight.lessons import build
from firstlight.locale import _, catalogue


def check() -> int:
    """Name what is missing, stale or malformed; 1 when there is any."""
    problems = catalogue.check() + build.check()
    print("\n".join(problems) or _("Every sentence is there in every language."))
    return 1 if problems else 0


def update() -> int:
    """Write new sentences into the catalogues and build the notebooks anew; print the files that were written."""
    for path in [*catalogue.update(), *build.update_catalogues(), *build.build_all()]:
        print(path)
    return 0
