"""`python -m backend.cli` is `agpt`."""

from backend.cli import main

if __name__ == "__main__":
    main(prog_name="agpt")
