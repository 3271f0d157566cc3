//! The parts of the page, in their order.

use maud::{Markup, html};

use super::{Kind, Page};
use crate::{
    report::{
        Finding,
        sequence::{AT_A_GLANCE, OF_A_FAULT, Sequence, Shown},
        terminal::bound,
    },
    verdict::Verdict,
};

impl Page<'_> {
    pub(super) fn head(&self, asked: &str) -> Markup {
        let view = if self.report.upstream_view {
            "from outside, and as the application behind it"
        } else {
            "from outside"
        };
        let began = humantime::format_rfc3339_seconds(self.report.began).to_string();
        html! {
            header {
                p.name { "Onlyonce " span { "verify" } }
                h1 { (self.verdict()) "." }
                @if let Some(cause) = self.report.cause() {
                    p.cause {
                        "A repeat is carried out again, and most of what does not hold follows from that: mend "
                        a href={ "#" (cause) } { (cause) } " first."
                    }
                }
                dl.facts {
                    div { dt { "Asked" } dd { code { (asked) } } }
                    div { dt { "At" } dd { code { (self.report.target) } } }
                    div { dt { "Seen" } dd { (view) } }
                    div {
                        dt { "When" }
                        dd { time datetime=(began) { (began.replace('T', " ").replace('Z', " UTC")) } }
                    }
                    div {
                        dt { "With" }
                        dd { (self.report.requests) " requests in " (format!("{:.1}", self.report.took.as_secs_f32())) " s" }
                    }
                    div.wide { dt { "By" } dd { (self.report.profile.name) ": " (self.report.profile.about) } }
                }
            }
        }
    }

    /// How many of each, and every check at one glance, by subject.
    pub(super) fn overview(&self) -> Markup {
        let mut subjects: Vec<(&str, Vec<&Finding>)> = Vec::new();
        for finding in &self.report.findings {
            let subject = finding.check.subject();
            match subjects.iter_mut().find(|(known, _)| *known == subject) {
                Some((_, findings)) => findings.push(finding),
                None => subjects.push((subject, vec![finding])),
            }
        }
        html! {
            ul.counts {
                @for kind in Kind::ALL {
                    @let count = self.that_are(kind).count();
                    @if count > 0 {
                        li class=(kind.class()) { b { (count) } " " span { (kind.word()) } }
                    }
                }
                @if self.report.not_tried > 0 {
                    li.untold { b { (self.report.not_tried) } " " span { "not tried (interrupted)" } }
                }
            }
            table.overview {
                caption.unseen { "Every check, by subject" }
                @for (subject, findings) in subjects {
                    tr {
                        th scope="row" { (subject) }
                        td { @for finding in findings { (mark(finding)) " " } }
                    }
                }
            }
        }
    }

    pub(super) fn section(&self, kind: Kind) -> Markup {
        let findings: Vec<_> = self.that_are(kind).collect();
        html! {
            @if !findings.is_empty() {
                section class=(kind.class()) {
                    h2 { (kind.title()) }
                    p.about { (kind.about()) }
                    @if kind == Kind::NotObservable {
                        (self.untold(&findings))
                    } @else {
                        @for finding in findings { (self.finding(kind, finding)) }
                    }
                }
            }
        }
    }

    fn finding(&self, kind: Kind, finding: &Finding) -> Markup {
        let check = finding.check;
        let most = if kind == Kind::Passed { AT_A_GLANCE } else { OF_A_FAULT };
        let sequence = Sequence::of(finding, self.report, most);
        html! {
            article id=(check.id) {
                h3 {
                    span.sign aria-hidden="true" { (kind.sign()) }
                    " " a href={ "#" (check.id) } { (check.id) }
                    " " span.level { (check.level.as_str()) }
                }
                p.requirement { (check.requirement) }
                (self.saw(&finding.verdict, check.source))
                @if !sequence.steps.is_empty() {
                    details {
                        summary { (steps_of(finding.steps.len())) }
                        (steps(&sequence))
                    }
                }
            }
        }
    }

    fn saw(&self, verdict: &Verdict, source: &str) -> Markup {
        let row = |name: &str, text: &str| html! { div class=(name) { dt { (name) } dd { (self.hidden.told(text)) } } };
        html! {
            dl.saw {
                @match verdict {
                    Verdict::Pass { seen, tries } => {
                        (row("seen", seen))
                        @if let Some(tries) = tries { (row("bound", &bound(*tries))) }
                    }
                    Verdict::Fail { expected, actual } => { (row("expected", expected)) (row("actual", actual)) }
                    Verdict::Deviates { expected, actual, like } => {
                        (row("expected", expected)) (row("actual", actual)) (row("like", like))
                    }
                    Verdict::NotObservable { why } => { (row("why", why)) }
                }
                div.source { dt { "source" } dd { (source) } }
            }
        }
    }

    /// By what would make them observable: one cure often is that of many.
    fn untold(&self, findings: &[&Finding]) -> Markup {
        let mut cures: Vec<(&str, Vec<&Finding>)> = Vec::new();
        for finding in findings {
            let Verdict::NotObservable { why } = &finding.verdict else { continue };
            match cures.iter_mut().find(|(known, _)| known == why) {
                Some((_, findings)) => findings.push(finding),
                None => cures.push((why, vec![finding])),
            }
        }
        html! {
            @for (why, findings) in cures {
                article {
                    p.why { (self.hidden.told(why)) }
                    ul.untold-checks {
                        @for finding in findings {
                            li id=(finding.check.id) {
                                code { (finding.check.id) } " " span.requirement { (finding.check.requirement) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn foot() -> Markup {
    html! {
        footer {
            p {
                "Made by " code { "onlyonce verify" } " " (env!("CARGO_PKG_VERSION")) ". It knows nothing of how the API is \
                 made, and has seen no more than is shown here."
            }
            p {
                "Credentials stand in the requests as variables of the shell: " code { "$FIRST_…" } " is the first caller's, "
                code { "$SECOND_…" } " the other one's, " code { "$WRONG_…" } " one that nobody was given. What has "
                code { "•••" } " in its place was one of their values."
            }
        }
    }
}

/// A check in the overview: a sign, its name, and a word for who does not see signs and colours.
fn mark(finding: &Finding) -> Markup {
    let kind = Kind::of(finding);
    let id = finding.check.id;
    let name = id.split_once('/').map_or(id, |(_, name)| name);
    html! {
        a.mark.(kind.class()) href={ "#" (id) } title={ (id) ": " (kind.word()) } {
            span aria-hidden="true" { (kind.sign()) } (name) span.unseen { ": " (kind.word()) }
        }
    }
}

fn steps_of(count: usize) -> String {
    match count {
        1 => "The request that shows it".to_owned(),
        count => format!("The {count} steps that show it"),
    }
}

fn steps(sequence: &Sequence) -> Markup {
    html! {
        pre tabindex="0" { code { (sequence.before) } }
        ol.steps {
            @for (left_out, step) in sequence.gaps() {
                @if left_out > 0 { li.gap { (left_out) " steps are left out here" } }
                (one_step(step))
            }
        }
    }
}

fn one_step(step: &Shown) -> Markup {
    let at_once = step.at_once();
    html! {
        li {
            p { span.number { (step.number) } " " (step.what) @if at_once > 1 { span.times { (at_once) " at once" } } }
            pre tabindex="0" { code { (step.commands()) } }
            ul.answers { @for came in step.came() { li { (came) } } }
        }
    }
}
