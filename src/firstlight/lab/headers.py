"""What each answer of the lab tells the browser to refuse: framing, foreign forms, guessing of types, referrers.

Every answer passes here, those of tornado's own handlers (redirects, errors, plain files) included, which know nothing
of jupyter_server's settings.
"""

from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

HSTS_S = 86_400  # as long as a cookie: a machine that serves something else tomorrow without TLS stays reachable
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"  # for answers of no page
LOGIN = NOTHING.replace("form-action 'none'", "form-action 'self'") + "; style-src 'unsafe-inline'; img-src 'self'"


def page_policy(host: str) -> str:
    """What a page of the lab may do.

    Programs of a notebook draw with scripts of their own: inline, evaluated (JupyterLab checks its settings so), from
    the memory of a widget, from the host of a plotting library. A cell that was run can do whatever its person can, so
    this holds off what nobody in a notebook wants: frames around the lab, forms that lead elsewhere, plug-ins, another
    base for its addresses, scripts without TLS.

    Args:
        host: Name and port under which the page was asked for.
    """
    return "; ".join(
        (
            "default-src 'self' https: data: blob: 'unsafe-inline' 'unsafe-eval'",
            f"connect-src 'self' ws://{host} wss://{host} https: wss: data: blob:",
            "img-src 'self' http: https: data: blob:",
            "media-src 'self' http: https: data: blob:",
            "frame-src 'self' https: data: blob: http://localhost:* http://127.0.0.1:*",  # TensorBoard, for one
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )


def guard_answers(web_app: Any) -> None:
    """Let every answer of this application carry the headers."""
    web_app.add_transform(_Guarded)


class _Guarded(OutputTransform):  # type: ignore[misc]  # tornado is read without its types
    def __init__(self, request: HTTPServerRequest) -> None:
        self.request = request

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: ARG002  called by place
    ) -> tuple[int, HTTPHeaders, bytes]:
        policy = headers.get("Content-Security-Policy", "")
        if not policy:
            headers["Content-Security-Policy"] = NOTHING
        elif "default-src" not in policy and "sandbox" not in policy:  # a page; else jupyter_server is stricter itself
            headers["Content-Security-Policy"] = page_policy(self.request.host)
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "SAMEORIGIN"  # for browsers that do not know frame-ancestors
        headers["Referrer-Policy"] = "same-origin"  # jupyter_server looks at it to tell its own pages from foreign ones
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if not self.request.path.startswith("/files/"):  # a page of the person's own is in a sandbox, so foreign
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if self.request.protocol == "https" and self.request.host_name != "localhost":
            headers["Strict-Transport-Security"] = f"max-age={HSTS_S}"
        headers.pop("Server", None)  # its version is for those who have signed in
        return status_code, headers, chunk
