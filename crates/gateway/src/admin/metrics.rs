//! What an operator is alarmed by, in the text format of Prometheus.

use std::fmt::{self, Write};

use axum::{
    extract,
    http::header,
    response::{IntoResponse, Response},
};
use onlyonce_ledger::Ledger;

use super::State;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn all(extract::State(state): extract::State<State>) -> Response {
    let mut text = String::new();
    write(&mut text, state.ledger()).expect("a text takes what is written to it");
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

fn write(out: &mut String, ledger: &Ledger) -> fmt::Result {
    head(out, "onlyonce_unknown_records", "gauge", "Operations whose outcome is unknown, by route.")?;
    let mut unknowns = ledger.unknowns();
    unknowns.sort();
    for (route, count) in unknowns {
        writeln!(out, "onlyonce_unknown_records{{route=\"{}\"}} {count}", escaped(&route))?;
    }
    head(out, "onlyonce_attempts_in_flight", "gauge", "Attempts under way.")?;
    writeln!(out, "onlyonce_attempts_in_flight {}", ledger.attempts())?;
    head(out, "onlyonce_waiters", "gauge", "Repeats that wait for another request's outcome.")?;
    writeln!(out, "onlyonce_waiters {}", ledger.waiters())?;
    let late = "Outcomes that came after their record was given up. Each one is in the audit.";
    head(out, "onlyonce_late_outcomes_total", "counter", late)?;
    writeln!(out, "onlyonce_late_outcomes_total {}", ledger.late_outcomes())
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_cannot_break_out_of_its_label() {
        assert_eq!(escaped("POST /a\"} 1\nx\\"), "POST /a\\\"} 1\\nx\\\\");
    }
}
