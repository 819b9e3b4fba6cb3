# As much of the library of nixpkgs as our modules use, written from its documentation. Where it matters the tests run with
# the real one, too: CCSEC_NIXPKGS_LIB names its directory.
let
  lists = rec {
    inherit (builtins)
      all
      any
      concatLists
      concatMap
      elem
      filter
      head
      map
      ;
    optionals = condition: list: if condition then list else [ ];
    optional = condition: element: optionals condition [ element ];
    unique = builtins.foldl' (seen: element: if elem element seen then seen else seen ++ [ element ]) [ ];
  };

  attributes = rec {
    inherit (builtins)
      attrNames
      attrValues
      listToAttrs
      mapAttrs
      ;
    nameValuePair = name: value: { inherit name value; };
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
    filterAttrs =
      wanted: set: removeAttrs set (lists.filter (name: !wanted name set.${name}) (attrNames set));
    genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
    optionalAttrs = condition: set: if condition then set else { };
  };

  strings = rec {
    inherit (builtins) concatStringsSep replaceStrings stringLength;
    optionalString = condition: text: if condition then text else "";
    hasPrefix = prefix: text: builtins.substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      let
        start = stringLength text - stringLength suffix;
      in
      start >= 0 && builtins.substring start (-1) text == suffix;
    removeSuffix =
      suffix: text:
      if hasSuffix suffix text then
        builtins.substring 0 (stringLength text - stringLength suffix) text
      else
        text;
    makeBinPath = concatMapStringsSep ":" (package: "${package}/bin");
    fixedWidthString =
      width: filler: text:
      if stringLength text < width then fixedWidthString width filler (filler + text) else text;
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    # In single quotes only where it has to be, as in nixpkgs.
    escapeShellArg =
      argument:
      let
        text = toString argument;
      in
      if builtins.match "[[:alnum:],._+:@%/-]+" text != null then
        text
      else
        "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
    literalExpression = text: {
      _type = "literalExpression";
      inherit text;
    };
    literalMD = text: {
      _type = "literalMD";
      inherit text;
    };
  };

  # What a package says of itself and its sources.
  packages = {
    fileset = {
      unions = files: files;
      toSource = { root, fileset }: map toString fileset;
    };
    licenses = {
      asl20 = "Apache-2.0";
      mit = "MIT";
    };
    platforms.linux = [
      "aarch64-linux"
      "x86_64-linux"
    ];
  };

  modules = import ./modules.nix { inherit lists attributes strings; };
in
lists // attributes // strings // packages // modules
