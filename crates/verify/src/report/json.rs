//! The report for programs.
//!
//! Invariant: what `docs/reference/verify.md` says of a member stays so while `format` is the same number. Members may
//! be added.

use serde_json::{Map, Value, json};

use super::{
    Finding, Report,
    hidden::Hidden,
    sequence::{Came, OF_A_FAULT, Sent, Sequence, Shown},
};
use crate::verdict::{Verdict, bound_95};

/// Of the members and their meaning.
const FORMAT: u32 = 1;

impl Report {
    /// As JSON: one object, over many lines.
    #[must_use]
    pub fn json(&self) -> String {
        format!("{:#}\n", self.document())
    }

    fn document(&self) -> Value {
        let summary = self.summary();
        let hidden = Hidden::new(&self.credentials);
        let mut document = json!({
            "format": FORMAT,
            "tool": concat!("onlyonce ", env!("CARGO_PKG_VERSION")),
            "target": self.target.to_string(),
            "operation": hidden.text(&self.asked),
            "view": if self.upstream_view { "upstream" } else { "client" },
            "profile": self.profile.name,
            "began": humantime::format_rfc3339_seconds(self.began).to_string(),
            "took_ms": milliseconds(self.took),
            "requests": self.requests,
            "unreached": self.unreached,
            "spent": self.spent,
            "not_tried": self.not_tried,
            "summary": {
                "passed": summary.passed,
                "failed": summary.failed,
                "failed_should": summary.failed_should,
                "deviating": summary.deviating,
                "not_observable": summary.not_observable,
            },
            "findings": self.findings.iter().map(|finding| self.finding(finding, &hidden)).collect::<Vec<_>>(),
        });
        if let (Some(calls), Some(members)) = (&self.calls, document.as_object_mut()) {
            members.insert("calls".to_owned(), hidden.text(calls).into());
        }
        document
    }

    fn finding(&self, finding: &Finding, hidden: &Hidden) -> Value {
        let check = finding.check;
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| _ = members.insert(name.to_owned(), value);
        put("check", check.id.into());
        put("subject", check.subject().into());
        put("level", check.level.as_str().into());
        put("requirement", check.requirement.into());
        put("source", check.source.into());
        put("verdict", finding.verdict.as_str().replace(' ', "-").into());
        match &finding.verdict {
            Verdict::Pass { seen, tries } => {
                put("seen", hidden.told(seen).into());
                if let Some(tries) = tries {
                    put("tries", (*tries).into());
                    put("bound_95", bound_95(*tries).into());
                }
            }
            Verdict::Fail { expected, actual } => {
                put("expected", hidden.told(expected).into());
                put("actual", hidden.told(actual).into());
            }
            Verdict::Deviates { expected, actual, like } => {
                put("expected", hidden.told(expected).into());
                put("actual", hidden.told(actual).into());
                put("like", hidden.told(like).into());
            }
            Verdict::NotObservable { why } => put("why", hidden.told(why).into()),
        }
        put("took_ms", milliseconds(finding.took).into());
        if !matches!(finding.verdict, Verdict::Pass { .. }) {
            let sequence = Sequence::of(finding, self, OF_A_FAULT);
            put("script", sequence.script().into());
            put("steps_left_out", sequence.left_out.into());
            put("steps", sequence.steps.iter().map(step).collect());
        }
        members.into()
    }
}

fn step(step: &Shown) -> Value {
    json!({ "number": step.number, "what": step.what, "requests": step.requests.iter().map(sent).collect::<Vec<_>>() })
}

fn sent(sent: &Sent) -> Value {
    let answers: Vec<_> = sent.answers.iter().map(came).collect();
    json!({ "curl": sent.curl, "times": sent.times, "answers": answers })
}

fn came(came: &Came) -> Value {
    match &came.answer {
        Ok(read) => json!({
            "times": came.times,
            "status": read.status,
            "headers": read.headers.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
            "body": read.body,
            "body_bytes": read.body_bytes,
        }),
        Err(lost) => json!({ "times": came.times, "lost": lost }),
    }
}

fn milliseconds(took: std::time::Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
