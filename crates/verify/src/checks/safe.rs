//! GET only reads.

use crate::{
    call::{Answer, Who},
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "safe/get-changes-state",
        level: Level::Must,
        requirement: "Reading has no effect, however often.",
        source: "RFC 9110, section 9.2.1",
        needs: &[Need::Reads, Need::Counter],
        controls: &[Defect::GetActs],
        run: |trial| changes(trial),
    },
    Check {
        id: "safe/get-eats-quota",
        level: Level::Should,
        requirement: "Reading does not use up what writing is limited by: who looks what became of a request can still send it.",
        source: "draft-ietf-httpapi-ratelimit-headers",
        needs: &[Need::Reads],
        controls: &[Defect::GetEatsQuota],
        run: |trial| eats(trial),
    },
];

/// How often it is read.
const READS: i64 = 6;
/// Where answers say how many more requests they allow.
const REMAINING: [&str; 3] = ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"];

fn changes<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let before = trial.count().await?;
        read_all(trial, 2).await?;
        Ok(match trial.effects_since(before, 0).await? {
            0 => Verdict::pass("no effect"),
            effects => Verdict::fail("no effect", format!("{effects} effects of requests that only read")),
        })
    })
}

fn eats<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let (one, two) = (write(trial).await?, write(trial).await?);
        let rounds = READS / i64::try_from(trial.plan().operations.reads.len()).unwrap_or(READS).max(1);
        let rounds = rounds.max(1);
        let read = read_all(trial, rounds).await?;
        let three = write(trial).await?;
        let (alone, after_reads) = (one - two, two - three);
        if alone < 0 || after_reads < 0 {
            return Err(Stop::not_observable("the quota was filled up meanwhile"));
        }
        Ok(match after_reads - alone {
            // One or two may be somebody else's.
            eaten if eaten * 2 > read => Verdict::fail(
                format!("a write lowers it by {alone}, as without the {read} reads before it"),
                format!("it is lower by {after_reads}"),
            ),
            _ => Verdict::pass(format!("{read} reads do not lower it")),
        })
    })
}

/// Reads everything so many times; how many requests that were.
async fn read_all(trial: &mut Trial<'_>, rounds: i64) -> Result<i64, Stop> {
    let mut read = 0;
    for _ in 0..rounds {
        for operation in &trial.plan().operations.reads {
            let request = trial.unkeyed(operation);
            trial.carried_out("read", &request).await?;
            read += 1;
            // Some clients put a key on whatever they send. What it is answered is not judged; a body may have no place.
            if let Ok(keyed) = trial.keyed_anew(&request) {
                trial.send("read, with a key", &keyed).await?;
                read += 1;
            }
        }
    }
    Ok(read)
}

/// Writes once, and says how many more requests that allows.
async fn write(trial: &mut Trial<'_>) -> Result<i64, Stop> {
    let request = trial.operation()?;
    let answer = trial.send("write", &request).await?;
    if let Some(remaining) = remaining(&answer) {
        return Ok(remaining);
    }
    let put = match trial.new_resource() {
        Ok(document) => trial.of(&document.put(&document.whole), Who::First),
        Err(_) => return Err(Stop::not_observable("its answers do not say what they are limited to")),
    };
    let answer = trial.send("write, by PUT", &put).await?;
    remaining(&answer)
        .ok_or_else(|| Stop::not_observable("its answers do not say what they are limited to (RateLimit)"))
}

fn remaining(answer: &Answer) -> Option<i64> {
    let named = REMAINING.iter().find_map(|name| answer.header(name)?.trim().parse().ok());
    named.or_else(|| {
        // `"default";r=50;t=30`, or `limit=100, remaining=50, reset=30` of earlier drafts.
        let field = answer.header("ratelimit")?;
        let mut parts = field.split([';', ',']).filter_map(|part| part.trim().split_once('='));
        parts.find(|(name, _)| matches!(*name, "r" | "remaining"))?.1.trim().parse().ok()
    })
}
