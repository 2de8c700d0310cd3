"""Links of the site: from Markdown pages to each other and to the reference, and between names."""

from __future__ import annotations

import os
import pydoc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from public_names import find_entries, list_public_names
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def rewrite_links(text: str, source: Path, page: Path) -> str:
    """Return a page whose links lead to pages of the site where a file of the repository is one.

    Args:
        text: Markdown.
        source: the file that holds the text.
        page: the file of the page on which it stands.
    """

    def rewrite(link: re.Match[str]) -> str:
        target = (source.parent / link[1]).resolve()
        page_of = ROOT / "docs" / f"{target.stem.lower()}.md".replace("readme", "index")
        if target.parent == ROOT and page_of.exists():
            target = page_of
        elif ROOT / "examples" in (target, *target.parents):
            target = ROOT / "docs" / "reference" / "examples.rst"
        return f"]({os.path.relpath(target, page.parent)}"

    return _LINK.sub(rewrite, text)


def read_page(app: Sphinx, docname: str, content: list[str]) -> None:
    """Rewrite the links of a page in Markdown."""
    page = Path(app.env.doc2path(docname))
    if page.suffix == ".md":
        content[0] = rewrite_links(content[0], page, page)


def read_include(app: Sphinx, source: Path, docname: str, content: list[str]) -> None:
    """Rewrite the links of a file beside ``docs`` that is on a page."""
    content[0] = rewrite_links(content[0], ROOT / source.name, Path(app.env.doc2path(docname)))


def link_names(app: Sphinx, page: nodes.document) -> None:
    """Make links of the public names on a page, which is plain Markdown in the repository.

    Classes are known by their short names, too.
    """
    for node in page.findall(pending_xref):
        # Else any name that ends like it is taken: "type" would be a field of a bounty.
        node.attributes.pop("refspecific", None)
    if not page["source"].endswith(".md"):
        return
    entries = find_entries(list_public_names())
    short = {name.rpartition(".")[2]: name for name in reversed([*entries])}
    for literal in list(page.findall(nodes.literal)):
        written = literal.astext()
        name = written.rpartition(".")[2]
        is_known = written in entries or (name in short and name[0].isupper())
        if not is_known or not isinstance(literal.parent, nodes.paragraph):
            continue
        target = written if written in entries else short[name]
        if written == name and any("postback" in anchor for anchor in _anchors_around(literal)):
            # Both families have some names.
            target = entries.get(f"dubhooks.postbacks.{name}", target)
        link = pending_xref("", literal.deepcopy(), refdomain="py", reftype="obj")
        link.attributes |= {"reftarget": entries[target], "refdoc": app.env.docname}
        literal.replace_self(link)


def _anchors_around(node: Any) -> Iterator[str]:
    while node.parent is not None:
        node = node.parent
        yield from node["ids"]


def find_public(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> Any:
    """Resolve a name that a docstring or an annotation has from where it is not public.

    What has no entry, though it exists, stays text: a type that only annotations name.
    """
    if node.get("refdomain") != "py":
        return None
    domain: Any = env.get_domain("py")
    owner, _, name = f".{node['reftarget']}".rpartition(".")
    owner = owner.rpartition(".")[2]
    for tail in (f".{owner}.{name}", f".{name}"):
        found = [key for key, it in domain.objects.items() if key.endswith(tail) and not it.aliased]
        if len(found) == 1:
            page = node["refdoc"]
            return domain.resolve_xref(env, page, app.builder, "obj", found[0], node, content)
    return content if pydoc.locate(node["reftarget"]) is not None else None
