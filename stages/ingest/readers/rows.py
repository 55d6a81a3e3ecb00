"""What the readers of exports share about single rows: strict types, and reasons that quote nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from stages.common.messages import RATINGS, Automated, Item, Rejected

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: The first moment that `datetime` cannot hold in every time zone, less a day.
END = datetime(9999, 12, 30, tzinfo=UTC)


#: Characters of an id or a name; more is a message in the wrong place.
MAX_IDENTIFIER = 1000


def _encodable(text: str) -> str:
    # JSON may spell half of a surrogate pair (`\\ud83d`), which no encoding and no table can hold.
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("lone_surrogate", "half of a surrogate pair") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]
Identifier = Annotated[Text, StringConstraints(pattern=r"\S", max_length=MAX_IDENTIFIER)]

#: Session feedback on one scale.
Rating = Annotated[int, Field(ge=RATINGS[0], le=RATINGS[-1])]
#: What a scale is called.
Scale = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]

#: Since 1970, UTC.
Milliseconds = Annotated[int, Field(ge=0, lt=(END - EPOCH) // timedelta(milliseconds=1))]


def moment(value: object) -> datetime:
    """Read a date: ISO 8601, taken as UTC without an offset, or seconds since 1970 in digits."""
    try:
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}", value, re.ASCII):
            found = EPOCH + timedelta(seconds=int(value))
        else:
            found = datetime.fromisoformat(value)  # type: ignore[arg-type]
    except OverflowError:
        found = END
    except (TypeError, ValueError):
        raise PydanticCustomError("not_a_date", "not a date") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not EPOCH <= found < END:
        raise PydanticCustomError("date_out_of_range", "before 1970 or after 9999")
    return found


Moment = Annotated[datetime, PlainValidator(moment)]


class ExportRow(BaseModel):
    """Base of a row of an export: strict in what we use; apps add other keys as they like."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


def parsed(file: str, rows: Iterable[tuple[int, Any]], parse: Callable[[int, Any], Item]) -> Iterator[Item]:
    """Read rows one by one; one that cannot be read costs no other.

    Args:
        file: the name to report.
        rows: the number of each row in the file, from 1, and the row as it came out of JSON.
        parse: makes an item of the two; may raise `ValidationError`.

    Yields:
        One item a row, with its number as `line`; what is rejected or automated has its row.
    """
    for number, raw in rows:
        try:
            item = parse(number, raw)
            yield replace(item, row=_spelled(raw)) if isinstance(item, Automated) else item
        except ValidationError as error:
            yield Rejected(file, number, reason(error), _spelled(raw))


def reason(error: ValidationError) -> str:
    """Name fields and kinds of errors, never values."""
    # An unknown key may itself be somebody's name, so it is not repeated; the quarantined row shows it.
    problems = {
        "unknown key" if e["type"] == "extra_forbidden" else ": ".join([*map(str, e["loc"]), e["type"]])
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    }
    return "; ".join(sorted(problems))


def _spelled(raw: Any) -> str:
    try:
        return json.dumps(raw, ensure_ascii=False)
    except RecursionError:
        return ""
