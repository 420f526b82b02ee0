"""How Sphinx builds the site."""

import builtins
from importlib import metadata
from typing import Any

from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

project = "raydocs_async"
author = "The raydocs_async authors"
release = metadata.version("raydocs-async")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
html_theme = "furo"
html_title = f"raydocs_async {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["llms.txt"]
html_copy_source = False
html_show_copyright = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# A block that shows what was printed has nothing to copy.
copybutton_selector = "div.highlight:not(.highlight-text *) pre"
copybutton_prompt_text = "$ "

# Ray is big, and only `nox -s engines` installs it.
autodoc_mock_imports = ["pyarrow", "ray", "raydocs_async._ray_checkpoint"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_custom_sections = ["Source"]

# In a docstring, single backticks are a name: a link if it is one of ours, else an argument.
default_role = "py:obj"
nitpick_ignore_regex = [
    (r"py:obj", r"[a-z_]+"),
    (r"py:class", r"raydocs_async\.\w+\.[A-Z](_co)?"),  # type variables
    # Other projects' names: their inventories are on the network, which a build does not need.
    (r"py:exc", r"StructureHandlerNotFoundError"),  # of cattrs
    (
        r"py:.*",
        r"(aiohttp|asyncio|collections|datetime|enum|opentelemetry|os|pathlib|pyarrow|ray|types|uuid)\..*",
    ),
]

# What a signature shows in the place of what is not public, or is too long to read.
READABLE = {
    " = NOTHING": " = {}",  # attrs' word for an empty mapping
    " | ~raydocs_async._base_client.Default": "",  # the default itself says "the client's"
    "~raydocs_async._exchange.Transport": "~raydocs_async.testing.FakeTransport",  # all there is
}


def setup(app: Sphinx) -> None:
    """Mend what is generated where it does not read well."""
    app.connect("autodoc-process-signature", mend_signature)
    app.connect("doctree-read", unlink_builtins)
    app.connect("sphinx-click-process-arguments", drop_arguments)
    app.connect("sphinx-click-process-epilog", mend_epilog)


def mend_signature(app: Sphinx, what: str, *about: Any) -> tuple[str, str | None] | None:
    """Leave out exceptions' arguments, which nobody gives, and what is not readable."""
    arguments, returns = about[-2:]
    if arguments is None:
        return None
    for shown, readable in READABLE.items():
        arguments = arguments.replace(shown, readable)
    return "" if what == "exception" else arguments, returns


def unlink_builtins(app: Sphinx, tree: Any) -> None:
    """Keep a built-in's name in a signature, such as `type`, from leading to a namesake of ours."""
    for link in tree.findall(pending_xref):
        if link["reftype"] == "class" and link["reftarget"] in vars(builtins):
            # Sphinx searches for namesakes wherever the attribute exists, even if it is false.
            link.attributes.pop("refspecific", None)


def drop_arguments(app: Sphinx, context: object, lines: list[str]) -> None:
    """Leave out the list of arguments, which says no more than the usage above it."""
    lines.clear()


def mend_epilog(app: Sphinx, context: object, lines: list[str]) -> None:
    """Keep an option's two hyphens from becoming a dash."""
    lines[:] = [line.replace("--token-file", "``--token-file``") for line in lines]
