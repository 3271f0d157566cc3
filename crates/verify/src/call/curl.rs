//! The same request for a person: a line for a shell.

use std::fmt::Write;

use http::header;

use super::{Fault, Manner, Names, Origin, Request, Who, names::quoted};

/// Whether a request goes out by itself, or with those that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// By itself.
    Alone,
    /// At once with others; `wait` collects them.
    WithOthers,
    /// While those of the steps that follow are sent.
    Meanwhile,
    /// By itself; what it answers is remembered.
    Remembered,
    /// Again and again, until it answers something else than what was remembered.
    UntilAnother,
}

/// A `curl` command that sends `request`. Credentials stand there as variables of the shell, never as themselves: a
/// report is read by others than those who own them. What has a name stands there by it.
#[must_use]
pub fn curl(
    origin: &Origin,
    request: &Request,
    secret: impl Fn(&str) -> bool,
    together: Together,
    names: &Names,
) -> String {
    let is_compared = matches!(together, Together::Remembered | Together::UntilAnother);
    // What is compared has no head: that tells the time.
    let mut line = String::from(if is_compared { "curl -sS" } else { "curl -sS -i" });
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
    let method = request.method.as_str();
    let written = match method.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => method.to_owned(),
        false => quoted(method.as_bytes()),
    };
    let url = names.quoted(format!("{origin}{}", request.path).as_bytes());
    // With `-X HEAD` it would wait for a body.
    let _ = match method {
        "HEAD" if request.body.is_empty() => write!(line, " --head {url}"),
        _ => write!(line, " -X {written} {url}"),
    };
    for (name, value) in &request.headers {
        let _ = match (secret(name.as_str()), value.as_bytes()) {
            (true, _) => {
                let name = name.as_str();
                let (shown, variable) = (quoted(format!("{name}: ").as_bytes()), variable(request.who, name));
                write!(line, " -H {shown}\"${variable}\"")
            }
            // What curl leaves out if it is written with a colon.
            (false, b"") => write!(line, " -H {}", quoted(format!("{name};").as_bytes())),
            (false, value) => {
                let header = [name.as_str().as_bytes(), b": ", value].concat();
                write!(line, " -H {}", names.quoted(&header))
            }
        };
    }
    if !request.body.is_empty() {
        // Otherwise it would say that this is a form.
        if !request.headers.contains_key(header::CONTENT_TYPE) {
            line.push_str(" -H 'content-type:'");
        }
        let _ = write!(line, " {}", names.data(&request.body));
    }
    // The next answer begins on a line of its own.
    if !is_compared {
        line.push_str(r" -w '\n'");
    }
    line = with_fault(line, request.fault);
    if matches!(together, Together::WithOthers | Together::Meanwhile) {
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

/// The variable that a credential's header stands as.
pub(crate) fn variable(who: Who, name: &str) -> String {
    let who = match who {
        Who::First | Who::Nobody => "FIRST",
        Who::Second => "SECOND",
        Who::Stranger => "WRONG",
    };
    format!("{who}_{}", name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
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
            in_path: None,
            changed: None,
            token: String::new(),
            minted: Vec::new(),
        }
    }

    #[test]
    fn a_line_quotes_what_a_shell_would_read_and_hides_credentials() {
        let origin = "http://127.0.0.1:8080".parse().unwrap();
        let line =
            curl(&origin, &request(), |name| name == "authorization", Together::Alone, &Names::default());
        assert_eq!(
            line,
            "curl -sS -i -X POST 'http://127.0.0.1:8080/transfers' -H 'authorization: '\"$SECOND_AUTHORIZATION\" \
             -H 'idempotency-key: \"it'\\''s\"' -H 'content-type:' --data-raw '{}' -w '\\n'"
        );
    }

    #[test]
    fn what_curl_would_leave_out_or_read_otherwise_goes_out() {
        let origin = "http://127.0.0.1:8080".parse().unwrap();
        let mut request = Request { path: "/transfers?ids[]=1".into(), ..request() };
        request.headers.insert("idempotency-key", HeaderValue::from_static(""));
        let line = curl(&origin, &request, |_| false, Together::Alone, &Names::default());
        assert!(line.contains(" -g ") && line.contains(" -H 'idempotency-key;'"), "{line}");
    }

    #[test]
    fn a_head_is_asked_for_without_waiting_for_a_body() {
        let origin = "http://127.0.0.1:8080".parse().unwrap();
        let request = Request { method: Method::HEAD, body: Bytes::new(), ..request() };
        let line = curl(&origin, &request, |_| false, Together::Alone, &Names::default());
        assert!(line.contains(" --head 'http") && !line.contains("-X"), "{line}");
        assert!(!line.contains("content-type"), "{line}");
    }

    #[test]
    fn nothing_of_a_plan_becomes_a_command() {
        let origin = "http://127.0.0.1:8080".parse().unwrap();
        let mut request =
            Request { method: "A`id`".parse().unwrap(), body: "$(id)'`id`'\x07".into(), ..request() };
        request.path = "/'$(id)".into();
        request.headers.insert("x-`id`", HeaderValue::from_static("secret"));
        request.headers.insert("idempotency-key", HeaderValue::from_bytes(b"\xe9'\\").unwrap());
        let line = curl(&origin, &request, |name| name == "x-`id`", Together::Alone, &Names::default());
        assert_eq!(
            line,
            "curl -sS -i -X 'A`id`' 'http://127.0.0.1:8080/'\\''$(id)' -H 'authorization: Bearer secret' \
             -H $'idempotency-key: \\xe9\\'\\\\' -H 'x-`id`: '\"$SECOND_X__ID_\" \
             -H 'content-type:' --data-raw $'$(id)\\'`id`\\'\\x07' -w '\\n'"
        );
    }

    #[test]
    fn a_fault_on_the_way_is_made_by_hand() {
        let origin = "http://127.0.0.1:8080".parse().unwrap();
        let line = |fault, together| {
            curl(&origin, &request().meeting(fault), |_| false, together, &Names::default())
        };
        let plain = line(Fault::None, Together::Alone);
        assert_eq!(line(Fault::Duplicated, Together::Alone), format!("({plain} & {plain} & wait)"));
        assert_eq!(
            line(Fault::RequestLate(std::time::Duration::from_millis(300)), Together::WithOthers),
            format!("(sleep 0.3; {plain}) &")
        );
        assert_eq!(line(Fault::AnswerDropped, Together::Alone), format!("{plain} > /dev/null"));
    }
}
