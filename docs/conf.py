"""The site: ``sphinx-build -n -W docs site`` after ``pip install 'dubhooks[docs]'``."""

import sys
from importlib.metadata import version as find_version
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

# The models of Django's part cannot be imported without settings.
settings.configure(
    INSTALLED_APPS=["dubhooks.django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DUBHOOKS={"WEBHOOK_SECRET": "whsec_of_the_docs", "POSTBACK_SECRET": "pbsec_of_the_docs"},
)
django.setup()

project = "dubhooks"
author = "The dubhooks authors"
version = release = find_version("dubhooks")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "reference",
]
exclude_patterns = ["_build"]
myst_heading_anchors = 4
nitpicky = True
# Other projects have no pages here.
nitpick_ignore_regex = [("py:.*", r"(?!dubhooks).*")]

autodoc_member_order = "bysource"
autoclass_content = "both"
napoleon_numpy_docstring = False
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"dubhooks {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sourcelink = False
pygments_style = "friendly"
pygments_dark_style = "one-dark"
