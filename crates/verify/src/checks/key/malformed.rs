//! What is no key.

use http::{HeaderName, HeaderValue};

use crate::{
    call::{Minted, Request},
    plan::{Carrier, Form},
    random,
    trial::Trial,
    verdict::{Stop, Verdict},
};

/// Something in the place of a key. None of them is a constant but the empty one: a key that an API does accept stands
/// for an operation from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    Empty,
    Two,
    NotAscii,
    Unterminated,
    OtherType,
}

impl Malformed {
    /// Those that a caller may take for a key that protects him.
    const TAKEN_FOR_KEYS: [Self; 4] = [Self::Two, Self::NotAscii, Self::Unterminated, Self::OtherType];

    const fn what(self) -> &'static str {
        match self {
            Self::Empty => "an empty key",
            Self::Two => "two keys",
            Self::NotAscii => "a key with a byte outside of ASCII",
            Self::Unterminated => "a key whose quotes are not closed",
            Self::OtherType => "a key that is no string",
        }
    }

    /// Its field lines; `None`: with bare keys it is a text like any other.
    fn lines(self, form: Form) -> Option<Vec<Vec<u8>>> {
        let good = |form| match form {
            Form::Quoted => format!("\"{}\"", random::uuid()).into_bytes(),
            Form::Bare => random::uuid().into_bytes(),
        };
        Some(match (self, form) {
            (Self::Empty, _) => vec![Vec::new()],
            (Self::Two, form) => vec![good(form), good(form)],
            (Self::NotAscii, Form::Quoted) => vec![[b"\"\xe9", good(Form::Bare).as_slice(), b"\""].concat()],
            (Self::NotAscii, Form::Bare) => vec![[b"\xe9", good(Form::Bare).as_slice()].concat()],
            (Self::Unterminated, Form::Quoted) => vec![format!("\"{}", random::uuid()).into_bytes()],
            // A byte sequence (RFC 9651, section 3.3.5).
            (Self::OtherType, Form::Quoted) => vec![format!(":{}:", random::token()).into_bytes()],
            (Self::Unterminated | Self::OtherType, Form::Bare) => return None,
        })
    }

    /// A request with it.
    fn put(self, trial: &Trial<'_>, request: Request) -> Result<Request, Stop> {
        let carrier = &trial.plan().key.carrier;
        match (carrier, self) {
            (Carrier::Header(name), _) => {
                let lines = self.lines(trial.form());
                let lines = lines
                    .ok_or_else(|| Stop::not_observable("keys are bare here: it is a key like any other"))?;
                Ok(with_lines(request, name, &lines))
            }
            (Carrier::Body(_) | Carrier::Query(_) | Carrier::Form(_), Self::Empty) => {
                trial.keyed(request, "")
            }
            (Carrier::Body(pointer), Self::OtherType) => carrier
                .put_value(request, random::number().into())
                .ok_or_else(|| Stop::not_observable(format!("the body has no place for a key at {pointer}"))),
            (Carrier::Query(_) | Carrier::Form(_), Self::Two) => {
                let keyed = trial.keyed_anew(&request)?;
                carrier.put_beside(keyed, &random::uuid()).ok_or_else(|| {
                    Stop::not_observable(format!("there is no place for two keys at {carrier}"))
                })
            }
            (Carrier::Body(_) | Carrier::Query(_) | Carrier::Form(_) | Carrier::Path(_), _) => {
                Err(Stop::not_observable(format!("keys stand at {carrier} here, where this cannot be")))
            }
        }
    }
}

fn with_lines(mut request: Request, name: &HeaderName, lines: &[Vec<u8>]) -> Request {
    request.headers.remove(name);
    for line in lines {
        request.minted.extend(Minted::in_key(line));
        let line = HeaderValue::from_bytes(line).expect("it has no control characters");
        request.headers.append(name, line);
    }
    request
}

pub(super) async fn accepted(trial: &mut Trial<'_>, malformed: Malformed) -> Result<Verdict, Stop> {
    let spoilt = malformed.put(trial, trial.operation()?)?;
    trial.recognised().await?;
    let what = malformed.what();
    let answer = trial.send(&format!("a request with {what}"), &spoilt).await;
    let Some(answer) = Trial::unless_closed(answer)? else {
        return Ok(Verdict::pass("refused by closing the connection"));
    };
    let expect = &trial.profile().invalid;
    if !answer.is_success() {
        return Ok(expect.judge(&format!("a request with {what}"), answer.status));
    }
    let (expected, actual) = (expect.listed(), format!("it was carried out: {answer}"));
    Ok(match trial.form() {
        Form::Quoted => Verdict::fail(expected, actual),
        Form::Bare => {
            Verdict::Deviates { expected, actual, like: "services that take any text as a key".into() }
        }
    })
}

pub(super) async fn ignored(trial: &mut Trial<'_>) -> Result<Verdict, Stop> {
    trial.recognised().await?;
    let (mut refused, mut taken) = (0, 0);
    for malformed in Malformed::TAKEN_FOR_KEYS {
        let Ok(request) = malformed.put(trial, trial.operation()?) else { continue };
        let what = malformed.what();
        let before = trial.count().await?;
        let first = trial.send(&format!("a request with {what}"), &request).await;
        if !Trial::unless_closed(first)?.is_some_and(|answer| answer.is_success()) {
            refused += 1;
            continue;
        }
        let repeat = Trial::unless_closed(trial.send("the same again", &request).await)?;
        if trial.effects_since(before, 1).await? > 1 {
            let repeat = repeat.map_or_else(|| "closed".into(), |answer| answer.to_string());
            return Ok(Verdict::fail("a refusal, or one effect", format!("{what}: two effects: {repeat}")));
        }
        taken += 1;
    }
    match refused + taken {
        0 => Err(Stop::not_observable("keys stand here where all texts are keys")),
        _ => Ok(Verdict::pass(format!("{refused} refused, {taken} taken as they are"))),
    }
}
