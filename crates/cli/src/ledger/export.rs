//! `ledger export`: all of a ledger into a file.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::Args;
use onlyonce_backends::{Export, Place, Summary};

use super::{
    Failure, SECRET, Which,
    consent::{self, Question},
    contents::{contents, were},
    progress::Bar,
};
use crate::exit::tell;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Copy it, and let it go on: for looking at, and for trials. Two ledgers that both take keys act twice
    #[arg(long)]
    copy: bool,
    /// All gateways of it are stopped: do not wait for answers that they may still hear
    #[arg(long, conflicts_with = "copy")]
    stopped: bool,
    /// Do not ask before it is closed to new keys
    #[arg(long)]
    yes: bool,
    /// Where to; it must not be there yet. `-` is stdout
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let place = arguments.which.place()?;
    let how = match (arguments.copy, arguments.stopped) {
        (true, _) => Export::Copy,
        (false, true) => Export::MoveStopped,
        (false, false) => Export::Move,
    };
    if how != Export::Copy && !arguments.yes {
        consent(&place)?;
    }
    if how != Export::Copy {
        tell(&format!(
            "closing {place} to new keys. If this is broken off it stays closed: export again, or have it take keys again with \
             `onlyonce ledger reopen`"
        ));
    }
    let summary = match arguments.file.as_path() {
        dash if dash == Path::new("-") => write(&place, how, &mut io::stdout()).await?,
        file => into_file(&place, how, file).await?,
    };
    tell(&told(&place, how, &arguments.file, &summary));
    Ok(())
}

async fn into_file(place: &Place, how: Export, path: &Path) -> Result<Summary, Failure> {
    let failed = |error: io::Error| Failure::new(format!("failed to write {}: {error}", path.display()));
    // Sealed as it is, it is nobody's but its owner's.
    let file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let mut out = BufWriter::new(&file);
    let written = write(place, how, &mut out).await;
    drop(out);
    let done = written.and_then(|summary| file.sync_all().map(|()| summary).map_err(failed));
    if done.is_err() {
        // Half a file is of no use, and would be in the way of the next try; that it cannot be removed changes nothing.
        let _ = fs::remove_file(path);
    }
    done
}

async fn write(place: &Place, how: Export, out: &mut (dyn Write + Send)) -> Result<Summary, Failure> {
    let mut bar = Bar::new(None);
    let summary = place.export(how, out, &mut |progress| bar.tell(progress)).await?;
    out.flush().map_err(|error| Failure::new(format!("failed to write the end of the export: {error}")))?;
    Ok(summary)
}

fn consent(place: &Place) -> Result<(), Failure> {
    consent::obtain(&Question {
        does: &format!("closes {place} to new keys"),
        asks: &format!(
            "From now on {place} takes no new keys: they get 503, until gateways use what is imported from this file. What has \
             ended is still replayed."
        ),
        hint: "; to leave it open: --copy",
    })
}

fn told(place: &Place, how: Export, file: &Path, summary: &Summary) -> String {
    let mut told = format!("{place}: {} were written", contents(summary));
    if summary.damaged > 0 {
        told += &format!("; {} not readable, and moved all the same", were(summary.damaged));
    }
    told += &match how {
        Export::Move | Export::MoveStopped => format!(
            "\n\nnext: `onlyonce ledger import --ledger URL {}`, then start gateways on that URL with the {SECRET} of this \
             ledger, and stop those that use this one. To take it back: `onlyonce ledger reopen`",
            file.display()
        ),
        Export::Copy => {
            "\n\nIt goes on taking keys, so the copy is of the past: never let gateways use both".to_owned()
        }
    };
    if let Some(secret) = place.secret_file() {
        told += &format!(
            "\nThis ledger made its own secret: gateways on another need {SECRET}=$(cat {})",
            secret.display()
        );
    }
    told
}
