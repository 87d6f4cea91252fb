"""The LUT presets a filter can name."""

from typing import Literal, get_args

PresetName = Literal[
    "none",
    "lovely_day",
    "action",
    "vivid",
    "north",
    "purple_rain",
    "winter",
    "faded_Retro",
    "faded_HighNoon",
    "faded_Mist",
    "faded_Terra",
    "faded_Vista",
    "faded_C1",
    "faded_AL2",
    "teal_and_orange_1",
    "teal_and_orange_2",
    "teal_and_orange_3",
    "teal_and_orange_4",
    "teal_and_orange_5",
    "teal_and_orange_6",
    "fortune",
    "duotone_red",
    "duotone_pink",
    "duotone_green",
    "duotone_yellow",
    "duotone_orange",
    "spring",
    "enchanted",
    "ultra",
    "firecracker",
    "cyberpunk",
    "darkness",
    "night_vision",
    "negative",
]

NO_PRESET: PresetName = "none"
PRESETS: tuple[PresetName, ...] = get_args(PresetName)
