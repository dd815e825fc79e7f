from __future__ import annotations

import pytest

from twoway.deflate._engines import Engine, load_engine
from twoway.deflate._presets import PRESETS, get_preset, make_settings


@pytest.mark.parametrize("memory", PRESETS)
def test_every_engine_accepts_every_preset(memory: str, engine: Engine) -> None:
    preset = get_preset(memory)
    settings = make_settings(engine, preset.window_bits, preset, None)
    assert settings["memLevel"] == preset.memory_level
    assert settings["level"] == {"zlib": 6, "zlib-ng": 5, "isal": 1}[engine.name]


def test_presets_end_with_zlib() -> None:
    assert {preset.engines[-1] for preset in PRESETS.values()} == {"zlib"}


def test_unknown_preset() -> None:
    with pytest.raises(ValueError, match="memory must be one of 'low', 'balanced', 'high', not 'tiny'"):
        get_preset("tiny")


def test_knobs_win() -> None:
    settings = make_settings(load_engine("zlib"), 12, PRESETS["low"], {"level": 9, "memLevel": 1, "strategy": 4})
    assert settings == {"level": 9, "memLevel": 1, "strategy": 4}


@pytest.mark.parametrize("knobs", [{"wbits": -12}, {"zdict": b""}, {"level": 1, "nonsense": 1}])
def test_unknown_knobs(knobs: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="compress_settings must hold only level, memLevel and strategy"):
        make_settings(load_engine("zlib"), 12, PRESETS["low"], knobs)


@pytest.mark.parametrize(
    "knobs",
    [{"level": 10}, {"level": "fast"}, {"level": []}, {"level": 1 << 70}, {"memLevel": 0}, {"memLevel": 10}],
)
def test_values_that_the_engine_does_not_know(knobs: dict[str, object], engine: Engine) -> None:
    with pytest.raises(ValueError, match=rf"are not for {engine.name}: "):
        make_settings(engine, 12, PRESETS["low"], knobs)
