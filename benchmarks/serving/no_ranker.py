"""`rejoinder`, whose answers are not ranked: to see what batching does for the encoder."""

from __future__ import annotations

LEFT_OUT = "rank"


def main() -> None:
    """Run the command line without the step `rank`."""
    from rejoinder.process import compute_alone

    compute_alone()  # before the next line loads numpy, as the command does
    from rejoinder.answer import responder

    responder.STEPS = tuple(step for step in responder.STEPS if step.name != LEFT_OUT)
    from rejoinder.cli import main as command

    command()


if __name__ == "__main__":
    main()
