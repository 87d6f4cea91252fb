"""From the settings to a student that answers."""

from app.settings import Settings
from app.students.protocol import Engine
from app.students.store import ModelStore


def load_engine(settings: Settings) -> Engine:
    """Load `settings.model` from the model store; takes seconds. Raises ModelStoreError."""
    stored = ModelStore(settings.model_store).find(settings.model)
    # Importing torch and transformers takes seconds: a wrong name is told before.
    import torch

    from app.students.hf import HFStudent

    if settings.threads:
        torch.set_num_threads(settings.threads)
    return HFStudent(stored, settings.decoding)
