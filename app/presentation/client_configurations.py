"""
The guide's page of the configurations of clients, generated from `snippets`.

`python -m app.presentation.client_configurations >app/docs/client-configurations.md` writes it; a test
compares the two.
"""

from __future__ import annotations

from app.presentation.snippets import VARIABLE, Snippet, snippets

BASE_URL, MODEL = "http://127.0.0.1:8000/v1", "gpt-5.5"
INTRODUCTION = f"""# Client configurations

`poolgate snippet CLIENT` prints these with the URL of your gateway and a model of its accounts, and the page
of a key shows them. Each reads the key from the variable `{VARIABLE}`. [Clients](clients.md) lists which are
tried with each change."""


def configurations() -> str:
    """Return the Markdown of the page."""
    return "\n\n".join([INTRODUCTION, *map(_section, snippets(BASE_URL, MODEL))]) + "\n"


def _section(snippet: Snippet) -> str:
    return f"## {snippet.name}\n\nIn {snippet.where}:\n\n```{snippet.language}\n{snippet.text}\n```"


if __name__ == "__main__":
    print(configurations(), end="")
