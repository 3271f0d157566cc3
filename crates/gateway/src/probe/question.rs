//! What one route asks, whom, and with which credential.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use onlyonce_core::{OperationRef, event::Verdict};

use super::{circuit::Circuit, rounds::QUESTIONS_MAX};
use crate::{
    config::{
        Config, OnUnknown, Settings,
        probe::{Absent, REFERENCE, Stands},
    },
    start_error::{StartError, StartErrorKind},
    upstream::{Places, Pool, RequestBody, Target},
};

/// A name that is as long as every operation's, to try a template with.
const ANY: &str = "op_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What one route asks.
pub(crate) struct Question {
    pub(super) pool: Arc<Pool>,
    /// Path and query, with [`REFERENCE`] in it.
    template: String,
    headers: HeaderMap,
    pub(super) stands: Option<Stands>,
    pub(super) status: StatusCode,
    pub(super) every: Duration,
    pub(super) absent: Absent,
    /// For records that were claimed before the route said so.
    pub(super) settle_after: Duration,
    pub(super) store_body: bool,
    pub(super) drop: Vec<HeaderName>,
    pub(super) circuit: Mutex<Circuit>,
}

/// The questions of a configuration, by the name of their route.
///
/// # Errors
/// [`StartError`] that names the route, the key and what would be valid.
pub(crate) fn questions(
    config: &Config,
    variables: &BTreeMap<String, String>,
) -> Result<HashMap<String, Question>, StartError> {
    let routes = config.route.iter().map(|route| (route.pattern.as_str(), &route.settings));
    let all = routes.chain([("*", &config.defaults)]);
    let places = Places::new(QUESTIONS_MAX);
    let probed = all.filter(|(_, settings)| settings.on_unknown == OnUnknown::Probe);
    probed
        .map(|(name, settings)| {
            let question = Question::new(config, settings, variables, &places)
                .map_err(|why| StartError::new(StartErrorKind::Config, format!("route `{name}`: {why}")))?;
            Ok((name.to_owned(), question))
        })
        .collect()
}

impl Question {
    fn new(
        config: &Config,
        settings: &Settings,
        variables: &BTreeMap<String, String>,
        places: &Arc<Places>,
    ) -> Result<Self, String> {
        let probe = &settings.probe;
        let (origin, template) = split(&probe.url);
        checked(template)?;
        Verdict::applied(probe.status.as_u16()).map_err(|error| format!("`probe.status`: {error}"))?;
        let url = origin.unwrap_or(&config.upstream);
        let ca = config.upstream_ca.as_deref().filter(|_| url.starts_with("https://"));
        let target = Target::new(url, ca).map_err(|error| format!("`probe.url`: {error}"))?;
        Ok(Self {
            pool: Pool::of_single_use(target, config.upstream_connect.0, Arc::clone(places)),
            template: template.to_owned(),
            headers: probe.header_map(variables)?,
            stands: probe.stands.clone(),
            status: probe.status,
            every: probe.every.0,
            absent: probe.absent,
            settle_after: settings.settle_after.map_or(settings.deadline.0, |span| span.0),
            store_body: settings.store_body,
            drop: settings.headers.drop.clone(),
            circuit: Mutex::default(),
        })
    }

    /// The request that asks about this operation. Its name is made of unreserved characters alone, so it is a segment
    /// of a path, or a value of a query, as it is.
    pub(super) fn request(&self, reference: OperationRef) -> Request<RequestBody> {
        let uri = self.template.replace(REFERENCE, &reference.to_string());
        let mut request = Request::new(RequestBody::from(Bytes::new()));
        *request.uri_mut() = uri.parse().expect("a template was tried with a name like this");
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::try_from(self.pool.authority()) {
            headers.insert(header::HOST, host);
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("onlyonce-probe"));
        headers.extend(self.headers.clone());
        request
    }
}

/// Where, if that is said, and what.
fn split(url: &str) -> (Option<&str>, &str) {
    let Some((scheme, rest)) = url.split_once("://") else { return (None, url) };
    let origin = scheme.len() + "://".len() + rest.find('/').unwrap_or(rest.len());
    (url.get(..origin), url.get(origin..).unwrap_or_default())
}

fn checked(template: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        format!(
            "`probe.url`: {why}; write a path of the upstream such as \"/transfers/by-operation/{REFERENCE}\""
        )
    };
    if !template.starts_with('/') || template.starts_with("//") {
        return Err(wrong("it has no path, which begins with one slash"));
    }
    let Some((before, after)) = template.split_once(REFERENCE) else {
        return Err(wrong(&format!(
            "it must have {REFERENCE} in it, the name by which the upstream knows the operation"
        )));
    };
    if [before, after].iter().any(|part| part.contains(['{', '}'])) {
        return Err(wrong(&format!("nothing but {REFERENCE} can be filled in, and that once")));
    }
    if template.contains('#') || format!("{before}{ANY}{after}").parse::<Uri>().is_err() {
        return Err(wrong("it is no path"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use onlyonce_core::{RecordId, Timestamp};

    use super::*;

    #[test]
    fn a_template_has_the_operations_name_in_it_once_and_nothing_else_to_fill_in() {
        for good in ["/by/{operation_ref}", "/by?op={operation_ref}&x=1", "/a/{operation_ref}/state"] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "by/{operation_ref}",
            "//elsewhere/{operation_ref}",
            "/by/{key}",
            "/by/{operation_ref}/{key}",
            "/by/{operation_ref}/{operation_ref}",
            "/by/{operation_ref",
            "/by/{operation_ref}#x",
            "/by a/{operation_ref}",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_may_name_another_host() {
        assert_eq!(split("/by/{operation_ref}"), (None, "/by/{operation_ref}"));
        assert_eq!(
            split("https://ops.example:1/by/{operation_ref}"),
            (Some("https://ops.example:1"), "/by/{operation_ref}")
        );
        assert_eq!(split("https://ops.example"), (Some("https://ops.example"), ""));
    }

    #[test]
    fn an_operations_name_needs_no_encoding() {
        let reference =
            OperationRef { record: RecordId([0xff; 16]), first_claim_at: Timestamp::from_ms(u64::MAX >> 16) };
        let name = reference.to_string();
        assert_eq!(name.len(), ANY.len());
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
    }
}
