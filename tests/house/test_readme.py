from app.settings import CHECKOUT
from tests.house.settings_table import settings_table

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_setting_as_it_is() -> None:
    assert settings_table() in README


def test_the_readme_shows_the_two_commands() -> None:
    assert "make serve" in README
    assert "make test" in README
