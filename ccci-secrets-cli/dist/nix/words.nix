# How paths are written for systemd: see systemd.syntax(7) and systemd.unit(5).
{ lib }:

rec {
  # As one word, in which no specifier is expanded.
  word =
    text:
    let
      escaped = line text;
    in
    if builtins.match "[a-zA-Z0-9/._+:@,=%-]+" escaped != null then
      escaped
    else
      ''"${lib.replaceStrings [ "\\" "\"" ] [ "\\\\" "\\\"" ] escaped}"'';

  # As a value that takes the rest of the line as it stands.
  line = lib.replaceStrings [ "%" ] [ "%%" ];

  # As an argument of a command line, in which no variable is expanded either.
  argument = text: word (lib.replaceStrings [ "$" ] [ "$$" ] text);
}
