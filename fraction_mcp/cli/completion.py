"""`completion`: a shell's script, made from the commands and options themselves, so that it cannot lag behind them."""

from fraction_mcp.cli.clients.commands import CLIENT_NAMES
from fraction_mcp.cli.parser import Parser, parser
from fraction_mcp.tools.catalogue import catalogue

__all__ = ["completion"]

_BASH = """\
# bash: put into ~/.bashrc the line    source <(fraction-mcp completion bash)
_fraction_mcp() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then words="{commands}"; else
    case "$command" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _fraction_mcp fraction-mcp
"""

_ZSH = """\
# zsh: put into ~/.zshrc the lines    autoload -U compinit; compinit; source <(fraction-mcp completion zsh)
autoload -U bashcompinit && bashcompinit
"""


def completion(*, shell: str) -> int:
    whole = parser()
    words = {name: _words(name, command) for name, command in whole.commands().items()}
    if shell == "fish":
        print("# fish: fraction-mcp completion fish > ~/.config/fish/completions/fraction-mcp.fish")
        print(f"complete -c fraction-mcp -n __fish_use_subcommand -f -a '{' '.join(words)}'")
        for name, completions in words.items():
            print(f"complete -c fraction-mcp -n '__fish_seen_subcommand_from {name}' -f -a '{' '.join(completions)}'")
        return 0
    cases = "\n".join(f'      {name}) words="{" ".join(completions)}" ;;' for name, completions in words.items())
    script = _BASH.format(commands=" ".join([*words, "--version", "--help"]), cases=cases)
    print((_ZSH if shell == "zsh" else "") + (script.partition("\n")[2] if shell == "zsh" else script), end="")
    return 0


def _words(name: str, command: Parser) -> list[str]:
    """What may stand behind a command: its controls, its values, its options."""
    values = {
        "call": list(catalogue()),
        "tools": list(catalogue()),
        "install": list(CLIENT_NAMES),
        "uninstall": list(CLIENT_NAMES),
        "completion": ["bash", "zsh", "fish"],
    }
    return [*command.commands(), *values.get(name, []), *command.options()]
