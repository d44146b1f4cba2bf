"""``--build-on``: which earlier deliveries a new one may count on."""

import click

from airlift.outbound import bases


class Basis(click.ParamType[str]):
    """What to build on, as ``bases.choose`` reads it."""

    name = "last|all|none|SEQUENCE[,..]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the text where it is one of these."""
        text = str(value)
        if not bases.is_choice(text):
            self.fail(f"`{text}` is not last, all, none or numbers such as 3,7")
        return text


option = click.option(
    "--build-on",
    type=Basis(),
    default=bases.NONE,
    show_default=True,
    help="Earlier deliveries that the site has taken: what they brought stays there, "
    "and only what changed travels.",
)
"""The option of every command that reckons with what a site holds."""
