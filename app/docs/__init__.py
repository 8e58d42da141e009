"""The user guide: one Markdown file for each page, which can also be read on the forge."""
