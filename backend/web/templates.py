"""Jinja2 pages and fragments, with the words, shapes and numbers that all of them share."""

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.templating import Jinja2Templates

from backend.web import formats, words
from backend.web.playback import step_of
from backend.web.statics import FRONTEND, PLOTLY_PATH, static_root, styles

THEMES = ("dark", "light")


@cache
def templates() -> Jinja2Templates:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FRONTEND / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = (
        "whole",
        "compact",
        "figure",
        "percent",
        "size",
        "duration",
        "ago",
        "stamp",
        "clock",
        "prose",
    )
    environment.filters.update({name: getattr(formats, name) for name in names})
    environment.globals.update(
        static=static_root(),
        styles=Markup(styles()),
        plotly=PLOTLY_PATH,
        verdict_words=words.VERDICTS,
        verdict_advice=words.ADVICE,
        rule_words=words.RULES,
        state_words=words.STATES,
        action_words=words.ACTIONS,
        delivery_words=words.DELIVERIES,
        now=time.time,
        step_of=step_of,
    )
    return Jinja2Templates(env=environment)


def page(
    request: Request, name: str, context: Mapping[str, Any], status: int = 200
) -> HTMLResponse:
    """A whole page; the theme comes from a cookie, so that no page flashes in the wrong one."""
    theme = request.cookies.get("theme")
    known = {"theme": theme if theme in THEMES else None, "path": request.url.path}
    return templates().TemplateResponse(request, name, {**known, **context}, status_code=status)


def fragment(name: str, context: Mapping[str, Any]) -> str:
    """Part of a page, as the stream sends it."""
    return templates().get_template(name).render(**context)
