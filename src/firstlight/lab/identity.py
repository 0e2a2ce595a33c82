"""Who may come in: the token of the printed URL, or the password of a remote lab, with a brake on guessing."""

import hmac
import ipaddress
import time
from collections import defaultdict, deque
from typing import Any, NoReturn
from urllib.parse import parse_qsl, quote, urlencode

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import PasswordIdentityProvider, User
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.base.handlers import APIHandler
from tornado.web import Finish, RequestHandler
from traitlets import Unicode

from firstlight.lab.command import command
from firstlight.lab.headers import LOGIN
from firstlight.locale import _, language

FAILURES = 5  # wrong passwords that one address may send ...
WINDOW_S = 60.0  # ... in this time
ADDRESSES = 10_000  # remembered at once: memory stays bounded whoever knocks


class Brake:
    """Counts wrong passwords per address and says how long the address has to wait.

    Example:
        >>> brake = Brake()
        >>> for second in range(5):
        ...     brake.failed("192.0.2.7", now=second)
        >>> brake.wait_s("192.0.2.7", now=10)
        50.0
        >>> brake.wait_s("192.0.2.8", now=10)
        0.0
    """

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=FAILURES))

    def wait_s(self, address: str, now: float | None = None) -> float:
        """Seconds until the address may try again; 0.0 when it may try now."""
        failures = self._failures.get(_neighbourhood(address))
        if failures is None or len(failures) < FAILURES:
            return 0.0
        return max(0.0, failures[0] + WINDOW_S - (time.monotonic() if now is None else now))

    def failed(self, address: str, now: float | None = None) -> None:
        """Remember one wrong password."""
        now = time.monotonic() if now is None else now
        if len(self._failures) >= ADDRESSES:
            for key in [key for key, times in self._failures.items() if times[-1] + WINDOW_S < now]:
                del self._failures[key]
        if len(self._failures) >= ADDRESSES:
            del self._failures[next(iter(self._failures))]
        self._failures[_neighbourhood(address)].append(now)

    def forget(self, address: str) -> None:
        """The right password was given: the count starts again."""
        self._failures.pop(_neighbourhood(address), None)


class LabIdentity(PasswordIdentityProvider):  # type: ignore[misc]  # jupyter_server is read without its types
    """The token of the URL, or the password; and a token for this machine's own questions, in the header only."""

    control_token = Unicode(help="Accepted in the Authorization header, never in a URL.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.brake = Brake()
        self.guesses = Brake()  # of tokens

    async def get_user_token(self, handler: RequestHandler) -> User | None:
        """The person who shows a token, if it is the right one.

        An address that shows wrong ones is turned away for a while, with all but the right one: any page in the
        person's own browser can ask with a wrong token, and would lock them out; 192 bits are not guessed.
        """
        match = self.auth_header_pat.match(handler.request.headers.get("Authorization", ""))
        in_address = handler.get_argument("token", "") if self.token else ""
        shown, address = match.group(2) if match else in_address, handler.request.remote_ip or ""
        if not shown:
            return None
        if _same(shown, self.control_token):
            return self.generate_anonymous_user(handler)
        if _same(shown, self.token):
            user: User = self.get_user_cookie(handler) or self.generate_anonymous_user(handler)
            if in_address and _is_page(handler):
                self._lead_on(handler, user)
            return user
        if wait := self.guesses.wait_s(address):
            handler.set_status(429)
            handler.set_header("Retry-After", str(int(wait) + 1))
            raise Finish
        self.guesses.failed(address)
        return None

    def _lead_on(self, handler: RequestHandler, user: User) -> NoReturn:
        """To the same page without the token: it stays in no address bar, bookmark or referrer."""
        self.set_login_cookie(handler, user)
        kept = [(name, value) for name, value in parse_qsl(handler.request.query, True) if name != "token"]
        handler.set_header("Cache-Control", "no-store")
        handler.set_header("Location", _on_this_server(handler.request.path) + (f"?{urlencode(kept)}" if kept else ""))
        handler.set_status(302)
        raise Finish

    def admits(self, word: str) -> bool:
        """Whether a word typed into the login page is the password or the token."""
        if self.hashed_password:
            return bool(self.passwd_check(word))
        return _same(word, self.token)


class LabLogin(LoginFormHandler):  # type: ignore[misc]  # jupyter_server is read without its types
    """The login page, in the learner's language."""

    @property
    def content_security_policy(self) -> str:
        """A page with a form, and nothing else."""
        return LOGIN

    def check_xsrf_cookie(self) -> None:
        """A form that holds the token is not forged: our own file, which the browser opens first, sends it so."""
        if not _same(self.get_argument("password", default=""), self.identity_provider.token):
            super().check_xsrf_cookie()

    @allow_unauthenticated  # type: ignore[untyped-decorator]  # jupyter_server is read without its types
    def post(self) -> None:
        """Check the password or the token, slowly for those who guess."""
        identity, address = self.identity_provider, self.request.remote_ip or ""
        if wait := identity.brake.wait_s(address):
            self.set_status(429)
            self.set_header("Retry-After", str(int(wait) + 1))
            self._render(_("Too many attempts. Wait {seconds} seconds, then try again.", seconds=int(wait) + 1))
        elif identity.admits(self.get_argument("password", default="")):
            identity.brake.forget(address)
            self.current_user = identity.generate_anonymous_user(self)
            identity.set_login_cookie(self, self.current_user)
            self._redirect_safe(self.get_argument("next", default=self.base_url))
        else:
            identity.brake.failed(address)
            self.log.warning("wrong password or token from %s", address)
            self.set_status(401)
            self._render(self._wrong())

    def _wrong(self) -> str:
        if self.identity_provider.hashed_password:
            return _("That password is not right.")
        return _("That token is not right. The lab makes a new one each time it starts.")

    def _render(self, message: str | None = None) -> None:
        password = bool(self.identity_provider.hashed_password)
        where = self.get_argument("next", default=self.base_url)
        self.write(
            self.render_template(
                "login.html",
                lang=language(),
                next=quote(where, safe=""),
                message=message,
                title=_("firstlight: sign in"),
                heading=_("This lab is closed to strangers"),
                way=(
                    _("Type the password that the lab printed when it started.")
                    if password
                    else _("Open the link that the lab printed when it started, or paste the token from its end here.")
                ),
                again=_(
                    "The link is lost? In a terminal on the lab's machine: {command} lab --list", command=command()
                ),
                label=_("Password") if password else _("Token"),
                button=_("Sign in"),
            )
        )


def _is_page(handler: RequestHandler) -> bool:
    """Whether a person's browser asks for a page, not a program for an answer."""
    return (
        handler.request.method == "GET"
        and not isinstance(handler, APIHandler)
        and "text/html" in handler.request.headers.get("Accept", "")
    )


def _on_this_server(path: str) -> str:
    """`//elsewhere.example` would lead to another server, and so would a backslash."""
    return "/" + path.replace("\\", "%5C").lstrip("/")


def _same(shown: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(shown.encode(), secret.encode())


def _neighbourhood(address: str) -> str:
    """An IPv6 host owns a whole /64: counting its addresses one by one would count nothing."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
