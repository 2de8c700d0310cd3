"""Sphinx extension: writes the reference from the code, and stops the build for what has no entry.

The pages are written to ``docs/reference``, which is no part of the repository.
"""

from __future__ import annotations

import inspect
import pydoc
import re
import sys
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any, NamedTuple, get_args

from event_pages import build_event_pages
from links import ROOT, find_public, link_names, read_include, read_page
from public_names import (
    DOCUMENTED,
    FAMILIES,
    find_entries,
    list_missing,
    list_names,
    list_public_names,
    make_readable,
)
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging

import dubhooks
from dubhooks import errors, reply
from dubhooks.receiver._settings import UNSET

logger = logging.getLogger(__name__)


class Page(NamedTuple):
    """A page of the reference: a title, and modules, or single names of the package."""

    title: str
    items: str


PAGES = {
    "every-event": Page("What every event has", ""),
    "receivers": Page("Receivers: Webhooks and Postbacks", "Webhooks Postbacks Receiver"),
    "functions": Page("Verify, sign, explain", "verify sign explain Explanation _explain.Cause"),
    "errors": Page("Errors and their codes", "errors"),
    "outcomes": Page("Outcomes and replies", "Outcome Reply DeliveryRecord DeadLetters "
                     "DeadLetterDirectory health"),
    "flask": Page("Flask", "flask"),
    "fastapi": Page("FastAPI", "fastapi"),
    "django": Page("Django", "django"),
    "wsgi-asgi": Page("WSGI and ASGI", "wsgi asgi"),
    "aws-lambda": Page("AWS Lambda", "aws_lambda"),
    "stores": Page(
        "Stores and inboxes",
        "stores stores.memory stores.sqlite stores.redis stores.sqlalchemy idempotency",
    ),
    "queues": Page(
        "Queues",
        "queues queues.celery queues.dbos queues.dramatiq queues.procrastinate queues.rq",
    ),
    "testing": Page("Testing", "testing"),
}  # fmt: skip
"""What users look for, in this order.  The events have pages of their own."""

OUTCOMES = {
    "handled": "The handler ran. A route's own response keeps its status.",
    "queued": "The queue holds the delivery; its worker runs the handler.",
    "duplicate": "This event was handled before; nothing ran.",
    "ignored": "No handler takes this event; the log has a line.",
    "unhandled_payout": "No handler takes this payout. A 2xx would mark it as paid.",
    "busy": "Another worker handles this event now.",
    "conflict": "Another body was handled under this event id.",
    "unauthorized": "The signature is missing, malformed or of another secret or body.",
    "malformed": "The body is no event, is cut off, or is too old.",
    "invalid": "A known event does not fit its model. 200 once ``dead_letters`` kept it, "
    "501 for a payout.",
    "too_large": "The body is larger than ``max_body``.",
    "too_slow": "The body did not arrive in time (ASGI).",
    "wrong_method": "The request is not a POST.",
    "compressed": "The body is compressed; Dub sends plain JSON.",
    "unavailable": "The store, the queue or the secret cannot be reached; nothing ran.",
    "retry": "The handler raised ``RetryLater``.",
    "rejected": "The handler raised ``Reject``; Dub does not send the event again.",
    "failed": "The handler raised, or answered outside 2xx; the event runs again.",
}


def build_pages() -> dict[str, str]:
    """Return the text of every page of the reference by its name."""
    pages = build_event_pages()
    names = list_public_names()
    entries = find_entries(names)
    done = set(re.findall(r"^\.\. py:class:: (\S+)", "\n".join(pages.values()), re.MULTILINE))
    for page, (title, items) in PAGES.items():
        pages[page] = _title(title) + _HEADS.get(page, str)()
        for item in items.split():
            pages[page] += _describe_item(item, names, entries, done)
    for family in FAMILIES:
        pages[family] += _describe_item(family, names, entries, done, has_head=False)
    objects = "\n".join(f"   {page}" for page in pages if page.startswith("objects/"))
    pages["objects"] = f"{_title('Shared objects')}.. toctree::\n   :maxdepth: 1\n\n{objects}\n"
    order = ("webhooks", "postbacks", "objects", *PAGES, "examples")
    listed = "\n".join(f"   {page}" for page in order)
    pages["index"] = f"{_title('Reference')}.. toctree::\n   :maxdepth: 1\n\n{listed}\n"
    pages["examples"] = _build_examples()
    return pages


_NO_MODULE = ".. py:currentmodule:: None\n\n"
"""After a module's docstring: every entry has its whole name."""


def _describe_item(
    item: str,
    names: dict[str, object],
    entries: dict[str, str],
    done: set[str],
    *,
    has_head: bool = True,
) -> str:
    whole = f"dubhooks.{item}"
    value = pydoc.locate(whole)
    if not isinstance(value, ModuleType):
        return _describe_name(whole, value, done)
    text = f"\n{_title(whole, '-')}\n.. automodule:: {whole}\n\n{_NO_MODULE}" if has_head else "\n"
    for name in list_names(value):
        entry = entries[f"{whole}.{name}"]
        text += _describe_name(entry, names[entry], done)
    return text


def _describe_name(name: str, value: Any, done: set[str]) -> str:
    if name in done:
        return ""
    done.add(name)
    if isinstance(value, type):
        kind = "exception" if issubclass(value, Exception) else "class"
        text = f".. auto{kind}:: {name}\n   :members:\n"
        if value in (dubhooks.Webhooks, dubhooks.Postbacks):
            # Its parameters are in the table, and its type would name every event.
            text += "   :class-doc-from: class\n   :exclude-members: on_unhandled\n\n"
            what = inspect.getdoc(value.on_unhandled) or ""
            return text + f"   .. py:property:: on_unhandled\n\n{indent(what, ' ' * 6)}\n\n"
        bases = "Receiver, Queue, DubhooksError, Exception, tuple, dict, Protocol, Generic, object"
        return f"{text}   :inherited-members: {bases}\n\n"
    if inspect.isroutine(value):
        return f".. autofunction:: {name}\n\n"
    what = DOCUMENTED.get(name.rpartition(".")[2], ("", ""))[1]
    if not what:
        raise LookupError(f"{name} has no description: write a docstring below it")
    values = re.findall(r"'(\w+)'", str(value)) if "Literal" in str(value) else []
    known = f"\n\n   Known values: {', '.join(f'``{it}``' for it in values)}." if values else ""
    return f".. py:data:: {name}\n\n   {what}{known}\n\n"


def _tell_parameters() -> str:
    function = dubhooks.Receiver.__init__
    told = dict(
        re.findall(r"^    (\w+): ((?:.|\n {8})+)", inspect.getdoc(function) or "", re.MULTILINE)
    )
    rows = []
    for name, it in list(inspect.signature(function).parameters.items())[1:]:
        kind = make_readable(str(it.annotation))
        default = f"``{it.default!r}``".replace("datetime.", "")
        if it.default in (it.empty, UNSET):
            default = "required" if it.default is it.empty else repr(UNSET).strip("<>")
        meaning = _find(told, name, "the Args of Receiver.__init__")
        rows.append([f"``{name}``", f"``{kind}``", default, " ".join(meaning.split())])
    return _table("Every parameter: name, type, default, meaning", rows)


def _tell_codes() -> str:
    rows = []
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, errors.DubhooksError):
            first = (inspect.getdoc(kind) or "").splitlines()[0]
            error = f":exc:`~dubhooks.{kind.__name__}`"
            outcome = reply.find_outcome(kind.code)
            code = f".. _{kind.code}:\n\n       ``{kind.code}``"
            rows.append([code, error, f"``{outcome}``" if outcome else "", first])
    return _table("Every code: code, error, outcome, meaning", rows)


def _tell_outcomes() -> str:
    rows = []
    for outcome in get_args(reply.Outcome):
        headers = [f"``{key}: {it}``" for key, it in reply._HEADERS.get(outcome, {}).items()]
        status = str(reply._STATUS[outcome])
        meaning = _find(OUTCOMES, outcome, "OUTCOMES in docs/_ext/reference.py")
        rows.append([f"``{outcome}``", status, ", ".join(headers), meaning])
    return _table("Every outcome: outcome, status, headers, meaning", rows)


def _find(meanings: dict[str, str], name: str, where: str) -> str:
    if name not in meanings:
        raise LookupError(f"{name} has no meaning: write it into {where}")
    return meanings[name]


def _table(title: str, rows: list[list[str]]) -> str:
    title, heads = title.split(": ")
    text = f".. list-table:: {title}\n   :header-rows: 1\n   :class: wide\n\n"
    for row in (heads.split(", "), *rows):
        text += "".join(f"   {'  ' if i else '* '}- {cell}\n" for i, cell in enumerate(row))
    return text + "\n"


def _describe_every_event() -> str:
    members = "natural_key, to_json, model_copy"
    return f".. autoclass:: dubhooks.events._base.Event\n   :members: {members}\n\n"


_HEADS = {
    "every-event": _describe_every_event,
    "receivers": _tell_parameters,
    "errors": _tell_codes,
    "outcomes": _tell_outcomes,
}


def _build_examples() -> str:
    text = _title("Examples")
    for file in sorted((ROOT / "examples").rglob("*.py")):
        if file.read_text("utf-8").strip():
            name = file.relative_to(ROOT / "examples")
            text += f"\n{_title(str(name), '-')}\n.. literalinclude:: /../examples/{name}\n"
    return text


def _title(text: str, sign: str = "=") -> str:
    return f"{text}\n{sign * len(text)}\n"


# -- what Sphinx calls ----------------------------------------------------------------------------


def _spell_out(_app: Sphinx, *given: Any) -> tuple[str | None, str | None]:
    *_, signature, returned = given
    return signature and make_readable(signature), returned and make_readable(returned)


def _keep_colons(_app: Sphinx, what: str, *given: Any) -> None:
    """Have napoleon take no words before a colon for the type of an attribute."""
    lines: list[str] = given[-1]
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment


def write_pages(app: Sphinx) -> None:
    """Write what has changed, and remove what is no page any more."""
    # One signature of "on" in place of six.
    source = ModuleAnalyzer.for_module("dubhooks.receiver._typed")
    source.analyze()
    source.overloads.clear()
    folder = Path(app.srcdir) / "reference"
    try:
        pages = {folder / f"{name}.rst": text for name, text in build_pages().items()}
    except LookupError as error:
        sys.exit(f"the reference cannot be written: {error}")
    for file in set(folder.rglob("*.rst")) - set(pages):
        file.unlink()
    for file, text in pages.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


def _check_entries(_app: Sphinx, env: BuildEnvironment) -> None:
    domain: Any = env.get_domain("py")
    for line in list_missing({*domain.objects}):
        logger.warning(line)


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx call the functions above."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", read_page)
    app.connect("include-read", read_include)
    app.connect("autodoc-process-docstring", _keep_colons, priority=400)
    app.connect("autodoc-process-signature", _spell_out)
    app.connect("doctree-read", link_names)
    app.connect("missing-reference", find_public)
    app.connect("env-check-consistency", _check_entries)
    return {"parallel_read_safe": True}
