"""Under which licence a student is: those of the model it was made from and of the data travel with it."""

from pathlib import Path

from huggingface_hub import metadata_load

from app.distill.dataset import DatasetError


def stated(folder: Path, what: str) -> str:
    """The licence that the card in a folder states: ``license`` in the front matter of its README.md, as at the hub.

    `what` lies there, for the words where no licence is stated. Raises DatasetError for a card that cannot be read.
    """
    card = folder / "README.md"
    if not card.is_file():
        return f"unknown: that of {what}"
    try:
        facts = metadata_load(card) or {}
    except Exception as error:  # those of YAML, too
        raise DatasetError(f"{card}: its front matter cannot be read: {' '.join(str(error).split())[:200]}") from error
    named = facts.get("license_name" if facts.get("license") == "other" else "license")
    return str(named) if named else f"unknown: that of {what}"


def joined(model: str, data: str) -> str:
    """One licence where both are the same, else both, each with what it is of."""
    named = f"{data} (data)"
    if model.casefold() == data.casefold() or model.endswith(named):  # of a student that was trained on such data
        return model
    return f"{model} (base model), {named}"
