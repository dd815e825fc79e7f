"""The benchmark works: each measurement gives a figure, and page, charts and figures agree. No figure is judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "tools" / "bench"

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the load generator is for Linux"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator needs a C compiler"),
]


def run(program, *arguments, status=0):
    command = [sys.executable, str(BENCH / program), *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Measure ours and the limit, once, as briefly as possible; give the output and the file."""
    folder = tmp_path_factory.mktemp("bench")
    file = folder / "result.json"
    servers = "C,bare socket,twoway,twoway.threading"
    output = run("run.py", "--quick", "--here", "--servers", servers, "--folder", str(folder), "--json", str(file))
    return output, json.loads(file.read_text(encoding="utf-8"))


def test_each_cell_has_figures(quick):
    _, result = quick
    assert result["errors"] == {}
    assert set(result["cells"]) - {"tls"} <= set(result["results"])  # without headers of OpenSSL, or trustme
    for name, rows in result["results"].items():
        figure = result["cells"][name]["figure"]
        for contestant, row in rows.items():
            assert isinstance(row[figure], (int, float)), (name, contestant)
            assert row["least"] <= row["most"]
            assert row["rounds"] == 1


def test_everybody_is_measured_where_it_can_take_part(quick):
    _, result = quick
    assert set(result["results"]["echo-32x1"]) == {"C", "twoway", "twoway.threading"}
    assert set(result["results"]["request"]) == {"bare socket", "twoway", "twoway.threading"}
    assert set(result["results"]["broadcast"]) == {"twoway"}


def test_the_output_says_where_it_ran_and_has_a_table_for_each_cell(quick):
    output, result = quick
    assert f"processor: {result['machine']['processor']}" in output
    for name, version in result["versions"].items():
        assert f"\n{name}: {version}\n" in output
    for name in result["results"]:
        assert f"\n{name}: {result['cells'][name]['title']}" in output


def test_compressed_answers_are_smaller(quick):
    _, result = quick
    assert 0 < result["results"]["compressed"]["twoway"]["bytes"] < 500


def test_a_cell_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path):
    command = [sys.executable, str(BENCH / "run.py"), "--here", "--cells", "nonsense", "--folder", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "nonsense: there are echo-32x1, " in result.stderr


def test_page_charts_and_figures_agree():
    assert run("report.py", "--check") == "performance: page, charts and figures agree\n"
