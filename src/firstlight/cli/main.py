"""Reads the command line, in the learner's language, and hands over to one function per command. Imports no torch."""

import argparse
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn

from firstlight import __version__
from firstlight.errors import FirstlightError
from firstlight.locale import LANGUAGES, _

USAGE = 2  # exit status of a command line that does not work


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after `firstlight`; else those of this process.

    Returns:
        The exit status: 0 success, 1 something is wrong, 2 the command line does not work.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a sign that a Windows console lacks becomes "?", not an error
            stream.reconfigure(errors="replace")
    words, after = _apart(words)
    _speak(words)
    try:
        arguments = _parser().parse_args(words)
        arguments.after = after
        return int(arguments.command(arguments))
    except SystemExit as end:  # --help, --version, a command line that does not work
        return end.code if isinstance(end.code, int) else USAGE
    except FirstlightError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `firstlight runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _lab(arguments: argparse.Namespace) -> int:
    if arguments.list or arguments.stop:
        from firstlight.cli.labs import list_labs, stop_labs

        if arguments.list:
            return list_labs(as_json=arguments.json)
        return stop_labs(port=arguments.port)
    if arguments.set_password:
        from firstlight.cli.labs import set_password

        return set_password()
    from firstlight.lab.folder import default_folder
    from firstlight.lab.server import Wishes, serve

    wishes = Wishes(
        folder=arguments.dir or default_folder(),
        port=arguments.port,
        notebook=arguments.notebook,
        ui=arguments.ui,
        browser=arguments.browser,
        language_chosen=hasattr(arguments, "lang"),
        remote=arguments.remote,
        ip=arguments.ip,
        host_names=tuple(arguments.host_name),
        certfile=arguments.certfile,
        keyfile=arguments.keyfile,
        allow_root=arguments.allow_root,
        expose_app=arguments.expose_app,
    )
    if arguments.audit:
        from firstlight.cli.labs import audit_labs

        return audit_labs(wishes, as_json=arguments.json)
    serve(wishes)
    return 0


def _selftest(arguments: argparse.Namespace) -> int:
    from firstlight.lab.selftest import selftest

    report = selftest(say=lambda sentence: print(sentence, file=sys.stderr, flush=True))
    print(json.dumps(report.as_json(), indent=2) if arguments.json else report.as_text())
    return 0 if report.ok else 1


def _runs(arguments: argparse.Namespace) -> int:
    from firstlight.cli.runs import show_runs

    return show_runs(arguments.dir, as_json=arguments.json)


def _watch(arguments: argparse.Namespace) -> int:
    from firstlight.cli.watch import show_page, watch_run

    if arguments.web:
        return show_page(arguments.run, arguments.dir, port=arguments.port, browser=arguments.browser)
    return watch_run(arguments.run, arguments.dir, once=arguments.once)


def _doctor(arguments: argparse.Namespace) -> int:
    from firstlight.cli.doctor import doctor, list_rules

    if arguments.list:
        return list_rules(as_json=arguments.json)
    if arguments.target is None:
        print(_("Missing: {words}", words=_("SCRIPT, NOTEBOOK or RUN")), file=sys.stderr)
        return USAGE
    return doctor(
        arguments.target,
        arguments.after,
        as_json=arguments.json,
        static=arguments.static,
        timeout=arguments.timeout,
        folder=arguments.dir,
        proof_s=arguments.proof,
    )


def _gym(arguments: argparse.Namespace) -> int:
    from firstlight.cli.gym import begin_exercise, list_exercises
    from firstlight.lab.folder import default_folder

    folder = arguments.dir or default_folder()
    if arguments.exercise is None:
        return list_exercises(folder, as_json=arguments.json)
    return begin_exercise(arguments.exercise, folder, chosen=arguments.dir is not None)


def _lang(arguments: argparse.Namespace) -> int:
    from firstlight.cli import lang

    return lang.update() if arguments.action == "update" else lang.check()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="firstlight", description=_("PyTorch, from nothing to a trained classifier."))
    parser.add_argument("--version", action="version", version=f"firstlight {__version__}", help=_("show the version"))
    commands = parser.add_subparsers(title=_("commands"), metavar=_("COMMAND"), required=True, dest="name")

    def command(name: str, run: Any, text: str, **more: Any) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text, **more)
        added.set_defaults(command=run)
        return added

    lab = command("lab", _lab, _("open the lab on the first lesson"))
    lab.add_argument(
        "--port", type=_port, metavar="N", help=_("this port and no other (else the first free one from 8888)")
    )
    lab.add_argument(
        "--dir", type=Path, metavar=_("FOLDER"), help=_("your folder for lessons and runs (else ~/firstlight)")
    )
    lab.add_argument("--notebook", metavar=_("NAME"), help=_("open this notebook of the folder instead of the lesson"))
    lab.add_argument("--no-browser", dest="browser", action="store_false", help=_("print the link, open nothing"))
    lab.add_argument(
        "--ui",
        type=_one_of("lab", "notebook"),
        default="lab",
        metavar="{lab,notebook}",
        help=_("JupyterLab or Notebook 7"),
    )
    lab.add_argument("--list", action="store_true", help=_("show your running labs and their links"))
    lab.add_argument("--stop", action="store_true", help=_("stop your running labs, or the one at --port"))
    lab.add_argument(
        "--audit", action="store_true", help=_("say what is open to whom, of your running labs or of one like this")
    )
    lab.add_argument("--json", action="store_true", help=_("with --list or --audit: as JSON"))
    far = lab.add_argument_group(_("for other machines"))
    far.add_argument("--remote", action="store_true", help=_("let other machines in: TLS, password, list of names"))
    far.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar=_("NAME"),
        help=_("a name or address the lab answers to (repeat)"),
    )
    far.add_argument("--ip", metavar=_("ADDRESS"), help=_("listen at this address only (with --remote: else at all)"))
    far.add_argument(
        "--certfile", type=Path, metavar=_("FILE"), help=_("your certificate, PEM (else the lab signs one itself)")
    )
    far.add_argument("--keyfile", type=Path, metavar=_("FILE"), help=_("the certificate's private key"))
    far.add_argument(
        "--set-password", action="store_true", help=_("choose the password yourself, once (else each lab makes one)")
    )
    far.add_argument("--allow-root", action="store_true", help=_("let root open a lab that other machines can reach"))
    lab.add_argument(
        "--expose-app", action="store_true", help=argparse.SUPPRESS
    )  # window.jupyterapp, for browser tests

    selftest = command("selftest", _selftest, _("do what a newcomer would, and report how it went"))
    selftest.add_argument("--json", action="store_true", help=_("the report as JSON"))

    runs = command("runs", _runs, _("list what was trained"))
    runs.add_argument(
        "--dir", type=Path, metavar=_("FOLDER"), help=_("your folder, or a folder of runs (else all that are known)")
    )
    runs.add_argument("--json", action="store_true", help=_("the list as JSON"))

    watch = command("watch", _watch, _("watch a run that another process trains"))
    watch.add_argument(
        "run",
        nargs="?",
        metavar=_("RUN"),
        help=_("its name, its number in `firstlight runs`, or its folder (else the newest)"),
    )
    watch.add_argument(
        "--dir", type=Path, metavar=_("FOLDER"), help=_("your folder, or a folder of runs (else all that are known)")
    )
    watch.add_argument("--once", action="store_true", help=_("show how it stands now, and leave"))
    watch.add_argument("--web", action="store_true", help=_("on a page in the browser, for this machine only"))
    watch.add_argument(
        "--port", type=_port, metavar="N", help=_("with --web: this port and no other (else any free one)")
    )
    watch.add_argument(
        "--no-browser", dest="browser", action="store_false", help=_("with --web: print the link, open nothing")
    )

    doctor = command("doctor", _doctor, _("examine a training: a script, a notebook, or a run"))
    doctor.add_argument(
        "target",
        nargs="?",
        metavar=_("SCRIPT, NOTEBOOK or RUN"),
        help=_("what to examine; words after -- are the script's own arguments"),
    )
    doctor.add_argument("--json", action="store_true", help=_("the report as JSON; the script's output to stderr"))
    doctor.add_argument("--static", action="store_true", help=_("read the program only, run nothing"))
    doctor.add_argument(
        "--timeout", type=_seconds, metavar="S", help=_("stop the program after so many seconds, and examine it then")
    )
    doctor.add_argument(
        "--proof",
        type=_seconds_or_none,
        metavar="S",
        help=_("so many seconds to try on copies what would mend it (else 3; 0: not at all)"),
    )
    doctor.add_argument(
        "--dir", type=Path, metavar=_("FOLDER"), help=_("your folder, or a folder of runs (else all that are known)")
    )
    doctor.add_argument("--list", action="store_true", help=_("list what the doctor asks"))

    gym = command("gym", _gym, _("mend broken trainings: list the exercises, or begin one"))
    gym.add_argument("exercise", nargs="?", metavar=_("NAME"), help=_("the exercise to begin (else all are listed)"))
    gym.add_argument(
        "--dir", type=Path, metavar=_("FOLDER"), help=_("your folder for lessons and runs (else ~/firstlight)")
    )
    gym.add_argument("--json", action="store_true", help=_("the list as JSON"))

    lang = command("lang", _lang, _("check or update the translations"))
    lang.add_argument(
        "action",
        type=_one_of("check", "update"),
        metavar="{check,update}",
        help=_("name what is missing, stale or malformed; or write new sentences into the catalogues"),
    )
    return parser


class _Parser(argparse.ArgumentParser):
    """argparse, with its own few words in the learner's language."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "add_help": False, "allow_abbrev": False})
        self._optionals.title, self._positionals.title = _("options"), _("arguments")
        self.add_argument("-h", "--help", action="help", help=_("show this help"))
        # SUPPRESS: `firstlight --lang ja lab` and `firstlight lab --lang ja` are the same.
        self.add_argument(
            "--lang",
            type=_language,
            default=argparse.SUPPRESS,
            metavar="{en,ja,ko}",
            help=_("language of everything you read"),
        )

    def format_usage(self) -> str:
        return super().format_usage().replace("usage: ", _("usage:") + " ", 1)

    def format_help(self) -> str:
        return super().format_help().replace("usage: ", _("usage:") + " ", 1)

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(_in_words(message), file=sys.stderr)
        print(_("All that is possible: {command} --help", command=self.prog), file=sys.stderr)
        sys.exit(USAGE)


def _in_words(message: str) -> str:
    """What argparse has to say, in the learner's language where we know the sentence."""
    if found := re.fullmatch(r"unrecognized arguments: (.+)", message):
        return _("Not known: {words}", words=found[1])
    if found := re.fullmatch(r"argument (\S+): expected (?:one|at least one) argument", message):
        return _("{option} needs a value.", option=found[1])
    if found := re.fullmatch(r"the following arguments are required: (.+)", message):
        return _("Missing: {words}", words=found[1])
    if found := re.fullmatch(r"argument \S+: invalid choice: '(\S+)' .+", message):
        return _("There is no command {name}.", name=found[1])
    if found := re.fullmatch(r"argument (\S+): (.+)", message):
        return f"{found[1]}: {found[2]}"
    return message


def _language(word: str) -> str:
    chosen: str = _one_of(*LANGUAGES)(word)
    return chosen


def _one_of(*choices: str) -> Any:
    def convert(word: str) -> str:
        if word not in choices:
            raise argparse.ArgumentTypeError(_("{word} is none of {choices}.", word=word, choices=", ".join(choices)))
        return word

    return convert


def _port(word: str) -> int:
    if not word.isdecimal() or int(word) > 65535:
        raise argparse.ArgumentTypeError(_("{word} is not a port: a number from 0 to 65535.", word=word))
    return int(word)


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(_("{word} is no number of seconds above zero.", word=word))
    return seconds


def _seconds_or_none(word: str) -> float:
    return 0.0 if word in ("0", "0.0") else _seconds(word)


def _apart(words: list[str]) -> tuple[list[str], list[str]]:
    """Our own words, and those after `--`, which are a script's."""
    if "doctor" in words and "--" in words:
        at = words.index("--")
        return words[:at], words[at + 1 :]
    return words, []


def _speak(words: list[str]) -> None:
    """Set the language before the parser is made: its help is in that language too."""
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        name, _equals, value = word.partition("=")
        if name == "--lang" and (chosen := value or following) in LANGUAGES:
            os.environ["FIRSTLIGHT_LANG"] = chosen
