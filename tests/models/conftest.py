"""What the tests of networks need before anything else."""

import classeur.models  # noqa: F401  without it timm cannot be imported beside a CPU-only torch
