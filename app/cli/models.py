"""`recolor models`: the students in the model store."""

from typing import Annotated

import typer
from rich.table import Table

from app.cli.console import errors, out, settings_of
from app.students import ModelStoreError
from app.students.store import ModelStore

models = typer.Typer(help="The students in the model store.", no_args_is_help=True)


@models.command("list")
def list_models() -> None:
    """The students there are, with their scores."""
    view = Table("model", "architecture", "codec", "decoding", "overall", "MB", "licence")
    with errors():
        for stored in ModelStore(settings_of().model_store):
            manifest = stored.manifest
            overall = manifest.scores.get("test", {}).get("scores", {}).get("All", {}).get("overall")
            shown = "" if overall is None else f"{overall:.3f}"
            size = f"{stored.size / 1e6:.1f}"
            view.add_row(
                manifest.model, manifest.architecture, manifest.codec, manifest.decoding, shown, size, manifest.licence
            )
    out.print(view)


@models.command()
def verify(
    model: Annotated[str | None, typer.Argument(help="name@version.", show_default="every student")] = None,
) -> None:
    """Compare the files of a student, or of all, with the hashes in their manifests."""
    with errors():
        store = ModelStore(settings_of().model_store)
        students = [store.find(model)] if model else list(store)
        if not students:
            raise ModelStoreError(f"there is no student in {store.students}")
        for stored in students:
            stored.verify()
            out.print(f"{stored.manifest.model}: {len(stored.manifest.files)} files as the manifest says")
