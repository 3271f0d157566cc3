//! A mistake in the file of a plan, told with its line, its key and what would be valid.

use toml::de::Error;

use super::PlanError;

/// Names that are less alike than this are no slip of the pen (Jaro-Winkler; one is the same).
const ALIKE: f64 = 0.8;

/// What a parser or a deserializer found wrong. A deserializer names what it does not know and what it does, each between
/// backticks. The line itself is not shown: a credential may stand in it.
pub(super) fn told(text: &str, error: &Error) -> PlanError {
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let what = if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let name = quoted.next().unwrap_or_default();
        let valid: Vec<&str> = quoted.collect();
        unknown(name, &valid)
    } else {
        // Some are told with their whole line below.
        message.lines().next().unwrap_or_default().to_owned()
    };
    match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or(text);
            PlanError::new(format!("line {}: {what}", before.matches('\n').count() + 1))
        }
        None => PlanError::new(what),
    }
}

/// What is told of a name that is none of the valid ones.
pub(super) fn unknown(name: &str, valid: &[&str]) -> String {
    format!("there is no `{name}`{}", nearest(name, valid))
}

/// The likeliest of the valid names, or all of them.
fn nearest(name: &str, valid: &[&str]) -> String {
    match likeliest(name, valid) {
        Some(best) => format!("; did you mean `{best}`?"),
        None => format!("; there are {}", valid.join(", ")),
    }
}

/// The valid name that may have been meant.
pub(super) fn likeliest<'a>(name: &str, valid: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let likeness = |other: &str| strsim::jaro_winkler(&name, other);
    let best = valid.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.filter(|best| likeness(best) >= ALIKE)
}

#[cfg(test)]
mod tests {
    use crate::Plan;

    const REST: &str = "[operations.create]\nrequest = \"POST /transfers\"\n";

    #[test]
    fn a_placeholder_that_is_none_is_named_with_its_key() {
        let plan = format!(
            "target = \"http://h\"\n{REST}json = '{{\"a\":\"{{{{fres}}}}\"}}'\nheaders = {{ x-a = \"{{{{uid}}}}\" }}\n\
             [operations.slow]\nrequest = \"POST /{{{{numbr}}}}\"\n[resource]\npath = \"/{{{{fresh}}}}/{{{{frsh}}}}\"\n\
             json = \"{{}}\"\nchanged = \"[]\"\n"
        );
        let plan = Plan::parse(&plan).unwrap();
        let told: Vec<_> = plan.placeholders.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "operations.create.json: {{fres}} is sent as it stands; did you mean {{fresh}}?",
                "operations.create.headers.x-a: {{uid}} is sent as it stands; did you mean {{uuid}}?",
                "operations.slow.request: {{numbr}} is sent as it stands; did you mean {{number}}?",
                "resource.path: {{frsh}} is sent as it stands; did you mean {{fresh}}?",
            ]
        );
    }

    #[test]
    fn a_mistake_is_told_with_its_line_its_key_and_what_would_be_valid() {
        for (before, after, told) in [
            (
                "target = \"http://h\"\nretantion = \"2s\"\n",
                "",
                "line 2: there is no `retantion`; did you mean `retention`?",
            ),
            ("Target = \"http://h\"\n", "", "line 1: there is no `Target`; did you mean `target`?"),
            ("target = \"http://h\"\n", "jsn = '{}'\n", "line 4: there is no `jsn`; did you mean `json`?"),
            (
                "target = \"http://h\"\n",
                "[key]\nform = \"plain\"\n",
                "line 5: there is no `plain`; there are quoted, bare",
            ),
            ("target = \"http://h\"\n", "[bounds]\nrequests = \"many\"\n", "line 5: invalid type"),
            ("target = \"ftp://h\"\n", "", "target: \"ftp://h\" is no URL such as http://127.0.0.1:8080"),
            (
                "target = \"http://h\"\n",
                "[key]\ncarrier = \"cookie:key\"\n",
                "key.carrier: \"cookie:key\" carries no key",
            ),
            (
                "target = \"http://h\"\n",
                "[key]\nalso = [\"path:id\"]\n",
                "key.also: a path is never without its key: make path:id the first carrier",
            ),
            (
                "target = \"http://h\"\n",
                "[key]\nalso = [\"header:Idempotency-Key\"]\n",
                "key.also: header:idempotency-key is there twice",
            ),
            (
                "target = \"http://h\"\n",
                "[operations.slow]\nrequest = \"transfers\"\n",
                "operations.slow.request: \"transfers\" is no request",
            ),
            (
                "target = \"http://h\"\n",
                "[counter]\nrequest = \"GET\"\n",
                "counter.request: \"GET\" is no request",
            ),
            (
                "target = \"http://h\"\n",
                "[bounds]\nsettle = \"soon\"\n",
                "bounds.settle: \"soon\" is no length of time",
            ),
            (
                "target = \"http://h\"\n",
                "[credentials.first]\n\"a b\" = \"secret\"\n",
                "credentials.first: \"a b\" is no name of a header",
            ),
            ("profile = \"ietf\"\n", "", "missing field `target`"),
            (
                "target = \"http://h\"\nprofile = \"itef\"\n",
                "",
                "profile: there is no `itef`; did you mean `ietf`?",
            ),
            (
                "target = \"http://h\"\n",
                "json = '{\"item\":\"book\"'\n",
                "operations.create.json: \"{\\\"item\\\":\\\"book\\\"\" is no JSON: EOF",
            ),
            (
                "target = \"http://h\"\n",
                "json = '{\"n\":{{number}}}'\nchanged = '{\"n\":}'\n",
                "operations.create.changed: \"{\\\"n\\\":}\" is no JSON",
            ),
            (
                "target = \"http://h\"\n",
                "json = '@body.json'\n",
                "is no JSON: expected value at line 1 column 1; no file is read: write what is in body.json between",
            ),
            (
                "target = \"http://h\"\n",
                "[resource]\npath = \"/x\"\njson = \"{}\"\nchanged = \"{\"\n",
                "resource.changed: \"{\" is no JSON",
            ),
            (
                "target = \"http://h\"\n",
                "[commands]\npause_for = \"2h\"\n",
                "commands.pause_for: \"2h\" is longer than the verifier waits; write at most 300s",
            ),
            (
                "target = \"http://h\"\n",
                "[key]\nlease = \"1d\"\n",
                "key.lease: \"1d\" is longer than the verifier waits; write at most 120s",
            ),
            (
                "target = \"http://h\"\n",
                "[bounds]\npatience = \"0s\"\n",
                "bounds.patience: \"0s\" is no time at all",
            ),
            (
                "target = \"http://h\"\n",
                "[bounds]\nat_once = 0\n",
                "bounds.at_once: with 0 nothing could be asked; write at least 1",
            ),
        ] {
            let error = Plan::parse(&format!("{before}{REST}{after}")).unwrap_err().to_string();
            assert!(error.contains(told), "{error}\nand not\n{told}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
