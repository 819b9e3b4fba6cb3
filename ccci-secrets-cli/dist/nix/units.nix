# The units of systemd. Their settings are those that `ccsec systemd-unit` prints, where the reasons stand; a test compares
# the two. What is different on NixOS, and why, stands here.
{
  lib,
  cfg,
  pkgs,
}:

let
  inherit (lib)
    concatMap
    hasPrefix
    optional
    optionals
    unique
    ;

  run = "/run";
  state = "/var/lib/ccsec";
  target = "ccsec-secrets.target";
  isBelow = directory: path: path == directory || hasPrefix "${directory}/" path;
  # What the program itself lies in needs no waiting for.
  inStore = path: hasPrefix "${builtins.storeDir}/" path;

  inherit (import ./words.nix { inherit lib; }) line word;
  makingKeys = import ./keys.nix { inherit lib pkgs cfg; };

  # --- what a stage reads and writes ---
  files = stage: stage.manifest.secrets ++ stage.manifest.templates;
  targets =
    stage: lib.filter (path: !isBelow stage.place.symlinkPath path) (map (file: file.path) (files stage));
  # Directories outside of /run that links are put into.
  parents =
    stage: unique (map dirOf (lib.filter (path: !isBelow run path) (targets stage)));
  keys = optional (cfg.age.keyFile != null) cfg.age.keyFile ++ cfg.age.sshKeyPaths;
  needed =
    stage:
    let
      # A path without quotes goes to the store.
      source = file: optional (!builtins.isPath file) (toString file);
      sources = concatMap (secret: source secret.sopsFile) stage.manifest.secrets;
      texts = concatMap (
        template: optionals (template ? file) (source template.file)
      ) stage.manifest.templates;
      homes = optional (cfg.gnupg.home != null) cfg.gnupg.home ++ cfg.gnupg.sshKeyPaths;
      paths =
        map dirOf (sources ++ texts)
        ++ keys
        ++ homes
        ++ parents stage
        ++ [
          stage.place.secretsMountPoint
          state
        ];
      outside = lib.filter (path: !inStore path && path != builtins.storeDir) paths;
      # What is needed for a path is needed for all above it, too.
      isAbove = path: lib.any (other: hasPrefix "${path}/" other) outside;
    in
    unique (lib.filter (path: !isAbove path) outside);
  reachesInto =
    stage: directories:
    lib.any (path: lib.any (directory: isBelow directory path) directories) (
      needed stage ++ targets stage
    );

  # --- the file system in memory ---
  # A mount unit cannot fall back to another kind of tmpfs; the program can.
  mountsItself = cfg.mount == "auto" && cfg.useTmpfs;
  hasMountUnit = cfg.mount == "auto" && !cfg.useTmpfs;
  isConfined = !mountsItself;
  mount = stage: more: {
    what = "ramfs";
    where = stage.place.secretsMountPoint;
    type = "ramfs";
    options = "mode=0751,nodev,nosuid,noexec";
    description = "Memory for secrets at ${stage.place.secretsMountPoint}";
    # Whoever unmounts it throws the secrets away.
    unitConfig = {
      X-StopOnRemoval = false;
      X-RestartIfChanged = false;
    }
    // more;
  };

  # --- the service ---
  # Units that do not start without the secrets.
  consumers =
    stage:
    let
      requiring = lib.filter (file: file.requireActivation) (
        lib.attrValues stage.secrets ++ lib.attrValues stage.templates
      );
    in
    unique (concatMap (file: file.restartUnits ++ file.reloadUnits) requiring);

  privileges = {
    CapabilityBoundingSet = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER${lib.optionalString mountsItself " CAP_SYS_ADMIN"}";
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    NoNewPrivileges = true;
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter =
      if mountsItself then
        [
          "@system-service @mount"
          "~@resources"
        ]
      else
        [
          "@system-service"
          "~@mount @resources"
        ];
  };

  network =
    if cfg.network then
      { RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6"; }
    else
      {
        RestrictAddressFamilies = "AF_UNIX";
        IPAddressDeny = "any";
      }
      // lib.optionalAttrs isConfined { PrivateNetwork = true; };

  # What no service of ours writes to or sees.
  onlyToRead = {
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = "read-only";
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
  };

  fileSystem =
    stage:
    let
      outside = optional (!isBelow run stage.place.secretsMountPoint) stage.place.secretsMountPoint;
      written = [ run ] ++ optional stage.isEarly state ++ parents stage ++ outside;
    in
    {
      ReadWritePaths = map (path: word "-${path}") written;
    }
    // onlyToRead
    # With either of them the program would see, or place, something that others do not.
    // lib.optionalAttrs (!stage.isEarly && !reachesInto stage [ "/tmp" "/var/tmp" ]) {
      PrivateTmp = true;
    }
    // lib.optionalAttrs (!reachesInto stage [ "/dev" ]) { PrivateDevices = true; };

  service =
    stage: {
      inherit (cfg) onFailure;
      path = cfg.age.plugins;
      environment = lib.mapAttrs (_: toString) cfg.environment;
      unitConfig = {
        # The secrets stay when the configuration has none any more, and so do the units that required them.
        X-StopOnRemoval = false;
        RequiresMountsFor = map word (
          if stage.isEarly then [ stage.place.secretsMountPoint ] else needed stage
        );
      };
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = stage.command;
        ExecReload = stage.command;
        LimitCORE = 0;
        LimitMEMLOCK = "infinity";
        RuntimeDirectory = "ccsec";
        RuntimeDirectoryMode = "0700";
        RuntimeDirectoryPreserve = true;
        SuccessExitStatus = 50;
        TimeoutStartSec = if cfg.network then 300 else 90;
        UMask = "0077";
      }
      // lib.optionalAttrs (!stage.isEarly) {
        StateDirectory = "ccsec";
        StateDirectoryMode = "0700";
      }
      // privileges
      // network
      // lib.optionalAttrs isConfined (fileSystem stage);
    };

  # A directory that is there stays as it is: what is said about it holds for one that is made.
  directory =
    stage: path:
    let
      wishing = lib.filter (
        file:
        dirOf file.path == path && (file ? dirMode || file ? dirOwner || file ? dirGroup)
      ) (files stage);
      wish = if wishing == [ ] then { } else lib.head wishing;
      given = name: if wish ? ${name} then ":${wish.${name}}" else "-";
      mode = if wish ? dirMode then ":${lib.fixedWidthString 4 "0" wish.dirMode}" else "-";
    in
    "d ${word path} ${mode} ${given "dirOwner"} ${given "dirGroup"} - -";
in
{
  # What there is once, whichever stages there are.
  common = {
    systemd.targets.ccsec-secrets = {
      description = "Secrets are in place";
      conflicts = [ "shutdown.target" ];
      before = [ "shutdown.target" ];
      unitConfig.DefaultDependencies = false;
    };
    systemd.tmpfiles.rules = [ "d ${state} 0700 root root - -" ];
  };

  regular =
    stage:
    let
      base = service stage;
    in
    {
      systemd.mounts = optional hasMountUnit (mount stage { });
      systemd.services.${stage.unit} =
        base
        // {
          description = "Secrets as files";
          # A restart would stop every unit that requires this one. It comes in time for units that are new, since what
          # is reloaded comes before what is started.
          reloadIfChanged = true;
          requiredBy = [ target ] ++ consumers stage;
        }
        // (
          if cfg.network then
            {
              wantedBy = [ "multi-user.target" ];
              wants = [ "network-online.target" ];
              after = [
                "network-online.target"
                "remote-fs.target"
              ];
              before = [ target ] ++ consumers stage;
            }
          else
            {
              wantedBy = [ "sysinit.target" ];
              # A switch of the configuration says so when the secrets could not be made.
              requiredBy = [
                target
                "sysinit-reactivation.target"
              ]
              ++ consumers stage;
              after = [
                "local-fs.target"
                "systemd-sysusers.service"
                "systemd-tmpfiles-setup.service"
                "userborn.service"
              ];
              before = [
                "shutdown.target"
                "sysinit-reactivation.target"
                "sysinit.target"
                target
              ]
              ++ consumers stage;
              conflicts = [ "shutdown.target" ];
              unitConfig = base.unitConfig // {
                DefaultDependencies = false;
              };
            }
        );
      systemd.tmpfiles.rules = map (directory stage) (parents stage);
    };

  # Nobody requires this one, so that it can be stopped and started again before users are made anew: a reload would come
  # too late for their passwords.
  forUsers =
    stage: userUnits:
    let
      base = service stage;
    in
    {
      systemd.mounts = optional hasMountUnit (
        mount stage { DefaultDependencies = false; }
        // {
          conflicts = [ "umount.target" ];
          before = [ "umount.target" ];
        }
      );
      systemd.services.${stage.unit} = base // {
        description = "Secrets as files, for users to be made with";
        wantedBy = [
          "sysinit.target"
          target
        ]
        ++ userUnits;
        after = [ "systemd-remount-fs.service" ];
        before = [
          "shutdown.target"
          "sysinit.target"
          "systemd-sysusers.service"
          target
          "userborn.service"
        ];
        conflicts = [ "shutdown.target" ];
        unitConfig = base.unitConfig // {
          DefaultDependencies = false;
        };
      };
    };

  # Gives units what `credentials` says they may have; the same as the units in dist/systemd, where the reasons stand.
  credentials = stage: {
    systemd.sockets.ccsec-creds = {
      description = "Socket for the credentials of units";
      wantedBy = [ "sockets.target" ];
      before = [
        "shutdown.target"
        "sockets.target"
      ];
      conflicts = [ "shutdown.target" ];
      listenStreams = [ "${run}/ccsec/creds.sock" ];
      unitConfig.DefaultDependencies = false;
      socketConfig = {
        DirectoryMode = "0700";
        SocketMode = "0600";
      };
    };
    systemd.services.ccsec-creds = {
      description = "Secrets as credentials of units";
      after = [ "${stage.unit}.service" ];
      before = [ "shutdown.target" ];
      conflicts = [ "shutdown.target" ];
      # Each request looks at manifest and generation anew; only another manifest needs another process.
      stopIfChanged = false;
      unitConfig = {
        DefaultDependencies = false;
        StartLimitIntervalSec = 0;
      };
      serviceConfig = {
        CapabilityBoundingSet = "CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE";
        ExecStart = "${cfg.package}/bin/ccsec creds-serve ${stage.file}";
        FileDescriptorStoreMax = 1024;
        KillMode = "process";
        LimitCORE = 0;
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        NoNewPrivileges = true;
        NotifyAccess = "main";
        PrivateDevices = true;
        Restart = "always";
        RestartSec = "100ms";
        RestrictAddressFamilies = "AF_UNIX";
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        SendSIGKILL = false;
        SystemCallArchitectures = "native";
        SystemCallErrorNumber = "EPERM";
        SystemCallFilter = [ "@system-service" ];
        TimeoutStopSec = "5s";
        Type = "notify";
        UMask = "0077";
      }
      // onlyToRead;
    };
  };

  # Makes the age key of the machine, once.
  key =
    stages:
    let
      before = map (stage: "${stage.unit}.service") stages;
    in
    {
      systemd.services.ccsec-generate-key = {
        description = "The age key of this machine";
        wantedBy = before;
        inherit before;
        after = [ "systemd-remount-fs.service" ];
        conflicts = [ "shutdown.target" ];
        unitConfig = {
          ConditionPathExists = "!${line cfg.age.keyFile}";
          DefaultDependencies = false;
        }
        // lib.optionalAttrs (lib.all (stage: !stage.isEarly) stages) {
          RequiresMountsFor = [ (word cfg.age.keyFile) ];
        };
        serviceConfig = {
          Type = "oneshot";
          UMask = "0077";
          ExecStart = makingKeys.make;
        };
      };
    };
}
