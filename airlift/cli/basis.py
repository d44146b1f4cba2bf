"""``--build-on``: which earlier deliveries a new one may count on."""

import click

from airlift.outbound import bases


class Basis(click.ParamType[str]):
    """What to build on, as ``bases.choose`` reads it."""

    name = "confirmed|anchor|last|all|none|SEQUENCE[,..]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the text where it is one of these."""
        text = str(value)
        if not bases.is_choice(text):
            words = ", ".join(bases.WORDS)
            self.fail(f"`{text}` is not {words} or numbers such as 3,7")
        return text


option = click.option(
    "--build-on",
    type=Basis(),
    default=bases.NONE,
    show_default=True,
    help="What the site holds: only what changed travels. It said so itself "
    "(confirmed), or the last full delivery, or what you know that it took.",
)
"""The option of every command that reckons with what a site holds."""
