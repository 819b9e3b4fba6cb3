{ config, ... }:
{
  services.openssh.enable = true;
  users.users.proxy.group = "web";
  services.ccsec = {
    defaultSopsFile = SOPS_FILE;
    age.sshKeyPaths = [ "HOST_KEY" ];
    secrets = {
      drone_rpc_secret.neededForUsers = true;
      token.key = "bridge_drone_token";
      test_secret = {
        owner = "proxy";
        mode = "0440";
        reloadUnits = [ "proxy.service" ];
      };
      wildcard_cert = {
        path = "/var/lib/ci-certs/live/fullchain.pem";
        keyPath = [ "wildcard_cert" ];
        mode = "0444";
        public = true;
        restartUnits = [ "proxy.service" ];
      };
      wildcard_key = {
        path = "/var/lib/ci-certs/live/privkey.pem";
        restartUnits = [
          "proxy.service"
          "mail@1.service"
        ];
        onConflict = "backup";
      };
      hmac = {
        key = "bridge_webhook_hmac";
        uid = 1000;
        gid = 100;
        required = false;
        requireActivation = false;
        reloadUnits = [ "bridge.service" ];
      };
    };
    templates."bridge.env" = {
      content = ''
        TOKEN=${config.services.ccsec.placeholder.token}
      '';
      path = "/etc/bridge/env";
      restartUnits = [ "bridge.service" ];
    };
    checks = [
      {
        cert = "wildcard_cert";
        key = "wildcard_key";
      }
    ];
  };
}
