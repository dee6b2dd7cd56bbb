"""`contextsvc assets`: download and list models, tokenizer ranks and sentence data."""

from typing import Annotated, Any

import typer

from contextsvc.cli.options import JsonFlag

app = typer.Typer(help="Download and list models and data files.", no_args_is_help=True)


@app.command("pull")
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Names of assets.  [default: all]")] = None,
    as_json: Annotated[bool, JsonFlag] = False,
) -> None:
    """Download missing and damaged assets.

    Verifies each asset by its SHA-256.
    """
    from contextsvc import assets
    from contextsvc.cli.output import print_json, progress, say, size
    from contextsvc.settings import Settings
    from contextsvc.wiring.assets import pull_asset

    settings = Settings.from_env()
    pulled = []
    for name in names or list(assets.ASSETS):
        with progress("pulling") as tell:
            pulled.append(pull_asset(settings, name, tell))
    if as_json:
        print_json(
            [
                {
                    "name": p.name,
                    "source": p.source,
                    "seconds": round(p.seconds, 2),
                    "num_bytes": p.size_bytes,
                    "folder": str(p.folder),
                }
                for p in pulled
            ]
        )
        return
    for p in pulled:
        say(f"{p.name}: {p.source}, verified, {size(p.size_bytes)}, {p.seconds:.1f} s")


@app.command("list")
def list_assets(as_json: Annotated[bool, JsonFlag] = False) -> None:
    """List every asset and its state.

    Prints licence, size, SHA-256 and source. Hashes every file.
    """
    from contextsvc import assets
    from contextsvc.cli.output import print_json, print_table, say, size
    from contextsvc.settings import Settings

    home = Settings.from_env().home
    rows: list[dict[str, Any]] = [
        {
            "name": asset.name,
            "purpose": asset.purpose,
            "licence": asset.licence,
            "num_bytes": asset.size_bytes,
            "sha256": asset.sha256,
            "source": assets.origin(home, asset.name) or f"{asset.wheel.name}=={asset.wheel.version}",
            "state": assets.state(home, asset.name),
        }
        for asset in assets.ASSETS.values()
    ]
    if as_json:
        print_json({"home": str(home), "assets": rows})
        return
    columns = ("name", "state", "size", "licence", "SHA-256", "source")
    cells = [
        (r["name"], r["state"], size(r["num_bytes"]), r["licence"], r["sha256"][:16], r["source"])
        for r in rows
    ]
    print_table(columns, cells, right=("size",))
    say(f"home: {home}")
