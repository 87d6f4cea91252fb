"""What can be wrong with what a reality check is given."""


class RealityError(ValueError):
    """Intents, photos or votes that cannot be used; the message names them and says what to do."""
