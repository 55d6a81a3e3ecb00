"""Ask the current release from Python.

rejoinder pull                             # once: installs the champion
python examples/ask.py "I feel lonely"     # several texts are the turns of a dialogue, the user's last
"""

from __future__ import annotations

import sys

from rejoinder import Dialogue, Holder, RejoinderError, Store, open_current


def main(turns: list[str]) -> None:
    """Print the reply, and on standard error how it came about."""
    holder = Holder(open_current(Store.default()))  # refuses anything that is not proved
    reply = holder.answer(Dialogue.from_lines(turns))
    print("(no reply)" if reply.text is None else reply.text)
    for step in reply.trace.steps:
        counts = f"{step.candidates_in} -> {step.candidates_out} candidates"
        print(f"{step.name}: {step.milliseconds:.1f} ms, {counts} {dict(step.dropped) or ''}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RejoinderError as error:  # says what failed, and what to do next
        sys.exit(str(error))
