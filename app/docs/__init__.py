"""The user guide: one Markdown file for each page, readable on the forge as well."""
