"""POST /v1/reactions and /v1/conversations/ID/feedback: what people think, on the disk before it is confirmed."""

from __future__ import annotations

import re

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from rejoinder.serving.http.bodies import FeedbackRequest, ReactionRequest, read_body
from rejoinder.serving.http.context import Context, context_of, respond
from rejoinder.serving.http.errors import HttpError, invalid
from rejoinder.serving.http.ids import checked_conversation, user_id

_THUMBS = {"up": "upvote", "down": "downvote"}
_SCALE = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_MOST_SCALES = 16


async def react(request: Request) -> Response:
    """Take a reaction to an answer; the last one of a user counts, so saying it twice changes nothing."""
    context, body = context_of(request), await read_body(request, ReactionRequest)
    context.ids.check(body.completion_id)
    reaction = _THUMBS.get(body.reaction or "", body.reaction)
    storm = _count(request, context, body.completion_id)
    if context.journal is None:
        raise _not_kept()
    if not await context.journal.reaction(body.completion_id, reaction, user_id(request, body.user), storm=storm):
        raise _not_written()
    context.metrics.reactions.labels(reaction or "none").inc()
    return respond(
        {"object": "reaction", "completion_id": body.completion_id, "reaction": reaction, "recorded": True}
    )


async def feed_back(request: Request) -> Response:
    """Take what somebody thought of a whole conversation."""
    context, body = context_of(request), await read_body(request, FeedbackRequest)
    conversation = checked_conversation(request.path_params["conversation"])
    ratings, thumb = body.ratings or None, None if body.thumb is UNSET else body.thumb
    if body.thumb is UNSET and ratings is None:
        raise invalid("feedback: expected a thumb or ratings, got neither", "thumb")
    if ratings and (len(ratings) > _MOST_SCALES or not all(map(_SCALE.fullmatch, ratings))):
        raise invalid(f"ratings: expected at most {_MOST_SCALES} scales, each a word in lower case", "ratings")
    storm = _count(request, context, conversation)
    if context.journal is None:
        raise _not_kept()
    if not await context.journal.feedback(conversation, thumb, ratings, user_id(request, body.user), storm=storm):
        raise _not_written()
    context.metrics.feedback.labels(thumb or "none").inc()
    return respond({"object": "feedback", "conversation_id": conversation, "recorded": True})


def _count(request: Request, context: Context, about: str) -> bool:
    address = request.client.host if request.client else ""
    try:
        storm = context.limits.count(address, about)
    except HttpError:
        context.metrics.storms.inc()
        raise
    if storm:
        context.metrics.storms.inc()
    return storm


def _not_kept() -> HttpError:
    return HttpError(503, "this server keeps no decision log. Next: start it without --no-log", code="not_recorded")


def _not_written() -> HttpError:
    message = "not recorded: the decision log cannot be written now. Next: send it again later"
    return HttpError(503, message, code="not_recorded", retry_s=5)
