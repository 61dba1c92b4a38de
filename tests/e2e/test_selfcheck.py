"""Every cached stack against a full walk, over slices of CPython's own tests."""
import shutil
import sys

import pytest
import support


@pytest.mark.skipif(support.QUICK, reason="a minute or more")
@pytest.mark.skipif(not shutil.which("meson"), reason="a build of its own takes meson")
def test_no_difference():
    result = support.execute([sys.executable, support.ROOT / "tests" / "selfcheck.py", "--quick"],
                             timeout=900, cwd=str(support.ROOT))
    print(result.out.decode())
    if result.status == 77:
        pytest.skip("no interpreter has its tests")
    assert result.status == 0, result
    assert b"checks" in result.out
