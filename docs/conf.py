"""How Sphinx builds these pages: `python -m sphinx -W --keep-going -n docs build/docs`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for command_pages
os.environ["COLUMNS"] = "84"  # of the usages, whatever terminal builds the pages

import kerasgan  # noqa: E402

project = "kerasgan"
version = release = kerasgan.__version__
copyright = "the kerasgan contributors; MIT licence"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "command_pages"]
exclude_patterns = ["_build"]

# Two dashes are the beginning of a flag, not a dash of print.
smartquotes = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3  # levels that other pages may link to

# Docstrings have code between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Types in signatures need no page: those of NumPy and Keras have theirs elsewhere, and nothing is
# fetched to build these pages. What a page names by itself has to be there.
nitpick_ignore_regex = [("py:class", ".*")]

html_theme = "furo"
html_title = "kerasgan"
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
