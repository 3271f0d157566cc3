//! One load on one process, for as long as a profiler wants to look.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};

use crate::{
    failure::Failure,
    load::{self, Keys, Plan},
    report,
    rounds::Row,
    system::Processes,
};

/// What is sent where.
#[derive(Args)]
pub(crate) struct Options {
    /// Where the gateway listens
    address: SocketAddr,
    /// Its process
    #[arg(long)]
    pid: u32,
    #[arg(long, value_enum, default_value_t = Kind::Fresh)]
    keys: Kind,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Replays only: how long other keys are executed before, so that what is replayed lies in files
    #[arg(long, default_value_t = 0)]
    aged: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    None,
    Fresh,
    /// Of those that the warm-up has executed.
    Replay,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let fresh = Keys::fresh();
    let processes = Processes::of([options.pid]);
    let measure = async |keys: &Keys, seconds| {
        let plan = Plan {
            address: options.address,
            keys,
            connections: options.connections,
            warm_up: Duration::from_millis(500),
            measured: Duration::from_secs(seconds),
            processes: &processes,
        };
        load::run(&plan).await
    };
    let measured = match options.keys {
        Kind::None => measure(&Keys::none(), options.seconds).await?,
        Kind::Fresh => measure(&fresh, options.seconds).await?,
        Kind::Replay => {
            measure(&fresh, 1).await?;
            if options.aged > 0 {
                measure(&Keys::fresh(), options.aged).await?;
            }
            measure(&fresh.repeated(), options.seconds).await?
        }
    };
    let row = Row::of("", &[measured]);
    report::data(format_args!(
        "{:.0} req/s, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, CPU {:.1} µs",
        row.requests_per_second,
        row.p50_us / 1e3,
        row.p99_us / 1e3,
        row.p999_us / 1e3,
        row.cpu_us
    ));
    Ok(())
}
