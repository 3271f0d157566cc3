//! `onlyonce keys`: the operations of a running gateway, over its admin API.
//!
//! Everything is decided there; here it is asked, shown and confirmed. Whatever changes something names the state and
//! fence that were shown, so that what moved on in between is refused. Data goes to stdout, the rest to stderr.

mod client;
mod failure;
mod forget;
mod list;
mod nearby;
mod operation;
mod settle;
mod show;
mod table;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::{self, BufRead, IsTerminal, Write},
};

use clap::{Args, Subcommand};

use crate::{
    exit::Exit,
    keys::{client::Client, failure::Failure},
};

/// Where the token is looked for unless another variable is named.
const TOKEN_VARIABLE: &str = "ONLYONCE_ADMIN_TOKEN";

#[derive(Args)]
pub(crate) struct Arguments {
    /// The admin listener of the gateway
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:9180",
        help_heading = "Gateway"
    )]
    admin: String,
    /// The environment variable that holds the admin token [default: ONLYONCE_ADMIN_TOKEN]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Gateway")]
    token_env: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The operations that are open: in progress, or with an outcome that nobody knows
    List(list::Arguments),
    /// One operation: what, since when, why, and what can be done
    Show(show::Arguments),
    /// End unknown outcomes: say that they were applied, or that they were not
    Settle(settle::Arguments),
    /// Remove the result of an operation that has ended; its key stays taken
    Forget(forget::Arguments),
}

/// What the environment says.
#[derive(Clone, Default)]
pub(crate) struct Variables {
    /// The value of [`Arguments::token_variable`].
    pub(crate) token: Option<String>,
    /// Who is at the keyboard.
    pub(crate) user: Option<String>,
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a command talks to.
struct Session<'a> {
    client: Client,
    user: Option<String>,
    /// For data.
    out: &'a mut dyn Write,
    /// For everything else.
    err: &'a mut dyn Write,
    /// Somebody who can be asked; `None` where nobody sits there.
    ask: Option<Box<dyn BufRead + 'a>>,
}

impl Arguments {
    /// The environment variable that holds the token.
    pub(crate) fn token_variable(&self) -> &str {
        self.token_env.as_deref().unwrap_or(TOKEN_VARIABLE)
    }
}

/// Runs a command on the process's own streams.
pub(crate) async fn run(arguments: Arguments, variables: Variables) -> Exit {
    let stdin = io::stdin();
    let ask = stdin.is_terminal().then(|| Box::new(stdin.lock()) as _);
    let (out, err) = (&mut io::stdout(), &mut io::stderr());
    match arguments.client(variables.token) {
        Ok(client) => {
            run_in(Session { client, user: variables.user, out, err, ask }, &arguments.command).await
        }
        Err(failure) => failure.tell(err),
    }
}

async fn run_in(mut session: Session<'_>, command: &Command) -> Exit {
    let ended = match command {
        Command::List(arguments) => list::run(arguments, &mut session).await,
        Command::Show(arguments) => show::run(arguments, &mut session).await,
        Command::Settle(arguments) => settle::run(arguments, &mut session).await,
        Command::Forget(arguments) => forget::run(arguments, &mut session).await,
    };
    ended.unwrap_or_else(|failure| failure.tell(session.err))
}

impl Arguments {
    fn client(&self, token: Option<String>) -> Result<Client, Failure> {
        if let (Some(named), None) = (&self.token_env, &token) {
            return Err(Failure::usage(format!("the environment variable {named} is not set, or empty")));
        }
        Client::new(&self.admin, token)
    }
}

impl Session<'_> {
    /// Who signs a change: whom the command line names, else the user of the machine.
    fn signed_by(&self, named: Option<&str>) -> Result<String, Failure> {
        named.map(str::to_owned).or_else(|| self.user.clone()).ok_or_else(|| {
            Failure::usage("USER is not set, so the audit would not know who decides: add --by NAME")
        })
    }
}

/// Reads an operation's name; anything else would become a path of its own.
fn operation_ref(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("op_").filter(|digits| digits.len() == 36);
    let is_digit = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
    match digits {
        Some(digits) if digits.bytes().all(is_digit) => Ok(text.to_owned()),
        _ => Err("an operation's name is op_ and 36 characters, as `onlyonce keys list`, log lines and answers show it. If this is \
             a client's key: `POST /api/v1/lookup` of the admin API finds its operation"
            .to_owned()),
    }
}
