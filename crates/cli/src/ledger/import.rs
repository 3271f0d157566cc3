//! `ledger import`: what was exported into another ledger.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use onlyonce_backends::{Place, Summary};

use super::{Failure, SECRET, Which, progress::Bar};
use crate::exit::tell;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// What was exported; `-` is stdin
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let place = arguments.which.place()?;
    let summary = match arguments.file.as_path() {
        dash if dash == Path::new("-") => read(&place, &mut io::stdin(), None).await?,
        path => {
            let failed =
                |error: io::Error| Failure::new(format!("failed to read {}: {error}", path.display()));
            let file = File::open(path).map_err(failed)?;
            let bytes = file.metadata().map_err(failed)?.len();
            read(&place, &mut BufReader::new(file), Some(bytes)).await?
        }
    };
    tell(&told(&place, &summary));
    match summary.contradictions {
        0 => Ok(()),
        keys => Err(Failure::new(format!(
            "{keys} keys were claimed by both ledgers on their own, so what they stand for may have been done twice; the log \
             above names the operations. What stood in {place} was kept"
        ))),
    }
}

async fn read(place: &Place, input: &mut (dyn Read + Send), bytes: Option<u64>) -> Result<Summary, Failure> {
    let mut bar = Bar::new(bytes);
    Ok(place.import(input, &mut |progress| bar.tell(progress)).await?)
}

fn told(place: &Place, summary: &Summary) -> String {
    let Summary { records, results, audit, damaged, became_unknown, kept, .. } = summary;
    let mut told =
        format!("{place}: {records} records, {results} results and {audit} entries of the audit were read");
    for (count, what) in [
        (kept, "were there already, as late or later"),
        (
            became_unknown,
            "were in progress, and are unknown now: `onlyonce keys list --state unknown` shows them",
        ),
        (damaged, "cannot be read, and are refused as before"),
    ] {
        if *count > 0 {
            told += &format!("\n{count} of the records {what}");
        }
    }
    told += &format!(
        "\n\nnext: start gateways on it with the {SECRET} of the ledger that was exported, and `ledger.must_exist = true`"
    );
    told
}
