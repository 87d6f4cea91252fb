"""`recolor models`: the students in the model store, and the base models that others are trained from."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import err, errors, out, settings_of
from app.students import ModelStoreError
from app.students.adding import add as add_folder
from app.students.adding import remove as remove_entry
from app.students.store import ModelStore, StoredModel

models = typer.Typer(help="The students in the model store, and base models to train from.", no_args_is_help=True)

Entry = Annotated[str, typer.Argument(help="name@version.")]
As = Annotated[str, typer.Option("--as", help="The entry to make, name@version.", show_default="the name, @1")]


@models.command("list")
def list_models() -> None:
    """The models there are, with their scores."""
    view = Table("model", "role", "architecture", "codec", "decoding", "overall", "MB", "GPU GiB", "licence")
    with errors():
        for stored in _store():
            manifest = stored.manifest
            overall = _overall(stored)
            view.add_row(
                manifest.model,
                manifest.role,
                manifest.architecture,
                manifest.codec,
                manifest.decoding if manifest.role == "student" else "",
                "" if overall is None else f"{overall:.3f}",
                f"{stored.size / 1e6:.1f}",
                f"{manifest.gpu_memory_gib:g}" if manifest.gpu_memory_gib else "",
                manifest.licence,
            )
    out.print(view)


@models.command()
def show(model: Entry) -> None:
    """Everything the manifest says of a model, but its training log."""
    with errors():
        stored = _store().newest(model)
    manifest = stored.manifest
    view = Table(title=manifest.model, title_justify="left", show_header=False, box=None)
    facts = manifest.model_dump(exclude={"name", "version", "training", "scores", "files", "thresholds", "datasets"})
    for name, value in facts.items():
        if value not in (None, ""):
            view.add_row(name.replace("_", " "), escape(str(value)))
    if (overall := _overall(stored)) is not None:
        view.add_row("overall, test split", f"{overall:.3f}")
    view.add_row("trained by", escape(str(manifest.training.get("command", ""))))
    for name, digest in manifest.datasets.items():
        view.add_row("data", f"{escape(name)} {digest[:12]}…")
    for name, digest in manifest.files.items():
        file = stored.path / name
        size = f"{file.stat().st_size / 1e6:,.1f} MB" if file.is_file() else "missing"
        view.add_row("file", f"{escape(name)}  {size}  {digest[:12]}…")
    out.print(view)


@models.command()
def verify(
    model: Annotated[str | None, typer.Argument(help="name@version.", show_default="every model")] = None,
) -> None:
    """Compare the files of a model, or of all, with the hashes in their manifests."""
    with errors():
        store = _store()
        found = [store.find(model)] if model else list(store)
        if not found:
            raise ModelStoreError(f"there is no student in {store.students}")
        for stored in found:
            stored.verify()
            out.print(f"{stored.manifest.model}: {len(stored.manifest.files)} files as the manifest says")


@models.command()
def add(
    folder: Annotated[Path, typer.Argument(help="A Hugging Face model in safetensors, or a student's folder.")],
    entry: As = "",
    licence: Annotated[str, typer.Option(help="Of a base model; goes into the manifest of all that is trained.")] = "",
) -> None:
    """Take a model from a folder: a base to train from, or a student from another store."""
    is_student = (folder / "manifest.json").is_file()
    if not is_student and not licence:
        raise typer.BadParameter("name the base model's licence, e.g. Apache-2.0", param_hint="--licence")
    with errors():
        stored = add_folder(_store(), folder, entry or f"{folder.resolve().name.lower()}@1", licence)
    out.print(f"added {stored.manifest.model} ({stored.manifest.licence})")


@models.command()
def pull(
    repository: Annotated[str, typer.Argument(help="At the Hugging Face hub, e.g. google/flan-t5-base.")],
    revision: Annotated[str, typer.Option(help="A commit, tag or branch; the commit is noted.")] = "main",
    entry: As = "",
) -> None:
    """Bring a base model from the Hugging Face hub. A pull that was interrupted goes on where it stopped.

    For models behind a licence: accept it at the hub, then set HF_TOKEN.
    """
    from app.students import hub

    with errors():
        entry = entry or f"{repository.rpartition('/')[2].lower().removesuffix('-hf')}@1"
        with err.status("asking the hub"):
            remote = hub.look_up(repository, revision)
        out.print(f"{repository} at {remote.commit[:12]}: {remote.size / 1e6:,.0f} MB")
        out.print(f"licence: {escape(remote.licence)}")
        stored = hub.pull(_store(), remote, entry)
    out.print(f"pulled {stored.manifest.model}")


@models.command()
def remove(
    model: Entry,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a model and its files."""
    with errors():
        stored = _store().find(model)
        if not yes:
            typer.confirm(f"remove {model} ({stored.size / 1e6:,.1f} MB)?", abort=True)
        freed = remove_entry(_store(), model)
    out.print(f"removed {model}: {freed / 1e6:,.1f} MB")


def _store() -> ModelStore:
    return ModelStore(settings_of().model_store)


def _overall(stored: StoredModel) -> float | None:
    found: float | None = stored.manifest.scores.get("test", {}).get("scores", {}).get("All", {}).get("overall")
    return found
