"""The assistants' programs on a person's computer, and our entry in the file where each lists its MCP servers.

`places` knows which programs there are and where each keeps its list, `launch` the command that starts this server,
`entry` what of such a list is ours, `json_text` and `toml_text` how a text is changed without touching the rest of it,
`files` how it is written, `install` the two commands, and `found` what `setup` and `doctor` ask. Nothing here knows an
account, and no secret is ever put into one of these files.

The files are edited rather than the programs' own commands called (`claude mcp add`, `code --add-mcp`, `codex mcp
add`, `gemini mcp add`): Claude Desktop and Cursor have none and VS Code's cannot take an entry out again; none shows
the change beforehand or puts the file back as it was; VS Code and Codex write the list anew, without its comments or
its order; and a program that is not on the path, as behind a desktop icon, could not be set up at all.
"""
