"""`python -m app.cli`: what `recolor` is."""

from app.cli import main

if __name__ == "__main__":
    main()
