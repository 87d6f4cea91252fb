"""The looks that a filter can name.

A look is a row of numbers, not code; `looks` says what they mean. Hues are OKLab's: skin 50, red 29, orange 60, yellow
110, green 142, cyan 195, blue 264, violet 305, magenta 328.
"""

from collections.abc import Callable, Mapping

from app.grade import NO_PRESET
from app.grade.presets import PresetName
from app.render.colour import Array
from app.render.looks import BLACK, Cast, Colour, HueMove, Look, Tone


def look(name: PresetName) -> Callable[[Array], Array]:
    """The look of a preset at full intensity: encoded sRGB 0..1, shape [..., 3], to the same.

    `none` gives back its input, bit by bit.
    """
    return LOOKS[name]


def _teal_and_orange(
    strength: float,
    tone: Tone,
    teal: float = 1,
    orange: float = 1,
    saturation: float = 0.95,
    black: Colour = BLACK,
) -> Look:
    """Skin and warm light gather at orange, everything else at teal; shadows are teal, highlights orange.

    `strength` scales the whole, `teal` and `orange` one side of it.
    """
    return Look(
        tone=tone,
        saturation=saturation,
        hues=(
            HueMove(at=15, reach=65, turn=18 * strength, saturation=1 + 0.15 * strength * orange),
            HueMove(at=100, reach=55, turn=-15 * strength, saturation=1 + 0.1 * strength * (orange - 0.5)),
            HueMove(at=150, reach=65, turn=18 * strength, saturation=1 - 0.3 * strength),
            HueMove(at=262, reach=80, turn=-31 * strength, saturation=1 - 0.15 * strength * (2 - teal)),
            # Where colours part towards either side there is little colour, so that the parting is not seen.
            HueMove(at=124, reach=48, saturation=1 - 0.45 * strength),
            HueMove(at=315, reach=60, saturation=1 - 0.5 * strength),
        ),
        shadows=Cast(205, 0.08 * strength * teal),
        midtones=Cast(55 if orange > teal else 200, 0.04 * strength * abs(orange - teal)),
        highlights=Cast(65, 0.038 * strength * orange),
        black=black,
    )


def _duotone(dark: Colour, light: Colour) -> Look:
    # Two inks have less range than a picture: the curve spreads the mid-tones over it.
    return Look(tone=Tone(contrast=0.6, light=0.15), inks=(dark, light))


LOOKS: Mapping[PresetName, Look] = {
    NO_PRESET: Look(),
    # Light and life.
    "lovely_day": Look(
        tone=Tone(light=0.48, contrast=-0.12, shadows=0.35, highlights=0.1),
        saturation=1.05,
        hues=(HueMove(at=245, reach=70, turn=-12, lightness=0.25), HueMove(at=125, reach=60, lightness=0.2)),
        highlights=Cast(85, 0.018),
        midtones=Cast(70, 0.012),
        black=(14, 14, 16),
    ),
    "vivid": Look(tone=Tone(contrast=0.3, light=0.05), saturation=1.4),
    "ultra": Look(
        tone=Tone(contrast=0.75, shadows=0.35, highlights=-0.35),
        saturation=1.75,
        hues=(HueMove(at=50, reach=45, saturation=0.85),),
    ),
    "spring": Look(
        tone=Tone(light=0.28, contrast=-0.05, shadows=0.15),
        saturation=1.05,
        hues=(
            HueMove(at=128, reach=52, turn=14, saturation=1.3, lightness=0.35),
            HueMove(at=15, reach=55, turn=-18, saturation=1.05, lightness=0.15),
        ),
        shadows=Cast(145, 0.035),
        midtones=Cast(140, 0.02),
        highlights=Cast(355, 0.035),
        black=(12, 20, 14),
    ),
    "enchanted": Look(
        tone=Tone(light=0.12, contrast=-0.15, highlights=0.45),
        saturation=1.05,
        hues=(
            HueMove(at=130, reach=70, turn=28, saturation=1.05),
            HueMove(at=255, reach=80, turn=24, saturation=1.15),
        ),
        shadows=Cast(290, 0.07),
        midtones=Cast(320, 0.04),
        highlights=Cast(80, 0.06),
        black=(28, 18, 46),
    ),
    # Cold.
    "north": Look(
        tone=Tone(light=-0.08, contrast=0.15, highlights=-0.15),
        saturation=0.55,
        hues=(HueMove(at=45, reach=80, saturation=0.5),),
        shadows=Cast(245, 0.035),
        midtones=Cast(240, 0.028),
        highlights=Cast(230, 0.02),
        black=(8, 12, 18),
        white=(236, 242, 246),
    ),
    "winter": Look(
        tone=Tone(light=0.35, contrast=0.1, highlights=0.2),
        saturation=0.55,
        hues=(HueMove(at=45, reach=80, saturation=0.4), HueMove(at=245, reach=80, saturation=1.5)),
        shadows=Cast(255, 0.06),
        midtones=Cast(240, 0.045),
        highlights=Cast(225, 0.025),
        black=(10, 18, 34),
        white=(240, 250, 255),
    ),
    # Film that has faded.
    "faded_Retro": Look(
        tone=Tone(contrast=0.05, light=0.05),
        saturation=0.75,
        hues=(HueMove(at=245, reach=80, turn=-30, saturation=0.7),),
        shadows=Cast(20, 0.025),
        midtones=Cast(65, 0.03),
        highlights=Cast(85, 0.04),
        black=(58, 42, 40),
        white=(252, 238, 206),
    ),
    "faded_HighNoon": Look(
        tone=Tone(light=0.22, contrast=0.15, highlights=0.25),
        saturation=0.8,
        hues=(HueMove(at=245, reach=80, saturation=0.5), HueMove(at=130, reach=60, turn=-28)),
        shadows=Cast(60, 0.04),
        midtones=Cast(80, 0.062),
        highlights=Cast(95, 0.08),
        black=(44, 34, 18),
        white=(255, 246, 206),
    ),
    "faded_Mist": Look(
        tone=Tone(contrast=-0.45, light=0.15),
        saturation=0.4,
        midtones=Cast(240, 0.006),
        black=(84, 88, 92),
        white=(232, 234, 236),
    ),
    "faded_Terra": Look(
        tone=Tone(contrast=0.1, light=-0.12),
        saturation=0.7,
        hues=(
            HueMove(at=125, reach=75, turn=-36, saturation=0.75),
            HueMove(at=250, reach=90, saturation=0.3),
            HueMove(at=45, reach=45, saturation=1.25),
        ),
        shadows=Cast(40, 0.04),
        midtones=Cast(45, 0.06),
        highlights=Cast(60, 0.04),
        black=(50, 36, 30),
        white=(244, 226, 206),
    ),
    "faded_Vista": Look(
        tone=Tone(light=0.04, contrast=0.05),
        saturation=0.72,
        hues=(HueMove(at=125, reach=65, turn=24), HueMove(at=255, reach=75, turn=-36)),
        shadows=Cast(180, 0.045),
        midtones=Cast(165, 0.03),
        highlights=Cast(110, 0.02),
        black=(30, 52, 48),
        white=(240, 244, 226),
    ),
    "faded_C1": Look(
        tone=Tone(contrast=0.15, light=0.06),
        saturation=0.85,
        shadows=Cast(215, 0.02),
        midtones=Cast(210, 0.012),
        black=(36, 44, 50),
        white=(242, 250, 250),
    ),
    "faded_AL2": Look(
        tone=Tone(light=0.25, contrast=-0.25),
        saturation=0.7,
        shadows=Cast(330, 0.015),
        midtones=Cast(0, 0.018),
        highlights=Cast(10, 0.02),
        black=(66, 56, 64),
        white=(254, 240, 242),
    ),
    # Cinema.
    "action": Look(
        tone=Tone(contrast=0.55, shadows=-0.2, highlights=0.15),
        saturation=0.88,
        shadows=Cast(240, 0.075),
        midtones=Cast(225, 0.022),
        highlights=Cast(80, 0.02),
    ),
    "teal_and_orange_1": _teal_and_orange(1, Tone(contrast=0.2)),
    "teal_and_orange_2": _teal_and_orange(0.5, Tone(contrast=0.08)),
    "teal_and_orange_3": _teal_and_orange(1.15, Tone(contrast=0.6), saturation=1.2),
    "teal_and_orange_4": _teal_and_orange(1, Tone(contrast=0.2, light=0.08), teal=0.5, orange=1.8, saturation=1.05),
    "teal_and_orange_5": _teal_and_orange(1, Tone(contrast=0.2, light=-0.05), teal=1.7, orange=0.5),
    "teal_and_orange_6": _teal_and_orange(
        1.1, Tone(contrast=0.35, light=-0.45, highlights=-0.2), saturation=0.8, teal=1.2
    ),
    "darkness": Look(
        tone=Tone(light=-0.75, shadows=-0.7, contrast=0.2, highlights=-0.3),
        saturation=0.7,
        shadows=Cast(260, 0.02),
        white=(226, 226, 230),
    ),
    # Colour above all.
    "fortune": Look(
        tone=Tone(contrast=0.35, light=-0.12, highlights=0.15),
        saturation=0.85,
        hues=(
            HueMove(at=250, reach=90, saturation=0.35),
            HueMove(at=130, reach=70, turn=-34, saturation=0.9),
            HueMove(at=75, reach=50, saturation=1.25),
            HueMove(at=30, reach=55, turn=20),
        ),
        shadows=Cast(65, 0.04),
        midtones=Cast(82, 0.095),
        highlights=Cast(90, 0.1),
    ),
    "firecracker": Look(
        tone=Tone(contrast=0.5, light=0.04, highlights=0.2),
        saturation=1.4,
        hues=(
            HueMove(at=100, reach=65, turn=-28),
            HueMove(at=145, reach=70, turn=-32, saturation=0.6),
            HueMove(at=255, reach=80, saturation=0.35),
            HueMove(at=0, reach=50, turn=22),
        ),
        shadows=Cast(25, 0.1),
        midtones=Cast(36, 0.14),
        highlights=Cast(58, 0.1),
    ),
    "purple_rain": Look(
        tone=Tone(contrast=0.15, light=-0.08),
        saturation=0.75,
        hues=(
            HueMove(at=125, reach=80, saturation=0.4),
            HueMove(at=235, reach=95, turn=36, saturation=0.8),
            HueMove(at=35, reach=80, turn=-38, saturation=0.9),
        ),
        shadows=Cast(290, 0.1),
        midtones=Cast(310, 0.11),
        highlights=Cast(325, 0.07),
        black=(16, 4, 30),
        white=(250, 236, 255),
    ),
    "cyberpunk": Look(
        tone=Tone(contrast=0.4, light=-0.35, highlights=0.25),
        saturation=1.15,
        hues=(
            HueMove(at=35, reach=85, turn=-32),
            HueMove(at=150, reach=75, turn=26),
            # Where yellow parts towards magenta and towards cyan there is little colour, so that nothing is torn.
            HueMove(at=103, reach=45, saturation=0.45),
            HueMove(at=265, reach=65, turn=-20),
        ),
        shadows=Cast(285, 0.1),
        midtones=Cast(330, 0.065),
        highlights=Cast(205, 0.09),
        black=(10, 2, 26),
    ),
    # Another picture altogether.
    "night_vision": Look(tone=Tone(light=0.3, contrast=0.4), inks=((0, 18, 2), (150, 255, 140))),
    "negative": Look(inverted=True),
    "duotone_red": _duotone((36, 4, 52), (255, 82, 62)),
    "duotone_pink": _duotone((44, 14, 104), (255, 164, 212)),
    "duotone_green": _duotone((10, 30, 62), (128, 246, 134)),
    "duotone_yellow": _duotone((46, 12, 38), (255, 230, 64)),
    "duotone_orange": _duotone((20, 22, 54), (255, 166, 56)),
}
