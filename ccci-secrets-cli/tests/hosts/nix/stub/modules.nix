# Options, their types, and how modules become one configuration.
{
  lists,
  attributes,
  strings,
}:

let
  inherit (builtins)
    attrNames
    concatMap
    filter
    foldl'
    head
    isAttrs
    isFunction
    length
    map
    ;
  inherit (lists) all any;
  inherit (attributes) genAttrs mapAttrs;

  show = strings.concatStringsSep ".";
  isType = type: value: isAttrs value && value._type or null == type;

  # --- what a definition can be wrapped in ---
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOption = attributes: attributes // { _type = "option"; };

  # A definition of a set, as definitions of its attributes: no condition is looked at.
  pushDown =
    definition:
    if isType "if" definition then
      map (mapAttrs (_: mkIf definition.condition)) (pushDown definition.content)
    else if isType "merge" definition then
      concatMap pushDown definition.contents
    else if isType "override" definition then
      map (mapAttrs (_: mkOverride definition.priority)) (pushDown definition.content)
    else
      [ definition ];

  # The values that a definition comes to, with their priorities; none if its condition does not hold.
  discharge =
    definition:
    if isType "if" definition then
      if definition.condition then discharge definition.content else [ ]
    else if isType "merge" definition then
      concatMap discharge definition.contents
    else if isType "override" definition then
      map (found: found // { inherit (definition) priority; }) (discharge definition.content)
    else
      [
        {
          priority = 100;
          value = definition;
        }
      ];

  # The values that count: those of the best priority.
  winners =
    definitions:
    let
      found = concatMap discharge definitions;
      best = foldl' (low: each: if each.priority < low then each.priority else low) 9999 found;
    in
    map (each: each.value) (filter (each: each.priority == best) found);

  mergeDefinitions =
    loc: type: definitions:
    let
      values = winners definitions;
      wrong = filter (value: !type.check value) values;
    in
    if wrong != [ ] then
      throw "A definition for option `${show loc}' is not of type `${type.name}'."
    else
      type.merge loc values;

  # --- types ---
  mkType =
    {
      name,
      check,
      merge ? mergeEqual,
    }:
    {
      _type = "option-type";
      inherit name check merge;
    };

  mergeEqual =
    loc: values:
    if all (value: value == head values) values then
      head values
    else
      throw "The option `${show loc}' has conflicting definition values.";

  mergeOne =
    loc: values:
    if length values == 1 then
      head values
    else
      throw "The option `${show loc}' is defined multiple times while it's expected to be unique.";

  isPathLike =
    value:
    builtins.isPath value || builtins.isString value && strings.hasPrefix "/" value || value ? outPath;

  types = rec {
    bool = mkType {
      name = "bool";
      check = builtins.isBool;
    };
    int = mkType {
      name = "int";
      check = builtins.isInt;
    };
    ints = {
      unsigned = mkType {
        name = "unsignedInt";
        check = value: builtins.isInt value && value >= 0;
      };
      u32 = mkType {
        name = "unsignedInt32";
        check = value: builtins.isInt value && value >= 0 && value < 4294967296;
      };
    };
    str = mkType {
      name = "str";
      check = builtins.isString;
    };
    strMatching =
      pattern:
      mkType {
        name = "strMatching ${builtins.toJSON pattern}";
        check = value: builtins.isString value && builtins.match pattern value != null;
      };
    lines = mkType {
      name = "lines";
      check = builtins.isString;
      merge = _: strings.concatStringsSep "\n";
    };
    path = mkType {
      name = "path";
      check = isPathLike;
    };
    package = mkType {
      name = "package";
      check = value: isAttrs value && value.type or null == "derivation";
      merge = mergeOne;
    };
    unspecified = mkType {
      name = "unspecified";
      check = _: true;
      merge = mergeOne;
    };
    enum =
      values:
      mkType {
        name = "enum";
        check = value: lists.elem value values;
      };
    nullOr =
      type:
      mkType {
        name = "nullOr ${type.name}";
        check = value: value == null || type.check value;
        merge =
          loc: values: if all (value: value == null) values then null else type.merge loc values;
      };
    either =
      first: second:
      mkType {
        name = "${first.name} or ${second.name}";
        check = value: first.check value || second.check value;
        merge =
          loc: values:
          if all first.check values then
            first.merge loc values
          else if all second.check values then
            second.merge loc values
          else
            mergeOne loc values;
      };
    oneOf = choices: foldl' either (head choices) (builtins.tail choices);
    listOf =
      type:
      mkType {
        name = "listOf ${type.name}";
        check = builtins.isList;
        merge =
          loc: values:
          map (each: mergeDefinitions (loc ++ [ "[]" ]) type [ each ]) (
            # An element that is not there is no element.
            filter (each: discharge each != [ ]) (builtins.concatLists values)
          );
      };
    attrsOf =
      type:
      mkType {
        name = "attrsOf ${type.name}";
        check = isAttrs;
        merge =
          loc: values:
          let
            sets = concatMap pushDown values;
            definitionsOf = name: concatMap (set: if set ? ${name} then [ set.${name} ] else [ ]) sets;
            names = lists.unique (concatMap attrNames sets);
            defined = filter (name: concatMap discharge (definitionsOf name) != [ ]) names;
          in
          genAttrs defined (name: mergeDefinitions (loc ++ [ name ]) type (definitionsOf name));
      };
    submodule =
      module:
      mkType {
        name = "submodule";
        check = value: isAttrs value || isFunction value;
        merge =
          loc: values:
          (evaluate loc {
            modules =
              (if builtins.isList module then module else [ module ])
              ++ map (value: if isFunction value then value else { config = value; }) values;
            specialArgs.name = builtins.elemAt loc (length loc - 1);
          }).config;
      };
  };

  # --- modules ---
  load =
    arguments: module:
    let
      loaded = if isFunction module then module else if isAttrs module then module else import module;
      set = if isFunction loaded then loaded arguments else loaded;
      isFull = set ? config || set ? options;
      body =
        if isFull then
          set
        else
          {
            config = removeAttrs set [ "imports" ];
            imports = set.imports or [ ];
          };
    in
    concatMap (load arguments) (body.imports or [ ])
    ++ [
      {
        options = body.options or { };
        config = body.config or { };
      }
    ];

  evaluate =
    prefix:
    {
      modules,
      specialArgs ? { },
    }:
    let
      arguments =
        specialArgs
        // {
          inherit config lib;
          options = declared;
        };
      lib = import ./lib.nix;
      loaded = concatMap (load arguments) modules;
      declared = mergeDeclarations prefix (map (module: module.options) loaded);
      config = define prefix declared (map (module: module.config) loaded);
    in
    {
      inherit config;
      options = declared;
    };

  mergeDeclarations =
    loc: sets:
    genAttrs (lists.unique (concatMap attrNames sets)) (
      name:
      let
        found = concatMap (set: if set ? ${name} then [ set.${name} ] else [ ]) sets;
      in
      if any (isType "option") found then
        if length found == 1 then
          head found
        else
          throw "The option `${show (loc ++ [ name ])}' is already declared."
      else
        mergeDeclarations (loc ++ [ name ]) found
    );

  define =
    loc: declared: definitions:
    let
      sets = concatMap pushDown definitions;
      unknown = filter (name: !declared ? ${name}) (concatMap attrNames sets);
      values = mapAttrs (
        name: declaration:
        let
          here = loc ++ [ name ];
          found = concatMap (set: if set ? ${name} then [ set.${name} ] else [ ]) sets;
        in
        if isType "option" declaration then value here declaration found else define here declaration found
      ) declared;
    in
    # Real definitions that are switched off are unknown options, too.
    if unknown != [ ] then
      throw "The option `${show (loc ++ [ (head unknown) ])}' does not exist."
    else
      values;

  value =
    loc: declaration: found:
    let
      isDefined = concatMap discharge found != [ ];
      default = if declaration ? default then [ (mkOverride 1500 declaration.default) ] else [ ];
    in
    if declaration.readOnly or false && isDefined && declaration ? default then
      throw "The option `${show loc}' is read-only, but it's set multiple times."
    else if isDefined || default != [ ] then
      mergeDefinitions loc declaration.type (found ++ default)
    else
      throw "The option `${show loc}' was accessed but has no value defined. Try setting the option.";
in
{
  inherit
    mkIf
    mkMerge
    mkOption
    mkOverride
    types
    ;
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  evalModules = evaluate [ ];
}
