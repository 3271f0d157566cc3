//! What a repeat gets of an answer that the application chose.

use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::{
    call::Answer,
    check::{Check, Level, Need, Running},
    fixture::Defect,
    trial::Trial,
    upstream::{Act, Script},
    verdict::{Stop, Verdict},
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "stored/bytes-altered",
        level: Level::Must,
        requirement: "An answer that is no text comes back byte for byte, the first time and to a repeat.",
        source: "RFC 9110, section 6.4: content is octets",
        needs: &[Need::UpstreamView],
        controls: &[Defect::KeptAsText],
        run: |trial| bytes(trial),
    },
    Check {
        id: "stored/header-lines-lost",
        level: Level::Should,
        requirement: "A header that the application sent in two lines has both in a repeat.",
        source: "RFC 9110, section 5.3",
        needs: &[Need::UpstreamView],
        controls: &[Defect::HeadersForgotten],
        run: |trial| lines(trial),
    },
    Check {
        id: "stored/credentials-replayed",
        level: Level::Should,
        requirement: "What an answer says to prove or keep who is who is not said again to a repeat.",
        source: "RFC 9110, section 11.6.3; RFC 6265, section 3",
        needs: &[Need::UpstreamView],
        controls: &[Defect::CookieReplayed],
        run: |trial| credentials(trial),
    },
];

/// No text in any encoding: a NUL, what is not UTF-8, and all line ends.
const BYTES: &[u8] = b"\x00\xff\xfe\x80\r\n\x1f\x8b\x08\n\r\xc3\x28 the end\x00";

fn bytes<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let binary = HeaderValue::from_static("application/octet-stream");
        let act = Act::usual().with_body(BYTES).with_header(header::CONTENT_TYPE, binary);
        let (first, repeat) = twice(trial, act).await?;
        Ok(match (first.body == BYTES, repeat.body == BYTES) {
            (true, true) => Verdict::pass(format!("the same {} bytes both times", BYTES.len())),
            (false, _) => Verdict::fail(format!("{BYTES:02x?}"), format!("at first {:02x?}", &*first.body)),
            (true, false) => {
                Verdict::fail(format!("{BYTES:02x?}"), format!("in the repeat {:02x?}", &*repeat.body))
            }
        })
    })
}

fn lines<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let link = |text| (header::LINK, HeaderValue::from_static(text));
        let (one, other) = (link("</a>; rel=\"next\""), link("</b>; rel=\"self\""));
        let act = Act::usual().with_header(one.0, one.1).with_header(other.0, other.1);
        let (first, repeat) = twice(trial, act).await?;
        let links = |answer: &Answer| -> String {
            let lines = answer.headers.get_all(header::LINK).iter().filter_map(|line| line.to_str().ok());
            lines.collect::<Vec<_>>().join(", ")
        };
        Ok(match links(&first) == links(&repeat) {
            true => Verdict::pass(format!("Link: {} both times", links(&repeat))),
            false => Verdict::fail(format!("Link: {}", links(&first)), format!("Link: {}", links(&repeat))),
        })
    })
}

fn credentials<'a>(trial: &'a mut Trial<'_>) -> Running<'a> {
    Box::pin(async move {
        let proof = HeaderName::from_static("authentication-info");
        let act = Act::usual()
            .with_header(header::SET_COOKIE, HeaderValue::from_static("session=of-the-first; HttpOnly"))
            .with_header(header::SET_COOKIE, HeaderValue::from_static("csrf=of-the-first"))
            .with_header(proof.clone(), HeaderValue::from_static("nextnonce=\"of-the-first\""));
        let (_, repeat) = twice(trial, act).await?;
        Ok(match [header::SET_COOKIE, proof].iter().find(|name| repeat.headers.contains_key(*name)) {
            None => Verdict::pass("neither Set-Cookie nor Authentication-Info in the repeat"),
            Some(name) => {
                Verdict::fail(format!("no {name} in a repeat"), format!("{name} of the first answer"))
            }
        })
    })
}

/// A new operation that the application answers so, and its repeat, which it is not asked for.
async fn twice(trial: &mut Trial<'_>, act: Act) -> Result<(Answer, Answer), Stop> {
    let application = trial.application()?;
    let request = trial.scripted(Script::always(act))?;
    let first = trial.send("a first request", &request).await?;
    if first.status != StatusCode::CREATED {
        return Err(Stop::not_observable(format!("the first request was not carried out: {first}")));
    }
    let repeat = trial.send("its repeat", &request).await?;
    match application.arrivals_of(&request.token).len() {
        1 => Ok((first, repeat)),
        _ => Err(Stop::not_observable("the repeat ran again, so nothing was stored")),
    }
}
