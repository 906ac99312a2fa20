"""How Sphinx builds these pages: Markdown by MyST, the reference from the docstrings.

The build is strict (`make docs`: every warning is an error, dead references too) and needs no
network. Names are documented where applications import them from, such as ``skerry.Realm``, and are
found by the module that they are written in, too, which is what annotations name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils.nodes import Element, TextElement
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "Skerry"
author = "The Skerry authors"
project_copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# The README of the decisions is for who looks at the folder; `decisions/index` takes it in.
exclude_patterns = ["_build", "decisions/README.md"]
root_doc = "index"

html_theme = "furo"
html_title = "Skerry"
html_copy_source = False

# Headings can be linked to, as on the forges that show these pages too.
myst_heading_anchors = 3

# A name in single backticks of a docstring is a link if the reference has it, and code if not.
default_role = "py:obj"

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
napoleon_numpy_docstring = False
# Attributes that a class docstring lists may be properties with a docstring of their own, too.
napoleon_use_ivar = True

nitpick_ignore_regex = [
    # Other projects' names: their inventories are on the network, which no build shall need.
    (r"py:.*", r"(?!skerry\b)[a-z_]\w*\..*"),
    # Aliases: kinds of functions, which the docstrings describe, and unions of classes.
    (r"py:class", r"CompactFunction|ErrorHandler|InitialData|MigrationFunction|UpdateBlock"),
    (r"py:class", r"CollectionChange|Content|KeyPaths|Models|ObjectChange|Path|ResultsChange"),
    (r"py:class", r"Scalar|SortKey|Synchronous|TimestampUnit"),
    # What only Skerry makes and hands on; no application names it.
    (
        r"py:class",
        r"skerry\.(client\.(environment\.Environment|file_session\.FileSession|http\.HttpService"
        r"|subscriptions\.SubscriptionHost|user\.Users|user_store\.UserRecord)"
        r"|model\.(base\.(ModelObject|ClassSchema)|collections\.Part"
        r"|properties\.(Missing|Property)))",
    ),
    # The same without their modules, and what the facades of the trio API have in common.
    (r"py:class", r"Environment|Missing|Observable"),
    (r"py:class", r"skerry\.(aio|blocking)\.(base|configured|lifecycle)\.\w+"),
    # Type variables, and what is private to a module but stands in an annotation.
    (r"py:.*", r"(.*\.)?_[A-Za-z]\w*(\..*)?"),
]

# Said at the beginning of the docstring of an `__init__` that applications do not call, and at the
# end of the first line of members that are public only to other modules of Skerry.
_INTERNAL = re.compile(r"\bInternal[.:]")


def leave_plain(
    _app: Sphinx, _env: BuildEnvironment, node: pending_xref, content: TextElement
) -> Element | None:
    """Show what stands in single backticks and has no place in the reference as plain code."""
    return content if (node.get("refdomain"), node["reftype"]) == ("py", "obj") else None


def skip_internal(
    _app: Sphinx, _what: str, _name: str, member: object, _skip: bool, _options: object
) -> bool | None:
    """Leave out what its docstring calls internal."""
    text = getattr(member, "__doc__", None) or ""
    return True if _INTERNAL.search(text) else None


def hide_internal_constructor(
    _app: Sphinx,
    what: str,
    _name: str,
    documented: object,
    _options: object,
    _signature: str | None,
    _returns: str | None,
) -> tuple[str, str] | None:
    """Show no signature for classes that applications do not make themselves."""
    text = getattr(getattr(documented, "__init__", None), "__doc__", None) or ""
    return ("", "") if what == "class" and _INTERNAL.search(text) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the above, when Sphinx asks for it."""
    app.connect("missing-reference", leave_plain)
    app.connect("autodoc-skip-member", skip_internal)
    app.connect("autodoc-process-signature", hide_internal_constructor)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
