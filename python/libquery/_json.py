"""json and jsonb to Python: as the json module does, but no number loses its size."""

import json
import math
from decimal import Decimal
from typing import Any


def _number(text: str) -> float | Decimal:
    """A float; a Decimal where a float would be infinite, or zero without being it."""
    value = float(text)
    if math.isinf(value) or (value == 0 and Decimal(text) != 0):
        return Decimal(text)
    return value


def _integer(text: str) -> int | Decimal:
    """An int; a Decimal where there are more digits than int() takes."""
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


_decode = json.JSONDecoder(parse_float=_number).decode
_decode_large = json.JSONDecoder(parse_float=_number, parse_int=_integer).decode


def decode(text: str) -> Any:
    """The parsed JSON; the text itself where it is nested deeper than Python's parser goes."""
    try:
        return _decode(text)
    except ValueError:
        return _decode_large(text)
    except RecursionError:
        return text
