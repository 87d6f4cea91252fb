"""From the settings to a student that answers."""

from app.settings import Settings
from app.students.protocol import Engine
from app.students.store import ModelStore, ModelStoreError


def load_engine(settings: Settings) -> Engine:
    """Load `settings.model` from the model store; takes seconds. Raises ModelStoreError."""
    store = ModelStore(settings.model_store)
    stored = store.find(settings.model)
    if stored.manifest.role == "base":
        raise ModelStoreError(
            f"{settings.model} is a base model, no student; train one: recolor train --student {settings.model}"
        )
    # Importing torch and transformers takes seconds: a wrong name is told before.
    import torch

    from app.students.generative import GenerativeStudent, is_generative
    from app.students.hf import HFStudent

    if settings.threads:
        torch.set_num_threads(settings.threads)
    if is_generative(stored.manifest):
        return GenerativeStudent(stored, store, settings.decoding, settings.device, settings.dtype)
    return HFStudent(stored, settings.decoding)
