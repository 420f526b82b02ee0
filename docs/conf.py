"""How Sphinx builds the site."""

from importlib import metadata

from sphinx.application import Sphinx

project = "raydocs_async"
author = "The raydocs_async authors"
release = metadata.version("raydocs-async")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
html_theme = "furo"
html_title = f"raydocs_async {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["llms.txt"]
html_copy_source = False
html_show_copyright = False
smartquotes_action = "qe"  # and no dashes, which options begin with

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_custom_sections = ["Source"]

# In a docstring, single backticks are a name: a link if it is one of ours, else an argument.
default_role = "py:obj"
nitpick_ignore_regex = [
    (r"py:obj", r"[a-z_]+"),
    (r"py:class", r"raydocs_async\.client\.Default"),  # says "the client's" in a signature
    # Other projects' names: their inventories are on the network, which a build does not need.
    (r"py:.*", r"(aiohttp|asyncio|collections|datetime|enum|uuid)\..*"),
]


def setup(app: Sphinx) -> None:
    """Leave out exceptions' arguments: nobody raises them, and their attributes are listed."""
    app.connect(
        "autodoc-process-signature",
        lambda app, what, *_: ("", None) if what == "exception" else None,
    )
