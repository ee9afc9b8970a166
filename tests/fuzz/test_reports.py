"""No report obeys what a record says: not the browser, not the terminal, not the Markdown page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from aibench.reporters import html
from aibench.reporters.document import document
from aibench.reporters.figures import escape
from aibench.reporters.markdown import escaped
from aibench.reporters.markdown import render as markdown
from aibench.reporters.terminal import render as terminal
from tests.reporters import hostile
from tests.reporters.test_browser import CHROMIUM, opened, profile

__all__ = ["profile"]  # the fixture

#: Ways to run a script in a page, each of which would leave a mark on its title.
MARK = "document.title='owned'"
SCRIPTS = (
    f"<script>{MARK}</script>",
    f"</script><script>{MARK}</script>",
    f"</title></style></textarea><script>{MARK}</script>",
    f"<img src=x onerror={MARK}>",
    f"<svg/onload={MARK}>",
    f"\" autofocus onfocus=\"{MARK}\" x=\"",
    f"' onmouseover='{MARK}' x='",
    f"<a href=\"javascript:{MARK}\">",
    f"<a href='java\tscript:{MARK}' target='_self'>x</a>",
    f"<iframe srcdoc=\"<script>parent.{MARK}</script>\">",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={MARK}>",
    f"&lt;script&gt;{MARK}&lt;/script&gt;",
    f"&#60;img src=x onerror={MARK}&#62;",
    f"<!--><img src=x onerror={MARK}>-->",
    f"<![CDATA[<img src=x onerror={MARK}>]]>",
    f"{{{{constructor.constructor('{MARK}')()}}}}",
    f"{{% for x in ().__class__.__base__.__subclasses__() %}}{MARK}{{% endfor %}}",
    f"${{{MARK}}}",
    "%{x} %{fullData.name} %{customdata[0]} %{y:.0%}",
    f"\\u003cscript\\u003e{MARK}\\u003c/script\\u003e",
    f"\u2028{MARK}\u2029//",
    f"<b>bold</b><br><sup>x</sup><a href=\"javascript:{MARK}\">go</a>",
    "$\\unicode{x41}$ <foreignObject><body onload=x>",
    "<base href=//evil><meta http-equiv=refresh content='0;url=//evil'><link rel=x href=//evil>",
)  # fmt: skip
#: Does what a reader's mouse does: hovers over every point of every plot, then tells what it saw.
HOVER = """
<script>
let hovered = 0;
for (const [id, figure] of Object.entries(figures)) {
  figure.data.forEach((trace, curveNumber) => trace.x.slice(0, 3).forEach((_, pointNumber) => {
    try { Plotly.Fx.hover(id, [{ curveNumber, pointNumber }]); hovered += 1; } catch (error) {}
  }));
}
for (const link of document.querySelectorAll("a")) {
  const href = link.getAttribute("href") || link.getAttribute("xlink:href") || "";
  if (!href.startsWith("#")) note("a link to " + href);
}
for (const kind of ["iframe", "img", "object", "embed", "base", "form", "foreignObject"])
  if (document.querySelector(kind)) note("an element " + kind);
document.documentElement.dataset.hovered = hovered;
</script>
</html>"""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_no_script_of_a_record_runs(tmp_path: Path, profile: Path) -> None:
    """Without the page's policy, and with the mouse over every plot, nothing of a record runs.

    One record holds each script in a text of its own: what the policy would catch is caught by
    escaping alone.
    """
    text = "".join(SCRIPTS)
    found = document(hostile.hostile(text), [hostile.hostile_verdict(text)])
    for number, script in enumerate(SCRIPTS):
        found["run"]["warnings"].append({"code": script, "message": script})
        found["environment"]["metadata"][f"{number} {script}"] = script
        for phase in found["workloads"][0]["phases"]:
            phase["percentiles"][script] = next(iter(phase["percentiles"].values()))
            for sample in phase["samples"]:
                sample["telemetry"]["series"][f"device.{script}.utilisation_share"] = [0.5, 0.6]
    page = html.render(found)
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    page = page.replace("</html>", HOVER)
    seen = opened(page, tmp_path, profile)
    assert (seen.console, seen.errors) == ([], [])
    assert seen.title.startswith("aibench")
    assert "owned" not in re.sub(r"document\.title=(&amp;|&#39;|')+#?\w*;?owned", "", seen.title)
    assert int(re.findall(r'data-hovered="(\d+)"', seen.dom)[0]) > 20


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_hovering_test_sees_what_is_not_escaped(tmp_path: Path, profile: Path) -> None:
    """A text that was put into the page as it is would be noticed."""
    page = html.render(document(hostile.hostile("x"), [hostile.hostile_verdict("x")]))
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    page = page.replace("</main>", f"{SCRIPTS[0]}{SCRIPTS[3]}</main>").replace("</html>", HOVER)
    seen = opened(page, tmp_path, profile)
    assert seen.title == "owned"
    assert any("an element img" in error for error in seen.errors)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_stay_inside_the_data(script: str) -> None:
    """Figures stay JSON in their element, and labels hold no markup and no template."""
    assert json.loads(html.embedded([script])) == [script]
    assert not set("<>") & set(html.embedded([script]))
    assert not set("<>") & set(escape(script))
    assert not set("{$") & set(escape(script))


CONTROLS = (
    "\x1b[2J", "\x1b]0;t\x07", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "\x9b31m", "\x90q\x9c",
    "\x07", "a\rb", "a\x08b", "\x0e", "\x7f", "\u202egnp", "\u2066x\u2069", "\u200b\u200d\ufeff",
    "\u2028x", "\x1bPq#0\x1b\\", "\x1b]52;c;aGk=\x07", "\udc9b", "\U000e0041",
)  # fmt: skip
HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


@pytest.mark.parametrize("form", [terminal, markdown, html.render])
@pytest.mark.parametrize("text", CONTROLS)
def test_no_report_holds_a_control(form: Any, text: str) -> None:
    """Escapes, bells, links, direction marks and zero-width characters are not in any report."""
    found = document(hostile.hostile(text), [hostile.hostile_verdict(text)])
    shown = form(found).replace(html.plotly_source().decode(), "")
    assert HIDDEN.findall(shown) == []


MARKUP = (
    "www.evil.example/x", "http://evil.example", "HTTPS://evil.example", "mailto:a@b.example",
    "a@b.example", "![x](http://e/x.png)", "[x](javascript:alert(1))", "[x]: http://e",
    "<img src=x>",
    "<http://e>", "| a | b |", "`code`", "```\ncode\n```", "# head", "* item", "1. item", "- item",
    "> quote", "---", "===", "~~x~~", "**x**", "__x__", "[^1]", "@all", "#12", "GH-12", "$x$",
    "\\", "a\\", "&lt;img&gt;", "&#60;img&#62;", "<!-- x", "--> x", "<details>", "\t code",
    "      code",
)  # fmt: skip


def parsed(text: str) -> list[Any]:
    """The tokens of a Markdown text, by a parser that makes links of addresses too."""
    parser = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    tokens = parser.parse(text)
    return [*tokens, *(child for token in tokens for child in token.children or ())]


OWN = {"", "<br>", "<!-- -->", "<sub>", "</sub>"}


@pytest.mark.parametrize("text", MARKUP)
def test_markup_in_a_record_is_text(text: str) -> None:
    """In a cell or a line of a list a text of a record becomes neither markup nor a link."""
    line = " ".join(text.split())
    for place in ("- {}", "| {} |\n| --- |\n| {} |"):
        tokens = parsed(place.replace("{}", escaped(line)))
        allowed = ("text", "inline", "softbreak", "html_inline")
        structure = (
            "bullet_list",
            "list_item",
            "paragraph",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        )
        odd = [
            token.type for token in tokens
            if token.type not in allowed and not token.type.startswith(structure)
        ]  # fmt: skip
        if text not in ("# head", "* item", "1. item", "- item", "---", "      code", "\t code"):
            assert odd == []
        assert {t.content for t in tokens if t.type.startswith("html")} <= OWN
    assert not re.search(r"(?i)www\.|://|@\w|#\d|gh-\d", escaped(text))


@given(st.text(max_size=80) | st.lists(st.sampled_from(MARKUP), max_size=4).map(" ".join))
def test_any_text_in_markdown_fetches_nothing(text: str) -> None:
    """No text becomes an image, a link, or an element of HTML."""
    tokens = parsed(f"- a: {escaped(' '.join(text.split()))}")
    assert not {"image", "link_open", "code_inline", "html_block"} & {t.type for t in tokens}
    assert {t.content for t in tokens if t.type == "html_inline"} <= OWN


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1, max_size=40))
def test_any_text_is_shown_in_every_report(text: str) -> None:
    """Any text in every place of a record gives a report, with no control character in it."""
    found = document(hostile.hostile(text), [hostile.hostile_verdict(text)])
    for form in (terminal, markdown):
        assert HIDDEN.findall(form(found)) == []
