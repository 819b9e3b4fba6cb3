//! `ccsec creds-serve`.

use std::path::PathBuf;

use ccci_secrets::activation::manifest::Dialect;
use ccci_secrets::activation::{
    self, CredentialPeer, CredentialRefusal, CredentialRequest, CredentialSource,
};
use ccci_secrets::secret::Secret;

use super::activate::request::Request;
use crate::arguments;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::harden;
use crate::listener::{HandedOver, Listener};
use crate::manager::Manager;
use crate::output;
use crate::serve::{Answer, Server};

/// Give units their secrets as credentials
///
/// For units with LoadCredential=NAME:/run/ccsec/creds.sock. A unit gets what the field `credentials` of the manifest gives
/// it, [{"unit": "web.service", "name": "token", "secret": "web/token"}], from the active generation. The unit may be
/// `NAME@*.service`, for all instances of a template; the secret may be `rendered/NAME`, for a template of the manifest.
///
/// Manifest and generation are looked at for each request, so nothing has to be reloaded. A unit that is refused fails to
/// start, with status 243: it never gets an empty credential. Each request is told on standard error, without its value.
///
/// The socket comes from the service manager, or is made with --socket. Only root may ask, and whoever runs this.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// The manifest; relative paths in it count from its directory
    manifest: PathBuf,
    /// Use keys from the environment and the home directory too
    #[arg(long, requires = "no_materialise")]
    ambient_keys: bool,
    /// Open the sops file anew for each request instead of reading the active generation; nothing is on disk
    #[arg(long)]
    no_materialise: bool,
    /// The directory that `activate --root` was given
    #[arg(long, value_name = "DIR", value_parser = arguments::root())]
    root: Option<PathBuf>,
    /// Make this socket, with mode 0600, instead of taking over one
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, CommandError> {
    harden::activation();
    let HandedOver { listener, kept } = HandedOver::take(&context.environment)?;
    let mut server = Server::new(Manager::of(&context.environment))?;
    server.refuse_kept(kept);
    let listener = match (&args.socket, listener) {
        (Some(path), _) => Listener::bind(path)?,
        (None, Some(listener)) => listener,
        (None, None) => return Err(no_socket(args)),
    };
    let own_uid = rustix::process::geteuid().as_raw();
    server.serve(&listener.socket, |peer| {
        answer(context, args, own_uid, peer)
    })?;
    Ok(Exit::Done)
}

fn no_socket(args: &Args) -> CommandError {
    CommandError::usage("there is no socket: the service manager has handed over none").hint(
        format!(
            "to make one: ccsec creds-serve {} --socket /run/ccsec/creds.sock",
            args.manifest.display()
        ),
    )
}

/// Decides, and tells what was decided.
fn answer(context: &Context, args: &Args, own_uid: u32, peer: CredentialPeer<'_>) -> Answer {
    let request = match peer.request(own_uid) {
        Ok(request) => request,
        Err(refusal) => {
            output::refused(format_args!("somebody: refused: {refusal}"));
            return Answer::Refusal;
        }
    };
    match find(context, args, &request) {
        Ok(content) => {
            output::note(format_args!("{request}: given"));
            Answer::Content(content)
        }
        Err(why) => {
            output::refused(format_args!("{request}: refused: {why}"));
            Answer::Refusal
        }
    }
}

fn find(context: &Context, args: &Args, request: &CredentialRequest) -> Result<Secret, String> {
    let source = match args.no_materialise {
        true => CredentialSource::Decrypted,
        false => CredentialSource::Generation,
    };
    let look = Request {
        ambient_keys: args.ambient_keys,
        root: args.root.as_deref(),
        ..Request::new(&args.manifest, Dialect::Native, Context::now())
    };
    let ended = look.with_manifest(context, |manifest, options| {
        Ok(activation::credential(manifest, options, source, request))
    });
    match ended.result {
        Ok(found) => found.map_err(|refusal: CredentialRefusal| refusal.to_string()),
        Err(refusal) => Err(refusal
            .faults
            .first()
            .map_or_else(String::new, ToString::to_string)),
    }
}
