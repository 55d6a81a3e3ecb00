"""`python -m rejoinder`: the runtime's commands, without the registry."""

from rejoinder.cli import main

if __name__ == "__main__":
    main(prog_name="python -m rejoinder")
