"""What a student that writes its answer is told.

The look comes before the tool: the prompts of one request differ in their last words only, so that an engine that keeps
prefixes computes the look once.
"""

BEFORE_LOOK = "Give footage this look: "


def after_look(tool: str) -> str:
    """What follows the look, and asks for one tool."""
    return f" Settings of {tool.replace('_', ' ')}:"
