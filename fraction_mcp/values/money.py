"""How figures stand in a result: quantities, unit prices and amounts, as decimal text."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import PlainSerializer, WithJsonSchema

from fraction_mcp.values.decimals import CENT, EXACT, plain

__all__ = ["TEXT_SCHEMA", "Amount", "Quantity", "UnitPrice"]


TEXT_SCHEMA: Any = {"type": "string"}
Quantity = Annotated[Decimal, PlainSerializer(plain, return_type=str), WithJsonSchema(TEXT_SCHEMA)]
UnitPrice = Annotated[Decimal, PlainSerializer(lambda n: plain(n, 2), return_type=str), WithJsonSchema(TEXT_SCHEMA)]
Amount = Annotated[
    Decimal,
    PlainSerializer(lambda n: plain(n.quantize(CENT, ROUND_HALF_UP, EXACT), 2), return_type=str),
    WithJsonSchema(TEXT_SCHEMA),
]
