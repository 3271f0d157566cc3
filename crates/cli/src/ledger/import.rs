//! `ledger import`: what was exported into another ledger.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use onlyonce_backends::{Input, Place, Summary, Wrapped};

use super::{
    Failure, SECRET, Which,
    contents::{contents, were},
    progress::Bar,
};
use crate::exit::tell;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// What was exported; `-` is stdin, but for a ledger that takes keys
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let place = arguments.which.place()?;
    let summary = match arguments.file.as_path() {
        dash if dash == Path::new("-") => read(&place, Input::Stream(&mut io::stdin()), None).await?,
        path => {
            let failed =
                |error: io::Error| Failure::new(format!("failed to read {}: {error}", path.display()));
            let file = File::open(path).map_err(failed)?;
            let about = file.metadata().map_err(failed)?;
            let mut file = BufReader::new(file);
            match about.is_file() {
                true => read(&place, Input::File(&mut file), Some(about.len())).await?,
                false => read(&place, Input::Stream(&mut file), None).await?,
            }
        }
    };
    tell(&told(&place, &summary));
    match summary.contradictions {
        0 => Ok(()),
        keys => Err(Failure::new(format!(
            "of {keys} key{}, {place} and the file tell of two attempts, and not that one had ended before the other began: what \
             they stand for may have been done twice. The log above names the operations",
            if keys == 1 { "" } else { "s" }
        ))),
    }
}

async fn read(place: &Place, input: Input<'_>, bytes: Option<u64>) -> Result<Summary, Failure> {
    let mut bar = Bar::new(bytes);
    Ok(place.import(input, &mut |progress| bar.tell(progress)).await?)
}

fn told(place: &Place, summary: &Summary) -> String {
    let Summary { damaged, became_unknown, kept, .. } = *summary;
    let done = if kept == 0 { "were written" } else { "were read, and written where nothing later stood" };
    let mut told = format!("{place}: {} {done}", contents(summary));
    for (count, what) in [
        (kept, "there already, as late or later"),
        (became_unknown, "in progress, and made unknown: see `onlyonce keys list --state unknown`"),
        (damaged, "not readable, and refused as before"),
    ] {
        if count > 0 {
            told += &format!("\n{} {what}", were(count));
        }
    }
    told += match summary.secret {
        Wrapped::Alike => "",
        Wrapped::AsBefore => {
            "\nIt opens with the secret that it had before, and not with that of the file, which is not newer"
        }
        Wrapped::AsInFile => {
            "\nIt opens with the secret of the file, which is newer, and no more with the one that it had before"
        }
    };
    let of = match summary.secret {
        Wrapped::AsBefore => "of this ledger",
        Wrapped::Alike | Wrapped::AsInFile => "of the ledger that was exported",
    };
    told += &format!("\n\nnext: start gateways on it with the {SECRET} {of}, and `ledger.must_exist = true`");
    told
}
