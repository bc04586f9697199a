"""What MkDocs does differently here: pages from the code, pages of the repository's root, links that leave docs/.

In: MkDocs' events. Out: the same, with GitHub's kind of Markdown read as GitHub does.
A surprise: links to files that are no page (code, configuration) lose their target and keep their text; links between
pages are checked by `mkdocs build --strict`.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from markdown.extensions.toc import slugify
from mkdocs.structure.files import File

from docsite.reference import ROOT, pages

#: Files of the repository's root that are pages of the site.
ROOT_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "CITATIONS.md": "citations.md"}
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]*)(#[^)\s]*)?\)")
#: On a telephone tables scroll by themselves and long names break; the two empty ones are what the theme's script for
#: light and dark switches, and stops at where highlighting is off.
_STYLES = """<style>
code, h1, h2 { overflow-wrap: anywhere; }
td code { overflow-wrap: normal; }
@media (max-width: 767px) { table { display: block; overflow-x: auto; } }
</style><style id="hljs-light"></style><style id="hljs-dark"></style>
"""
_FENCE = re.compile(r"^(\s*```)(\w+)[ \t]+\w[^\n]*$", flags=re.MULTILINE)


def on_config(config: Any) -> Any:
    """Names of headings that a selector may have."""
    config.mdx_configs["toc"]["slugify"] = slug
    return config


def slug(heading: str, separator: str) -> str:
    """As MkDocs has it, but none begins with a digit: the theme's script stops at `#1-tools-and-data`."""
    plain: str = slugify(heading, separator)
    return f"section{separator}{plain}" if plain[:1].isdigit() else plain


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are no file of docs/."""
    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    for name, page in ROOT_PAGES.items():
        text = with_links((ROOT / name).read_text(encoding="utf-8"), "", page)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links, fences and lists as GitHub reads them."""
    source = page.file.src_uri
    if not page.file.generated_by:
        markdown = with_links(markdown, f"docs/{posixpath.dirname(source)}", source)
    return with_lists(_FENCE.sub(r"\1\2", markdown))


def on_post_page(output: str, page: Any, config: Any) -> str:
    """What the theme lacks, in each page's head."""
    return output.replace("</head>", f"{_STYLES}</head>", 1)


def on_post_template(output_content: str, template_name: str, config: Any) -> str:
    """The same for the page that a server shows for a wrong address."""
    return output_content.replace("</head>", f"{_STYLES}</head>", 1)


def with_links(text: str, folder: str, page: str) -> str:
    """Links of a file in `folder` of the repository, for the page of the site."""

    def changed(match: re.Match[str]) -> str:
        label, target, anchor = match.group(1), match.group(2), match.group(3) or ""
        if not target or re.match(r"[a-z]+:", target):
            return match.group()
        place = posixpath.normpath(posixpath.join(folder, target))
        if place in ROOT_PAGES:
            inside = ROOT_PAGES[place]
        elif place.startswith("docs/") and (ROOT / place).is_file():
            inside = place.removeprefix("docs/")
        elif place.startswith("docs/") and (ROOT / place / "README.md").is_file():
            inside = f"{place.removeprefix('docs/')}/README.md"
        elif (ROOT / place).exists():
            return label  # code, or a folder
        else:
            return match.group()  # MkDocs says that it leads nowhere
        return f"[{label}]({posixpath.relpath(inside, posixpath.dirname(page) or '.')}{anchor})"

    parts = re.split(r"(^```.*?^```)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else _LINK.sub(changed, part) for part in parts)


def with_lists(text: str) -> str:
    """A blank line before a list that follows a paragraph."""
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        before = lines[-1] if lines else ""
        item = re.match(r"([-*]|\d+\.) ", line)
        if item and not fenced and before.strip() and not re.match(r"\s|([-*]|\d+\.) ", before):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)
