//! The same request for a person: a line for a shell.

use std::fmt::Write;

use super::{Fault, Manner, Origin, Request, Who};

/// Whether a request goes out by itself, or with those that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// By itself.
    Alone,
    /// At once with others; `wait` collects them.
    WithOthers,
    /// While those of the steps that follow are sent.
    Meanwhile,
}

/// A `curl` command that sends `request`. Credentials stand there as variables of the shell, never as themselves: a
/// report is read by others than those who own them.
#[must_use]
pub fn curl(origin: &Origin, request: &Request, secret: impl Fn(&str) -> bool, together: Together) -> String {
    let mut line = String::from("curl -sS -i");
    match request.manner {
        Manner::Whole => {}
        // The nearest that curl has to it.
        Manner::HangUp(after) => _ = write!(line, " --max-time {}", after.as_secs_f32().max(0.1)),
        Manner::Half => line.push_str(" --limit-rate 1 --max-time 0.5"),
        Manner::Slow(_) => line.push_str(" --limit-rate 50"),
    }
    if request.path.contains(['[', ']', '{', '}']) {
        line.push_str(" -g");
    }
    let _ = write!(line, " -X {} {}", request.method, quoted(&format!("{origin}{}", request.path)));
    for (name, value) in &request.headers {
        let value = match secret(name.as_str()) {
            true => variable(request.who, name.as_str()),
            false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        let header = match value.is_empty() {
            // What curl leaves out if it is written with a colon.
            true => format!("{name};"),
            false => format!("{name}: {value}"),
        };
        let _ = match secret(name.as_str()) {
            true => write!(line, " -H \"{header}\""),
            false => write!(line, " -H {}", quoted(&header)),
        };
    }
    match std::str::from_utf8(&request.body) {
        Ok("") => {}
        Ok(text) if text.len() <= SHOWN => _ = write!(line, " --data-raw {}", quoted(text)),
        // Named by its length, so that a reader can make one like it.
        Ok(_) | Err(_) => _ = write!(line, " --data-binary @body-of-{}-bytes", request.body.len()),
    }
    line = with_fault(line, request.fault);
    if together != Together::Alone {
        line.push_str(" &");
    }
    line
}

/// How a person gets the same fault without a proxy, as nearly as a shell can.
fn with_fault(line: String, fault: Fault) -> String {
    match fault {
        // Late or not, it is the same answer.
        Fault::None | Fault::AnswerLate(_) => line,
        Fault::AnswerDropped => line + " > /dev/null",
        Fault::AnswerCut => line + " | head -n 1",
        Fault::RequestLate(late) => format!("(sleep {}; {line})", late.as_secs_f32()),
        Fault::Duplicated => format!("({line} & {line} & wait)"),
    }
}

/// Largest body that stands in the line itself.
const SHOWN: usize = 4096;

/// The variable that a credential's header stands as.
fn variable(who: Who, name: &str) -> String {
    let who = match who {
        Who::First | Who::Nobody => "FIRST",
        Who::Second => "SECOND",
        Who::Stranger => "WRONG",
    };
    format!("${who}_{}", name.to_uppercase().replace('-', "_"))
}

/// In single quotes, as a POSIX shell takes them.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    fn request() -> Request {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer secret"));
        headers.insert("idempotency-key", HeaderValue::from_static("\"it's\""));
        Request {
            method: Method::POST,
            path: "/transfers".into(),
            headers,
            body: Bytes::from_static(b"{}"),
            who: Who::Second,
            manner: Manner::Whole,
            fault: Fault::None,
            changed: None,
            token: String::new(),
        }
    }

    #[test]
    fn a_line_quotes_what_a_shell_would_read_and_hides_credentials() {
        let origin = "http://127.0.0.1:8080".parse().unwrap();
        let line = curl(&origin, &request(), |name| name == "authorization", Together::Alone);
        assert_eq!(
            line,
            "curl -sS -i -X POST 'http://127.0.0.1:8080/transfers' -H \"authorization: $SECOND_AUTHORIZATION\" \
             -H 'idempotency-key: \"it'\\''s\"' --data-raw '{}'"
        );
    }

    #[test]
    fn what_curl_would_leave_out_or_read_otherwise_goes_out() {
        let origin = "http://127.0.0.1:8080".parse().unwrap();
        let mut request = Request { path: "/transfers?ids[]=1".into(), ..request() };
        request.headers.insert("idempotency-key", HeaderValue::from_static(""));
        let line = curl(&origin, &request, |_| false, Together::Alone);
        assert!(line.contains(" -g ") && line.contains(" -H 'idempotency-key;'"), "{line}");
    }

    #[test]
    fn a_fault_on_the_way_is_made_by_hand() {
        let origin = "http://127.0.0.1:8080".parse().unwrap();
        let line = |fault, together| curl(&origin, &request().meeting(fault), |_| false, together);
        let plain = line(Fault::None, Together::Alone);
        assert_eq!(line(Fault::Duplicated, Together::Alone), format!("({plain} & {plain} & wait)"));
        assert_eq!(
            line(Fault::RequestLate(std::time::Duration::from_millis(300)), Together::WithOthers),
            format!("(sleep 0.3; {plain}) &")
        );
        assert_eq!(line(Fault::AnswerDropped, Together::Alone), format!("{plain} > /dev/null"));
    }
}
