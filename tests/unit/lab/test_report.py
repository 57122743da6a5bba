import re

import pytest

from lab.report import Report, figure


def made() -> str:
    report = Report("A & B <study>")
    report.section("Found", "First paragraph.\n\nSecond one.")
    report.table(["name", "value"], [["a", 0.123456], ["b", None]])
    for label in ("A line", 'Another "line"'):
        drawn = figure()
        axes = drawn.subplots()
        axes.plot([1, 2, 3], label="x")
        axes.fill_between([0, 1], [0, 1], [1, 2], alpha=0.2)
        axes.legend()
        report.plot(drawn, label)
    return report.html()


def test_the_same_content_gives_the_same_bytes():
    assert made() == made()


def test_a_report_loads_nothing_and_runs_nothing():
    html = made()
    assert "<script" not in html
    assert "<link" not in html
    assert not re.search(r'(src|href)="(?!#)', html)
    assert not re.search(r"\b20\d\d-\d\d-\d\d", html)


def test_every_plot_is_read_out_by_its_caption():
    html = made()
    assert html.count("<svg") == 2
    assert 'role="img" aria-label="A line"' in html
    assert 'aria-label="Another &quot;line&quot;"' in html


def test_ids_within_the_plots_are_unique_and_every_reference_is_met():
    html = made()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    references = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html)
    assert references
    assert {one or other for one, other in references} <= set(ids)


def test_texts_are_escaped_and_numbers_rounded():
    html = made()
    assert "<title>A &amp; B &lt;study&gt;</title>" in html
    assert '<td class="number">0.1235</td>' in html
    assert '<td class="number">–</td>' in html
    assert "<p>First paragraph.</p>\n<p>Second one.</p>" in html


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 cells"):
        Report("x").table(["a", "b"], [["only one"]])
