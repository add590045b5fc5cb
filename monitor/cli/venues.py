"""`liqmon venues`: which venues this program reads, and how complete what they publish is."""

from typing import Annotated

import msgspec
import typer

from monitor.venues import VENUES


def venues(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array instead of a table.")
    ] = False,
) -> None:
    """List the venues: name, products, completeness of the liquidation feed, documents.

    Completeness is how much of its forced orders a venue's public feed carries: "full" all,
    "one_per_second" at most one a second for each contract, "aggregated" sums, "none" nothing.
    """
    rows = [
        {
            "name": venue.name,
            "products": list(venue.products),
            "completeness": venue.completeness.value,
            "docs": venue.docs,
        }
        for venue in VENUES
    ]
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    table = [("NAME", "PRODUCTS", "COMPLETENESS", "DOCS")]
    table += [
        (venue.name, " ".join(venue.products), venue.completeness.value, venue.docs)
        for venue in VENUES
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join(cells).rstrip())
