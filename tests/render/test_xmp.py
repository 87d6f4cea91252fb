from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grade import Grade
from app.grade.example import GRADE
from app.render import xmp
from tests.grade.strategies import grades

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
CRS = "{http://ns.adobe.com/camera-raw-settings/1.0/}"


def preset_of(text: str) -> ElementTree.Element:
    packet = ElementTree.fromstring(text)
    assert packet.tag == "{adobe:ns:meta/}xmpmeta"
    (preset,) = packet.findall(f"{RDF}RDF/{RDF}Description")
    return preset


@given(grades(), st.text(), st.integers(0, 100))
def test_any_grade_under_any_name_becomes_a_preset(grade: Grade, name: str, strength: int) -> None:
    text = xmp.write(grade, name, strength)
    assert preset_of(text).get(f"{CRS}PresetType") == "Normal"
    assert xmp.write(grade, name, strength) == text


def test_parameters_become_lightrooms_sliders() -> None:
    preset = preset_of(xmp.write(GRADE, "golden hour"))
    assert preset.get(f"{CRS}Contrast2012") == "+10"
    assert preset.get(f"{CRS}SaturationAdjustmentAqua") == "-20"


@pytest.mark.parametrize("strength", [-1, 101])
def test_other_strengths_are_refused(strength: int) -> None:
    with pytest.raises(ValueError, match="strength"):
        xmp.write(GRADE, "golden hour", strength)
