"""What all parts of a scenario are made of: strict sections, keys with a meaning and a unit, rules with a message."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Items = Field(strict=False)  # a YAML list becomes a tuple; what is inside stays strict
Share = Annotated[float, Field(ge=0, le=1)]
SignedShare = Annotated[float, Field(ge=-1, le=1)]

#: largest amount of money a single setting may name, so that micro-credits stay exact in int64 and float64
CREDITS_MAX = 1e6
#: largest sum of all starting balances, with room for what a run may mint
CREDITS_TOTAL_MAX = 1e12


def knob(default: Any, about: str, unit: str = "", **bounds: Any) -> Any:
    """One key of a scenario: its default, what it means, its unit and the values it may take."""
    return Field(default, description=about, json_schema_extra={"unit": unit} if unit else None, **bounds)


def broken_rule(key: str, message: str) -> PydanticCustomError:
    """The error of a rule that ties several keys together, shown at one of them."""
    return PydanticCustomError("rule", "{message}", {"key": key, "message": message})


def plain_text(value: str) -> str:
    """Let a free text through unless it holds characters that no screen can show."""
    for character in value:
        code = ord(character)
        if (code < 32 and character not in "\n\t") or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000:
            raise PydanticCustomError(
                "text", "{message}", {"message": f"holds the control character U+{code:04X}; remove it"}
            )
    return value


class Section(BaseModel):
    """What all parts of a scenario share: no unknown keys, strict types, finite numbers, unchangeable."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=False
    )
