"""The response to a request that fails: a page for a person, a problem for a program."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from app.base.web.pages import browser_language, not_found_page, page

_STAFF = ("/admin", "/outbox")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_GONE = (404, 405)
"""Whoever opens the address of a form finds as little there as at an unknown one."""


def problem(
    status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **more: object
) -> JSONResponse:
    """An RFC 9457 response with our stable `code`."""
    body = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def refusal(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **more: object,
) -> Response:
    """A page where a person opened one, else a problem with `code`, `detail` and `more`.

    The team reads `detail`, customers what to do in the language of their browser.
    """
    if not _is_page(request, status):
        return problem(status, code, detail, headers=headers, **more)
    return failure_page(request, status, detail, headers=headers)


def failure_page(
    request: Request, status: int, detail: str, *, headers: dict[str, str] | None = None
) -> HTMLResponse:
    """The page of a failure: the team's below `/admin` and `/outbox`, else customers'."""
    if request.url.path.startswith(_STAFF):
        values = {"is_gone": status in _GONE, "detail": detail}
        return page("admin/refused.html", values, status=status, headers=headers)
    if status in _GONE:
        return not_found_page(request, status=status)
    return page(
        "failed.html",
        {"is_ours": status >= 500},
        language=browser_language(request),
        status=status,
        headers=headers,
    )


def _is_page(request: Request, status: int) -> bool:
    """Whether a person waits for it: in a browser, at an address of a page or of nothing."""
    if "text/html" not in request.headers.get("accept", ""):
        return False
    if request.method not in ("GET", "HEAD") and not _is_form(request):
        return False
    route = request.scope.get("route")
    if route is None or status == 404:
        return True
    return not getattr(route, "include_in_schema", True) or (
        getattr(route, "response_class", None) is HTMLResponse
    )


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith(_FORMS)
