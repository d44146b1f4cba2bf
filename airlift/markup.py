"""HTML out of templates: the one place that says how values get into it.

Names, cards and findings come from outside: every value is escaped but for drawings that
airlift made itself (plots, QR codes).
"""

from collections.abc import Callable, Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment(
    package: str, filters: Mapping[str, Callable[..., object]]
) -> Environment:
    """Return what renders the files in ``templates`` of *package*.

    Args:
        package: Name of the package.
        filters: By the name that templates call them.
    """
    made = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        # A misspelt name is an error and not an empty place.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= filters
    return made
