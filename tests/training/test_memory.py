from __future__ import annotations

import subprocess
import sys

import numpy as np

from classeur.training.memory import peak_memory

CHILD = "import classeur.training.memory as m; print(m._resident())"


def test_it_grows_with_what_was_needed_and_stays():
    before = peak_memory()
    block = np.ones(before // 8 + 40_000_000)  # more than the peak so far, whatever ran before
    during = peak_memory()
    assert during > before + 200_000_000
    del block
    assert peak_memory() >= during - 1_000_000  # the kernel counts pages in batches


def test_a_child_does_not_inherit_the_peak_of_its_parent():
    block = np.ones(200_000_000)
    result = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, check=True)
    assert int(result.stdout) < block.nbytes
