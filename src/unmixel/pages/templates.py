"""Templates of pages, with everything escaped that is not ours."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup


def templates_of(package: str) -> Environment:
    """Return the templates of a package, beside those that all pages share (``chart.html.j2``, ``page.css``)."""
    own = PackageLoader(package)
    return Environment(loader=ChoiceLoader([own, PackageLoader("unmixel.pages", "template_files")]), autoescape=True)


def source_of(templates: Environment, name: str) -> Markup:
    """Return a style sheet or a script as it is."""
    assert templates.loader is not None
    return Markup(templates.loader.get_source(templates, name)[0])
