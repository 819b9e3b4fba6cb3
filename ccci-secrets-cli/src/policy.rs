//! Who a new file is encrypted to and which of its values: the flags, the variables and `.sops.yaml` together.

use std::path::{Path, PathBuf};

use ccci_secrets::config::{
    Config, ConfigError, Discovered, Policy, PolicyError, PolicyRequest, Stores,
};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::selection::{SelectionError, SelectionSettings};
use ccci_secrets::wrapped::KeyKind;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::layout::Indents;
use crate::output;

/// Flags that decide about a new file.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
    /// Use this configuration instead of the nearest .sops.yaml; $SOPS_CONFIG does the same
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Let the MAC cover encrypted values only
    #[arg(long)]
    mac_only_encrypted: bool,
    /// How many of the key groups of the rule are needed to open the file; all, if nothing is said
    #[arg(long, value_name = "N")]
    shamir_secret_sharing_threshold: Option<u32>,
    #[arg(long, hide = true, value_name = "PAIRS")]
    encryption_context: Option<String>,
}

/// Keys by name. Any at all replace those of the configuration.
#[derive(Debug, clap::Args)]
struct KeyArgs {
    /// Encrypt to these age or ssh-ed25519 recipients, separated by commas; $SOPS_AGE_RECIPIENTS does the same
    #[arg(short, long, value_name = "LIST")]
    age: Option<String>,
    #[arg(short, long, hide = true)]
    kms: Option<String>,
    #[arg(long, hide = true)]
    aws_profile: Option<String>,
    #[arg(long, hide = true)]
    gcp_kms: Option<String>,
    #[arg(long, hide = true)]
    hckms: Option<String>,
    #[arg(long, hide = true)]
    azure_kv: Option<String>,
    #[arg(long, hide = true)]
    hc_vault_transit: Option<String>,
    #[arg(short, long, hide = true)]
    pgp: Option<String>,
}

/// Which values are encrypted. One of these, or none.
#[derive(Debug, clap::Args)]
struct SelectionArgs {
    /// Leave clear what is at or below a key that ends like this; `_unencrypted` if nothing else is said
    #[arg(long, value_name = "SUFFIX")]
    unencrypted_suffix: Option<String>,
    /// Encrypt only what is at or below a key that ends like this
    #[arg(long, value_name = "SUFFIX")]
    encrypted_suffix: Option<String>,
    /// Leave clear what is at or below a key that matches
    #[arg(long, value_name = "REGEX")]
    unencrypted_regex: Option<String>,
    /// Encrypt only what is at or below a key that matches
    #[arg(long, value_name = "REGEX")]
    encrypted_regex: Option<String>,
}

/// What is decided about a new file.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) policy: Policy,
    pub(crate) indents: Indents,
}

impl PolicyArgs {
    /// What the flags, the variables and the configuration say about a new file of that name.
    pub(crate) fn resolve(self, context: &Context, file: &Path) -> Result<Resolved, CommandError> {
        let named = self.config.as_deref().or(context.config.as_deref());
        let found = find_config(context, named).map_err(|error| config_error(&error))?;
        found.notes.iter().for_each(output::warning);
        let config = found.config;
        let request = self.request(context)?;
        let rule = match &config {
            None => None,
            Some(config) => match config.rule_for(&context.absolute(file)) {
                Ok(rule) => Some(rule),
                Err(ConfigError::NoRule { path, .. }) if !request.keys.is_empty() => {
                    output::warning(format_args!(
                        "{}: no creation rule matches {}; the keys of the command line are used alone",
                        path.display(),
                        file.display()
                    ));
                    None
                }
                Err(ConfigError::NoRules { .. }) => None,
                Err(error) => return Err(config_error(&error)),
            },
        };
        let policy = Policy::resolve(rule, &request).map_err(|error| policy_error(&error))?;
        if let Some(threshold) = policy.idle_threshold() {
            output::warning(format_args!(
                "the threshold of {threshold} has no effect, because there is only one key group: any one of its keys opens {}",
                file.display()
            ));
        }
        Ok(Resolved {
            policy,
            indents: indents(context, config.as_ref()),
        })
    }

    fn request(self, context: &Context) -> Result<PolicyRequest, CommandError> {
        if self.encryption_context.is_some_and(|text| !text.is_empty()) {
            return Err(CommandError::not_built("--encryption-context"));
        }
        if self.keys.aws_profile.is_some_and(|text| !text.is_empty()) {
            return Err(CommandError::not_built("--aws-profile"));
        }
        let mut request = PolicyRequest {
            selection: SelectionSettings {
                unencrypted_suffix: self.selection.unencrypted_suffix,
                encrypted_suffix: self.selection.encrypted_suffix,
                unencrypted_regex: self.selection.unencrypted_regex,
                encrypted_regex: self.selection.encrypted_regex,
                ..SelectionSettings::default()
            },
            threshold: self.shamir_secret_sharing_threshold,
            mac_only_encrypted: self.mac_only_encrypted || context.mac_only_encrypted,
            ..PolicyRequest::default()
        };
        // The order in which sops writes them.
        let kinds = [
            (KeyKind::AwsKms, self.keys.kms, "SOPS_KMS_ARN"),
            (KeyKind::GcpKms, self.keys.gcp_kms, "SOPS_GCP_KMS_IDS"),
            (
                KeyKind::HuaweiKms,
                self.keys.hckms,
                "SOPS_HUAWEICLOUD_KMS_IDS",
            ),
            (
                KeyKind::AzureKeyVault,
                self.keys.azure_kv,
                "SOPS_AZURE_KEYVAULT_URLS",
            ),
            (KeyKind::Pgp, self.keys.pgp, "SOPS_PGP_FP"),
            (
                KeyKind::HashicorpVault,
                self.keys.hc_vault_transit,
                "SOPS_VAULT_URIS",
            ),
            (KeyKind::Age, self.keys.age, "SOPS_AGE_RECIPIENTS"),
        ];
        for (kind, flag, variable) in kinds {
            let list = flag.as_deref().or(context.environment.var(variable));
            request.add_keys(kind, list.unwrap_or_default());
        }
        Ok(request)
    }
}

/// The configuration that was named, or the nearest.
pub(crate) fn find_config(
    context: &Context,
    named: Option<&Path>,
) -> Result<Discovered, ConfigError> {
    let variable = context.environment.var_os("SOPS_CONFIG").map(Path::new);
    let named = named
        .or(variable)
        .filter(|path| !path.as_os_str().is_empty());
    let Some(path) = named else {
        return Config::discover(&context.directory);
    };
    let config = Config::read(&context.absolute(path))?;
    let mut found = Discovered::default();
    found.notes = config.notes().to_vec();
    found.config = Some(config);
    Ok(found)
}

fn indents(context: &Context, config: Option<&Config>) -> Indents {
    Indents {
        flag: context.indent,
        stores: config.map_or_else(Stores::default, Config::stores),
    }
}

/// What the flags and the configuration say about indentation. A configuration that is broken is only warned about, in a
/// command that does not need it.
pub(crate) fn indents_of_config(context: &Context) -> Indents {
    match find_config(context, context.config.as_deref()) {
        Ok(found) => indents(context, found.config.as_ref()),
        Err(error) => {
            output::warning(format_args!("error loading config: {error}"));
            indents(context, None)
        }
    }
}

/// Warns about a configuration that is broken, in a command that does not need it.
pub(crate) fn warn_about_config(context: &Context) {
    indents_of_config(context);
}

/// sops says that a configuration is at fault; scripts look for some of its words.
fn config_error(error: &ConfigError) -> CommandError {
    let text = match error {
        ConfigError::NoRule { .. } => {
            format!("error loading config: no matching creation rules found ({error})")
        }
        _ => format!("error loading config: {error}"),
    };
    CommandError::new(error.code(), text).exit_with(Exit::SopsGeneric)
}

fn policy_error(error: &PolicyError) -> CommandError {
    let text = match error {
        PolicyError::NoKeys => "config file not found, or has no creation rules, and no keys provided through command line options".into(),
        PolicyError::EmptyGroup { place } => {
            format!("{place}: Could not generate data key: [empty key group provided]")
        }
        PolicyError::Selection {
            place: None,
            source:
                SelectionError::Pattern {
                    setting,
                    pattern,
                    reason,
                },
        } => format!(
            "--{}: the pattern `{pattern}` cannot be used: {reason}",
            setting.replace('_', "-")
        ),
        other => other.to_string(),
    };
    let exit = match error {
        PolicyError::ConflictingSelection(_) => Exit::SopsConflictingFlags,
        _ => Exit::SopsGeneric,
    };
    let code = match error {
        PolicyError::NoKeys => ErrorCode::ConfigMissing,
        other => other.code(),
    };
    CommandError::new(code, text).exit_with(exit)
}
