"""One spelling of sizes for downloads, graphs and memory."""

import subprocess
import sys

import pytest

from firstlight.locale.units import size


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.7, "1.0 kB"),
        (2048, "2.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (9_400_000, "9.4 MB"),
        (170_498_071, "170 MB"),
        (5 * 2**30, "5.4 GB"),
        (256e9, "256 GB"),
        (1.5e12, "1.5 TB"),
        (12_345e12, "12345 TB"),
    ],
)
def test_sizes(count: float, said: str) -> None:
    assert size(count) == said


def test_it_brings_no_torch_along() -> None:
    code = "import sys, firstlight.locale.units; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
