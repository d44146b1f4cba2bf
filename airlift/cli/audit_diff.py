"""``airlift audit diff``: what differs between two revisions that are held."""

import click

from airlift import naming
from airlift.audit import diff
from airlift.audit.answer import Answer, Options
from airlift.audit.diff import Compared
from airlift.audit.report import Report
from airlift.audit.site import Site
from airlift.cli import audit_frame, audit_view, output, telling_changes
from airlift.cli.audit_frame import Asked


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option(
    "--values",
    is_flag=True,
    help="Also compare the bytes of tensors: reads the weights of both.",
)
@audit_frame.shared
def command(asked: Asked, old: str, new: str, *, values: bool) -> int:
    """Show what differs between the releases OLD and NEW, which may be any two held.

    Files, settings, tensors, licences and, line by line, chat templates; and how far it
    goes: documentation, behaviour without weights, weights, architecture.
    """
    seen: list[Compared] = []

    def ask(site: Site, options: Options) -> Answer:
        found = diff.compare(site, *diff.two(site, (old, new)))
        if values:
            found = diff.with_values(site, found, options.progress)
        seen.append(found)
        return diff.answer(seen)

    def show(found: Report, width: int | None) -> None:
        audit_view.one(found, width, table=False)
        for one in seen:
            output.line()
            _show(one)

    return audit_frame.answer(asked, "diff", ask=ask, show=show)


def _show(one: Compared) -> None:
    told = one.changes
    name = naming.show(told.name)
    output.line(f"{name}  {told.before[:12]} -> {told.after[:12]}: {told.extent.value}")
    for line in telling_changes.lines(told):
        output.line(f"  {line}")
    if one.values:
        count = one.values.same + len(one.values.changed)
        output.line(f"  values of {count} tensors: {len(one.values.changed)} changed")
        for name in one.values.changed[: telling_changes.SHOWN]:
            output.line(f"    {naming.show(name)}")
