"`python -m tsformer_nb` does what `tsformer-nb` does. nbdev exports the modules and leaves this file alone."
import sys

from tsformer_nb.cli import command

if __name__ == "__main__":
    sys.exit(command())
