"""What several commands share: how they fail, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rejoinder.errors import InputError, RejoinderError
from rejoinder.release.forms import CPU, CUDA, OPENVINO

if TYPE_CHECKING:
    from rejoinder.parts.opened import OpenRelease
    from rejoinder.store.store import Store

#: What `--provider` calls what runs models.
PROVIDERS = {"cpu": CPU, "cuda": CUDA, "openvino": OPENVINO}


class Commands(click.Group):
    """A group whose commands fail with one message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        Args:
            ctx: click's context.

        Returns:
            What the command returns.

        Raises:
            click.ClickException: in place of every error raised on purpose.
        """
        try:
            return super().invoke(ctx)
        except RejoinderError as error:
            raise click.ClickException(str(error)) from None
        except ModuleNotFoundError as error:
            if error.name not in ("onnxruntime", "faiss"):
                raise
            raise click.ClickException(
                f"{error.name} is not installed: expected one of the extras. "
                "Next: pip install 'rejoinder[cpu]', or 'rejoinder[gpu]'"
            ) from None


store_option = click.option(
    "--store",
    "root",
    type=click.Path(path_type=Path),
    help="The local store; default: REJOINDER_STORE, else REJOINDER_HOME/store, else .rejoinder/store.",
)
provider_option = click.option(
    "--provider", type=click.Choice(sorted(PROVIDERS)), help="What computes the vectors; default: the fastest here."
)


explore_option = click.option(
    "--explore",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of answers that are drawn among the best candidates.",
)


deadline_option = click.option(
    "--deadline-ms",
    default=1000.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="An answer comes of what is ready by then; 0 to wait for everything.",
)
#: When a release's generator is asked (`rejoinder.parts.generator.WHEN`).
GENERATE = ("off", "always", "below")
generate_option = click.option(
    "--generate",
    type=click.Choice(GENERATE),
    help="When the language model is asked: never, always, or where what is retrieved scores below the release's "
    "threshold; default: as the release says.",
)


def check_generate(opened: OpenRelease, generate: str | None) -> None:
    """Refuse to ask a generator that is not there.

    Args:
        opened: the release.
        generate: `--generate`, or None.

    Raises:
        InputError: if it is to be asked, and the release has none.
    """
    if generate not in (None, GENERATE[0]) and opened.generator is None:
        raise InputError(
            f"--generate {generate}: expected a release with a generator, got {opened.release}, which has none. "
            "Next: pull a newer one, or leave the option out"
        )


def open_store(root: Path | None) -> Store:
    """The store that the command line names.

    Args:
        root: `--store`, or None for the default.

    Returns:
        The store; it may not exist.
    """
    from rejoinder.store.store import Store

    return Store(root) if root else Store.default()
