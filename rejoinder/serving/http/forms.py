"""Forms: how OpenAI's interface writes what an answer and a release are."""

from __future__ import annotations

from rejoinder.answer.limit import STOPPED, TOO_LONG
from rejoinder.release.document import Release
from rejoinder.serving.http.context import fingerprint, model_name
from rejoinder.serving.service import Answer


def named(release: Release) -> dict[str, str]:
    """Which release it is, as OpenAI's interface has it."""
    return {"model": model_name(release), "system_fingerprint": f"fp_{fingerprint(release)}"}


def usage(answer: Answer) -> dict[str, int]:
    """Tokens of an answer, by the vectorizer's tokenizer."""
    spent = sum(answer.tokens)
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": spent,
        "total_tokens": answer.prompt_tokens + spent,
    }


def finish_reason(answer: Answer) -> str:
    """Why an answer ends: it is whole, or none was short enough, or none was fit to say."""
    reasons = {candidate.dropped for candidate in answer.reply.trace.candidates}
    if not answer.texts and TOO_LONG in reasons:
        return "length"
    return "stop" if answer.texts or STOPPED in reasons else "content_filter"
